"""Partial text maps: a file, and the part of it that is known. H rows, W columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.extension import Extension
from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.pictures import check_pictures, to_picture
from pixelseq.imaging.text import TextMap, check_text, read_maps
from pixelseq.pixel_format import PixelFormat

UNKNOWN = "?"
"""Marks what is unknown, in a map or in a mask."""


@dataclass(frozen=True)
class PartialText:
    """A text map of which a part is known."""

    path: Path
    """Its file; the maps of a file NAME.txt of several are called NAME-1.txt, NAME-2.txt and so on."""
    pixel_format: PixelFormat
    """The format of what the model draws."""
    known: Tensor
    """bool [H, W], True where a tile is known."""
    levels: Tensor
    """uint8 [1, H, W], what the model sees where the map is known."""
    note: str | None = None
    """What the user should know of how it is read; text is read as it is."""

    def filled(self, completion: Tensor) -> Image.Image:
        """Draws a completion [1, H, W] as a picture of its own size."""
        return to_picture(completion, self.pixel_format)

    def extended(self, extension: Extension, max_pixels: int = MAX_PIXELS) -> PartialText:
        """Gives the map with unknown tiles beyond its borders, as `PartialPicture.extended` does."""
        try:
            known = extension.around(self.known, max_pixels)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
        return replace(self, known=known, levels=extension.around(self.levels, max_pixels))


def read_partial_text(
    path: Path,
    pixel_format: PixelFormat,
    known: Callable[[Image.Image], Tensor] | None,
    unmarked: bool = False,
) -> list[PartialText]:
    """Reads the maps of a text file, of which parts are known.

    Args:
        path: a text file of one map or several.
        pixel_format: the format of what the model draws, with a legend.
        known: gives the mask [H, W] of a picture of W columns and H rows; by default the map says itself what is
            unknown, by `UNKNOWN`.
        unmarked: whether a map may mark nothing; all of it is then known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no text map, a known tile that the legend lacks, a format that is no text, or where a map must mark
            something, nothing that is marked or a legend that has the mark.
    """
    check_text(pixel_format)
    check_pictures(pixel_format)
    assert pixel_format.legend is not None
    if known is None and UNKNOWN in pixel_format.legend and not unmarked:
        raise ValueError(
            f"{UNKNOWN} is a tile of the model's legend {pixel_format.legend!r} and cannot mark what is unknown; "
            "say what is known by `mask`, `known_rows`, `known_cols` or `box`"
        )
    mark = None if UNKNOWN in pixel_format.legend else UNKNOWN
    maps = read_maps(path, pixel_format.legend) or [TextMap(())]
    found = []
    for number, one in enumerate(maps, 1):
        try:
            one.check()
            if known is not None:
                mask = known(Image.new("1", (len(one.lines[0]), len(one.lines))))
            else:
                mask = ~_equal(one, mark) if unmarked else _unmarked(one)
            levels = torch.from_numpy(one.levels(pixel_format.legend, mask.numpy()))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        name = path if len(maps) == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        found.append(PartialText(name, pixel_format, mask, levels))
    return found


def read_text_mask(path: Path) -> Tensor:
    """Reads a text as a mask [H, W]: ? is unknown and all else known, or in a text of 0 and 1 alone, 1 is known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no text of one map, or one without ? that is not of 0 and 1.
    """
    maps = read_maps(path, None)
    if len(maps) != 1:
        raise ValueError(f"{path} holds {len(maps)} maps; a mask is one")
    try:
        maps[0].check()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if any(UNKNOWN in line for line in maps[0].lines):
        return _unmarked(maps[0])
    if not set("".join(maps[0].lines)) <= {"0", "1"}:
        raise ValueError(f"{path} marks nothing as unknown; a mask has {UNKNOWN} there, or is of 0 (unknown) and 1")
    return _equal(maps[0], "1")


def _unmarked(one: TextMap) -> Tensor:
    mask = ~_equal(one, UNKNOWN)
    if mask.all():
        raise ValueError(
            f"no {UNKNOWN} marks what is unknown; put some there, or say what is known by `known_rows`, "
            "`known_cols`, `box` or `mask`"
        )
    return mask


def _equal(one: TextMap, character: str | None) -> Tensor:
    return torch.from_numpy(np.array([[tile == character for tile in line] for line in one.lines]))
