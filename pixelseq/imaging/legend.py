"""Legends: files that say which character stands for each level of the maps beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelseq.imaging.levels import SHADES
from pixelseq.pixel_format import PixelFormat

LEGEND = "legend.json"
MAX_BYTES = 2**20
"""The size of the largest JSON file of another name that is looked into."""


@dataclass(frozen=True)
class Legend:
    """A character for each level."""

    characters: str
    source: str
    """Where it comes from, for messages."""
    open: bool = False
    """Whether maps may have more characters: legends in the form of The VGLC lack some of their own maps'."""


def find_legend(data: Path, any_name: bool = False) -> tuple[Legend | None, tuple[str, ...]]:
    """Finds the legend of a file or folder of data: in its folder, or in the one above.

    Args:
        data: the file NAME.EXTENSION or the folder NAME. legend.json holds {"NAME": {"tiles": [a character for each
            level]}}, or {"tiles": ...} for all that lies beside it. In the form of The VGLC, "tiles" is an object whose
            keys are the characters.
        any_name: whether a JSON file of another name may be a legend, too, where it is in the form of The VGLC.

    Returns:
        The legend, or None; and a note where legend.json is for other data.

    Raises:
        ValueError: legend.json is not of that form, or several files are legends.
    """
    data = data.absolute()
    folder, name = (data, data.name) if data.is_dir() else (data.parent, data.stem)
    notes: list[str] = []
    for place in (folder, folder.parent):
        if (path := place / LEGEND).is_file():
            legends = _read(path)
            if legend := _legend(path, legends) or _of_name(path, legends, name):
                return legend, tuple(notes)
            notes.append(f"{path} has no legend for {name}, only for {', '.join(legends)}")
        if any_name and (legend := _of_the_vglc(place)):
            return legend, tuple(notes)
    return None, tuple(notes)


def check_characters(characters: str, source: str) -> None:
    """Raises ValueError where characters cannot be a legend: 2 to 256 that are printable and all different."""
    if not 2 <= len(characters) <= SHADES:
        raise ValueError(f"{source} has {len(characters)} characters; 2 to {SHADES} different ones can be levels")
    try:
        PixelFormat(levels=len(characters), legend=characters)
    except ValueError as error:
        raise ValueError(f"{source} is no legend: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        legends = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(legends, dict):
        raise ValueError(f"{path} is a JSON {type(legends).__name__}; expected an object")
    return legends


def _of_name(path: Path, legends: dict[str, Any], name: str) -> Legend | None:
    if name not in legends:
        return None
    if legend := _legend(path, legends[name]):
        return legend
    raise ValueError(f'{path} has no "tiles" of one character per level for {name}; expected {{"tiles": ["#", ...]}}')


def _of_the_vglc(folder: Path) -> Legend | None:
    """Finds the one JSON file in a folder that is a legend in the form of The VGLC."""
    found = []
    for path in sorted(folder.glob("*.json")):
        if path.name == LEGEND or not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        try:
            legend = _legend(path, _read(path))
        except ValueError:  # it describes something else
            continue
        if legend is not None and legend.open:
            found.append(legend)
    if len(found) > 1:
        raise ValueError(f"{' and '.join(legend.source for legend in found)} are both legends; name one {LEGEND}")
    return found[0] if found else None


def _legend(path: Path, value: Any) -> Legend | None:
    match value:
        case {"tiles": list() | dict() as tiles} if tiles and all(isinstance(t, str) and len(t) == 1 for t in tiles):
            characters = "".join(tiles)
            check_characters(characters, str(path))
            return Legend(characters, str(path), open=isinstance(tiles, dict))
    return None
