"""Finds the rows of pictures or grids behind a path or a hub id, in splits; nothing is decoded here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pixelseq.data import archives, arrays, folders, tables, texts
from pixelseq.data.files import files_below, is_picture, left_out, stamp
from pixelseq.data.json_files import load_json
from pixelseq.data.options import BUNDLED, DataOptions
from pixelseq.data.rows import Row, Table
from pixelseq.data.splits import ALL, split_of
from pixelseq.data.table_files import load_hub, saved_files
from pixelseq.imaging.legend import LEGEND, Legend, find_legend
from pixelseq.imaging.text import TEXT

SAVED = ("dataset_dict.json", "state.json")
"""The files that datasets' save_to_disk leaves at the top of its folder."""


@dataclass(frozen=True)
class Source:
    """Images that have not been read yet."""

    fingerprint: Any
    """JSON that changes whenever the source does."""
    open: Callable[[], dict[str, Table]]
    """Gives the table of each split, by the split's own name; raises ValueError where it cannot be read."""
    has_columns: bool = False
    """Whether the images are a column of a table, which the user can name, and whose rows may name files."""
    has_arrays: bool = False
    """Whether the images are in arrays, whose shape the user can give."""
    legend: Legend | None = None
    """The characters of the levels, where maps have a legend."""
    notes: tuple[str, ...] = ()
    """What is not read, and what was decided for the user, one line each."""


@dataclass(frozen=True)
class Kind:
    """Files that are read alike."""

    noun: str
    """What one of them is called."""
    open: Callable[[Path, list[Path], DataOptions], Source]
    """Gives the source of such files, below a path or the one at it."""
    endings: tuple[str, ...] = ()
    """The endings of their names."""
    in_folders: bool = True
    """Whether folders of them are read, too, not one alone."""


def find(options: DataOptions, legend: str | None = None) -> Source:
    """Finds the source that `options.data` names: a path where there is one, a hub id otherwise.

    Args:
        options: the options of the data set.
        legend: the characters of a model's levels, for text maps; by default the legend beside them, if any.

    Raises:
        ValueError: it is neither, nothing at the path can be read, or it does not have the columns that are named.
    """
    given = None if legend is None else Legend(legend, "the model")
    if options.path.exists():
        source = _text(options.path, given) or _local(options.path, options, given)
        if not source.has_columns:
            options.check_no_columns()
        if not source.has_arrays:
            options.check_no_shape()
        return source
    if any(mark in options.data for mark in "*?["):
        raise ValueError(f"no data set {options.data!r}; give the folder of the files, whose other files are left out")
    if not is_hub_id(options.data):
        raise ValueError(
            f"no data set {options.data!r}; choose from {', '.join(BUNDLED)}, or give the path of a file or "
            "folder, or a hub id owner/name"
        )
    options.check_no_shape()
    splits, commit = load_hub(options.data)
    return Source([options.data, commit], partial(tables.of_datasets, splits, options), has_columns=True, legend=given)


def is_hub_id(name: str) -> bool:
    """Tells whether a name that is no path can be a hub id; if its owner is a folder here, it is a mistyped path."""
    match = re.fullmatch(r"([\w-][\w.-]*)/[\w.-]+", name)
    return match is not None and not Path(match[1]).exists()


def data_files(path: Path) -> tuple[str, list[Path], list[str]]:
    """Gives the kind of the files that are read at a path, the files, and notes on those that are not read.

    Raises:
        ValueError: there are no such files, or files of several kinds.
    """
    if path.is_file():
        if path.name == LEGEND:
            raise ValueError(f"{path} is a legend; give the maps that it is for, or their folder")
        if (kind := kind_of(path)) is None:
            raise ValueError(f"{path} is no file of images; expected a picture, {TEXT}, {_endings(KINDS.values())}")
        return kind, [path], []
    files, notes = files_below(path)
    kinds = {file: kind for file in files if (kind := kind_of(file)) and KINDS[kind].in_folders}
    found = set(kinds.values())
    for describing in ("json", "array"):  # beside other data they describe them
        if len(found) > 1:
            found.discard(describing)
    if len(found) > 1:
        raise ValueError(f"{path} holds both {' and '.join(sorted(found))} files; name one of them")
    if not found:
        expected = _endings(kind for kind in KINDS.values() if kind.in_folders)
        raise ValueError(f"the folder {path} holds no images: no pictures, and no {TEXT}, {expected}")
    (kind,) = found
    others = [file for file in files if kinds.get(file) != kind and file.name != LEGEND]
    return kind, [file for file in files if kinds.get(file) == kind], [*notes, *left_out(others, KINDS[kind].noun)]


