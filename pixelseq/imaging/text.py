"""Images as text: a character for each level, as tile maps are commonly written. H rows, W columns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.files import atomic_write

TEXT = ".txt"
"""How the names of text maps end."""
UNDECODED = "\N{REPLACEMENT CHARACTER}"
"""What bytes that are not UTF-8 are read as."""


@dataclass(frozen=True)
class TextMap:
    """A map of H lines of W characters, as it was found: nothing is checked beforehand."""

    lines: tuple[str, ...]
    first_line: int = 1
    """The number of its first line in the file that it comes from."""

    def check(self) -> None:
        """Raises ValueError, which names line and column, where the lines are no map for any legend."""
        W = len(self.lines[0]) if self.lines else 0
        if W == 0:
            raise ValueError("it has no characters; a map has at least one line of them")
        for number, line in enumerate(self.lines, self.first_line):
            if len(line) != W:
                raise ValueError(
                    f"line {number} has {len(line)} characters and line {self.first_line} has {W}; "
                    "the lines of a map are of one width"
                )
            if not line.isprintable() or UNDECODED in line:
                k = next(k for k, one in enumerate(line) if not one.isprintable() or one == UNDECODED)
                what = "is not UTF-8" if line[k] == UNDECODED else f"is U+{ord(line[k]):04X}, which is not printable"
                raise ValueError(f"line {number}, column {k + 1} {what}; tiles are printable characters in UTF-8")

    def levels(self, legend: str, known: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Gives the level of each character.

        Args:
            legend: a character for each level.
            known: [H, W]; the other tiles may be any characters, which are level 0 where the legend lacks them.

        Returns:
            [1, H, W].

        Raises:
            ValueError: the lines are no map, or the legend lacks one of their characters.
        """
        self.check()
        characters = _code_points("".join(self.lines)).reshape(len(self.lines), -1)
        tiles = _code_points(legend)
        order = tiles.argsort()
        levels = order[np.searchsorted(tiles, characters, sorter=order).clip(max=len(tiles) - 1)]
        foreign = tiles[levels] != characters
        if (wrong := foreign if known is None else foreign & known).any():
            i, j = np.argwhere(wrong)[0].tolist()
            raise ValueError(
                f"line {self.first_line + i}, column {j + 1}: {self.lines[i][j]!r} is no tile of the legend {legend!r}"
            )
        return np.where(foreign, 0, levels).astype(np.uint8)[None]


def read_maps(path: Path, legend: str | None) -> list[TextMap]:
    """Reads the maps of a text file in UTF-8, which empty lines divide.

    Args:
        path: the file.
        legend: as in `split_maps`.

    Raises:
        FileNotFoundError: no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    return split_maps(path.read_bytes().decode("utf-8-sig", errors="replace"), legend)


def split_maps(text: str, legend: str | None) -> list[TextMap]:
    """Divides a text into maps, where lines are empty.

    Args:
        text: lines that end as on any system.
        legend: a character for each level, if it is known. A legend without the space has none at the ends of lines:
            there they are dropped.
    """
    numbered = list(enumerate(text_lines(text, legend), 1))
    groups = [list(group) for empty, group in groupby(numbered, lambda one: not one[1]) if not empty]
    return [TextMap(tuple(line for _, line in group), group[0][0]) for group in groups]


def text_lines(text: str, legend: str | None) -> list[str]:
    """Divides a text into its lines, without their ends and, as in `split_maps`, spaces there."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if legend is None or " " in legend else [line.rstrip(" ") for line in lines]


def check_text(pixel_format: PixelFormat) -> None:
    """Raises ValueError where images of this format cannot be text."""
    if pixel_format.legend is None:
        raise ValueError(
            "the model has no legend, so its images cannot be text; put one into its config.json, one character "
            'per level, such as "legend": "-#o" for 3 levels'
        )
    if pixel_format.channels != 1:
        raise ValueError(f"text has one character per pixel; the model has {pixel_format.channels} channels")


def to_text(image: Tensor, pixel_format: PixelFormat) -> str:
    """Writes an image of levels [1, H, W] as H lines of W characters.

    Raises:
        ValueError: a format that cannot be text.
    """
    check_text(pixel_format)
    legend = pixel_format.legend
    assert legend is not None
    return "".join("".join(legend[level] for level in row) + "\n" for row in image[0].tolist())


def save_text(text: str, path: Path) -> None:
    """Writes a text, whole or not at all."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
