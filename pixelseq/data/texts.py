"""Maps of tiles as text: which files are maps, and the legend of their characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from pixelseq.data import folders
from pixelseq.data.rows import Row, Table
from pixelseq.imaging.legend import Legend, check_characters
from pixelseq.imaging.text import TEXT, TextMap, read_maps

DOCUMENTS = ("readme", "license", "licence", "credits")
"""Names of text files that are never maps."""
PROCESSED = "Processed"
"""The folder of a game in The VGLC that holds its maps; others hold the same maps with paths, in layers, or as
pictures."""
LOOKED_AT = 100
"""The number of text files that are looked at to tell whether they are maps."""


def find_maps(
    folder: Path, files: list[Path], pictures: list[Path], tables: list[Path]
) -> tuple[list[Path], tuple[str, ...]]:
    """Finds the text maps of a folder.

    Where there are other files that can be images, most text files must look like maps; captions and notes do not.

    Args:
        folder: the folder.
        files: all files below it.
        pictures: those of them that are pictures.
        tables: those of them that can be tables.

    Returns:
        The files of maps, and a note of what is left out.
    """
    texts = [file for file in files if file.suffix.lower() == TEXT]
    processed = [file for file in texts if file.relative_to(folder).parts[0] == PROCESSED]
    texts = processed or texts
    maps = [file for file in texts if file.stem.lower() not in DOCUMENTS]
    if (pictures or tables) and not _look_like_maps(maps):
        return [], ()
    notes = []
    beside = {file.relative_to(folder).parts[0] for file in files if file.parent != folder} - {PROCESSED}
    if processed and beside:
        notes.append(f"the maps are those of {PROCESSED}; not used: {', '.join(sorted(beside))}")
    if pictures:
        notes.append(f"there are text maps and {len(pictures)} pictures: the text is used")
    if documents := [str(file.relative_to(folder)) for file in texts if file not in maps]:
        notes.append(f"no maps by their names: {', '.join(documents)}")
    return maps, tuple(notes)


def of_files(folder: Path, files: list[Path], legend: Legend | None) -> dict[str, Table]:
    """Gives the tables of text files, each of one or several maps; splits and classes are as those of pictures."""
    tables = folders.of_pictures(folder, files)
    characters = legend.characters if legend else None
    return {
        split: replace(table, count=None, rows=partial(_rows, table, characters), text=True)
        for split, table in tables.items()
    }


def with_legend(tables: dict[str, Table], legend: Legend | None) -> dict[str, Table]:
    """Gives the tables of text the characters of their levels: those of the legend, then those that it may lack.

    Args:
        tables: the splits of a source. Tables of no text are given back as they are.
        legend: the legend, if there is one.

    Raises:
        ValueError: the maps have no two different characters, or too many.
    """
    if not all(table.text for table in tables.values()):
        return tables
    characters = legend.characters if legend else ""
    if legend is None or legend.open:
        found = {character for table in tables.values() for row in table.rows() for character in _sound(row)}
        characters += "".join(sorted(found.difference(characters)))
        if characters:  # otherwise no map is sound, which its reader says
            check_characters(characters, "the text")
    return {split: replace(table, legend=characters) for split, table in tables.items()}


def legend_notes(characters: str, legend: Legend | None) -> list[str]:
    """Says where the characters of the levels come from."""
    if legend is None:
        return [f"no legend: levels are the characters found, by code point: {characters!r}"]
    notes = [f"levels are the characters of {legend.source}: {characters!r}"]
    if added := characters[len(legend.characters) :]:
        notes.append(f"{legend.source} lacks characters of the maps, which are added as the last levels: {added!r}")
    return notes


def _rows(table: Table, legend: str | None) -> Iterator[Row]:
    """Gives the maps of files."""
    for row in table.rows():
        assert isinstance(row.content, Path)
        maps = read_maps(row.content, legend)
        for number, one in enumerate(maps or [TextMap(())], 1):
            yield row._replace(name=f"{row.name}, map {number}" if len(maps) > 1 else row.name, content=one)


def _sound(row: Row) -> str:
    """Gives the characters of a row if they are a map."""
    assert isinstance(row.content, TextMap)
    try:
        row.content.check()
    except ValueError:
        return ""
    return "".join(row.content.lines)


def _look_like_maps(files: list[Path]) -> bool:
    """Tells whether most files consist of blocks of several lines of one width."""
    found = [_looks_like_maps(file) for file in islice(files, LOOKED_AT)]
    return 2 * sum(found) > len(found)


def _looks_like_maps(file: Path) -> bool:
    maps = read_maps(file, None)
    return bool(maps) and all(len(one.lines) > 1 and len(set(map(len, one.lines))) == 1 for one in maps)