def split_files(path: Path, files: list[Path]) -> dict[str, list[str]]:
    """Gives the files of each split, by the names that they have below a path.

    Raises:
        ValueError: some are named for a split and others are not.
    """
    if path.is_file():
        return {split_of(path.name) or ALL: [str(path)]}
    named: dict[str, list[str]] = {}
    for file in files:
        named.setdefault(split_of(file.relative_to(path).as_posix()) or ALL, []).append(str(file))
    if ALL in named and len(named) > 1:
        raise ValueError(f"{named[ALL][0]} is named for no split (train, validation, test) but others in {path} are")
    return named


def kind_of(file: Path) -> str | None:
    """Gives the kind of a file in `KINDS`, by the ending of its name, or of a picture by its first bytes."""
    if file.name == LEGEND:
        return None
    by_ending = next((name for name, kind in KINDS.items() if file.suffix.lower() in kind.endings), None)
    return by_ending or ("picture" if is_picture(file) else "array" if arrays.is_array_file(file) else None)


def _text(path: Path, given: Legend | None) -> Source | None:
    """Gives the source of a text file or of a folder of text maps, None for others."""
    notes: tuple[str, ...] = ()
    if path.is_file():
        maps = [path] if path.suffix.lower() == TEXT else []
    else:
        files, walked = files_below(path)
        pictures = [file for file in files if kind_of(file) == "picture"]
        tabular = [file for file in files if kind_of(file) in ("parquet", "arrow", "json")]
        maps, found = texts.find_maps(path, files, pictures, tabular)
        notes = (*walked, *found)
        # JSON beside maps describes them.
        if maps and (others := [file for file in tabular if file.suffix.lower() != ".json"]):
            raise ValueError(f"{path} holds both text maps and tables such as {others[0]}; name one of them")
    if not maps:
        return None
    legend, legend_notes = (given, ()) if given else find_legend(path, any_name=True)
    folder = path.parent if path.is_file() else path
    opened = partial(texts.of_files, folder, maps, legend)
    return Source(stamp(maps), opened, legend=legend, notes=(*notes, *legend_notes))


def _local(path: Path, options: DataOptions, given: Legend | None) -> Source:
    if any((path / name).exists() for name in SAVED):
        source = Source(
            stamp(files_below(path).files),
            lambda: tables.of_files("arrow", saved_files(path), options),
            has_columns=True,
        )
    else:
        kind, files, notes = data_files(path)
        source = KINDS[kind].open(path, files, options)
        source = replace(source, notes=(*source.notes, *notes))
        if kind in ("picture", "zip"):
            return source
    legend, legend_notes = (given, ()) if given else find_legend(path)
    return replace(source, legend=legend, notes=(*source.notes, *legend_notes))


def _pictures(path: Path, files: list[Path], options: DataOptions) -> Source:
    if path.is_dir():
        return Source(stamp(files), partial(folders.of_pictures, path, files))
    return Source(stamp(files), lambda: {ALL: Table(1, partial(iter, [Row(path.name, path, 0)]))})


def _archive(path: Path, files: list[Path], options: DataOptions) -> Source:
    pictures, notes = archives.list_pictures(path)
    return Source(stamp(files), partial(folders.of_archive, path, pictures), notes=tuple(notes))


def _arrays(path: Path, files: list[Path], options: DataOptions) -> Source:
    found = arrays.find(path, files, options)
    return Source(stamp(found.files), lambda: found.tables, has_arrays=True, notes=tuple(found.notes))


def _table(kind: str, path: Path, files: list[Path], options: DataOptions) -> Source:
    return Source(stamp(files), partial(tables.of_files, kind, split_files(path, files), options), has_columns=True)


def _json(path: Path, files: list[Path], options: DataOptions) -> Source:
    splits = split_files(path, files)
    return Source(stamp(files), lambda: tables.of_datasets(load_json(splits), options), has_columns=True)


KINDS = {
    "picture": Kind("picture", _pictures),
    "zip": Kind(".zip of pictures", _archive, (".zip",), in_folders=False),
    "array": Kind("array", _arrays, arrays.ENDINGS),
    "parquet": Kind("parquet file", partial(_table, "parquet"), (".parquet",)),
    "arrow": Kind("arrow file", partial(_table, "arrow"), (".arrow",)),
    "json": Kind("JSON file", _json, (".json", ".jsonl")),
}
"""The kinds of files that are read, by name; pictures and arrays are known by more than their endings."""


def _endings(kinds: Iterable[Kind]) -> str:
    return ", ".join(ending for kind in kinds for ending in kind.endings)
