"""Partial pictures: a file, the part of it that is known, and completions of it in the file's own values.

Shapes: C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixelseq.imaging.levels import shades
from pixelseq.imaging.masks import opaque
from pixelseq.imaging.pictures import check_mode, check_pictures, levels_of, to_picture
from pixelseq.imaging.read import MODES, open_picture
from pixelseq.pixel_format import PixelFormat

TOPS = {"1": 1, "L": 255, "LA": 255, "I;16": 65535, "RGB": 255, "RGBA": 255}
"""The highest value of a colour in a picture of each mode."""
ALPHA_MODES = {1: ("LA",), 3: ("RGBA",), 4: ()}
"""Modes of C colours and an alpha channel that is none of them."""

KEYED_MODES = ("1", "L", "RGB")
"""Modes of pictures in which one colour can stand for transparent pixels."""


@dataclass(frozen=True)
class PartialPicture:
    """A picture of which a part is known."""

    path: Path
    pixel_format: PixelFormat
    """The format of what the model draws."""
    known: Tensor
    """bool [H, W], True where a pixel is known."""
    levels: Tensor
    """uint8 [C, H, W], what the model sees where the picture is known."""
    values: NDArray[np.integer]
    """The file's own values, [H, W, C], or [H, W, C + 1] with an alpha channel."""
    top: int
    """The highest value that the file can hold."""
    see_through: bool = False
    """Whether known pixels are transparent, and the model sees them white."""

    @property
    def note(self) -> str | None:
        """What the user should know of how the picture is read, in one line."""
        if not self.pixel_format.ordered:
            return None
        C, V = self.pixel_format.channels, self.pixel_format.levels
        if self.see_through:
            return (
                f"{self.path} has transparent pixels: the model sees white, and known ones keep the file's own colours"
            )
        if self.top + 1 < V:
            return (
                f"{self.path} has {self.top + 1} shades and the model {V} levels: drawn pixels take the nearest shade"
            )
        if (self._as_values(self.levels) != self.values[..., :C])[self.known].any():
            return (
                f"{self.path} has more shades than the model's {V} levels: the model sees the nearest level, "
                "and known pixels keep the file's own shades"
            )
        return None

    def filled(self, completion: Tensor) -> Image.Image:
        """Fills the picture with a completion where it is unknown.

        Args:
            completion: levels [C, H, W].

        Returns:
            A picture of the file's size, colours and bit depth. Levels without an order are filled in the colours of
            the palette, which are the file's own.
        """
        if not self.pixel_format.ordered:
            return to_picture(completion, self.pixel_format)
        filled = np.full_like(self.values, self.top)  # opaque
        filled[..., : len(completion)] = self._as_values(completion)
        filled[self.known] = self.values[self.known]
        if self.top == 1:
            filled = filled.astype(bool)
        return Image.fromarray(filled[..., 0] if filled.shape[-1] == 1 else filled)

    def _as_values(self, levels: Tensor) -> NDArray[np.integer]:
        """Gives levels [C, H, W] in the file's values [H, W, C]."""
        return shades(self.pixel_format.levels, self.top)[levels.long()].permute(1, 2, 0).numpy()


def read_partial(path: Path, pixel_format: PixelFormat, known: Callable[[Image.Image], Tensor]) -> PartialPicture:
    """Reads a picture of which a part is known.

    Args:
        path: a picture in the channels of the model; a gray one may have 1, 8 or 16 bits.
        pixel_format: the format of what the model draws.
        known: gives the mask [H, W] of a picture; `opaque` reads it from the picture's own alpha channel, which then is
            no part of what the picture looks like.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, other channels, or known pixels in a colour that no level without an order has.
    """
    check_pictures(pixel_format)
    picture = open_picture(path)
    mask = known(picture)
    seen = picture
    if known is opaque:
        _check_alpha_mode(picture, path, pixel_format)
        seen = _without_alpha(picture, pixel_format)
    else:
        check_mode(picture, path, pixel_format)
    levels = levels_of(seen, path, pixel_format, mask)
    if not pixel_format.ordered:
        return PartialPicture(path, pixel_format, mask, levels, np.array(seen.convert("RGB")), TOPS["RGB"])
    values = np.array(picture)
    values = values.astype(np.uint8) if picture.mode == "1" else values
    values = values.reshape(picture.height, picture.width, -1)
    see_through = (
        picture.mode in KEYED_MODES and picture.has_transparency_data and bool((mask & ~opaque(picture)).any())
    )
    return PartialPicture(path, pixel_format, mask, levels, values, TOPS[picture.mode], see_through)


def _check_alpha_mode(picture: Image.Image, path: Path, pixel_format: PixelFormat) -> None:
    C = pixel_format.channels
    if pixel_format.ordered and picture.mode not in (modes := ALPHA_MODES[C]):
        expected = f"mode {modes[-1]}" if modes else "no alpha channel besides its fourth colour"
        raise ValueError(f"{path} is a picture of mode {picture.mode}; the model has {C} channels ({expected})")


def _without_alpha(picture: Image.Image, pixel_format: PixelFormat) -> Image.Image:
    """Drops the alpha channel of a picture, so that nothing is laid under its colours."""
    mode = MODES[pixel_format.channels] if pixel_format.ordered else "RGB"
    return Image.merge(mode, picture.convert("LA" if mode == "L" else "RGBA").split()[:-1])
