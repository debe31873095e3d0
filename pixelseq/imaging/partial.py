"""Partial pictures: a file, the part of it that is known, and completions of it in the file's own values.

Shapes: C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixelseq.imaging.pictures import check_pictures, levels_of, open_picture, shades, to_picture
from pixelseq.model.config import ModelConfig

TOPS = {"1": 1, "L": 255, "LA": 255, "I;16": 65535, "RGB": 255, "RGBA": 255}
"""The highest value of a colour in a picture of each mode."""
COLOUR_MODES = {1: ("1", "I;16", "L"), 3: ("RGB",), 4: ("RGBA",)}
ALPHA_MODES = {1: ("LA",), 3: ("RGBA",), 4: ()}
"""Modes of C colours and an alpha channel that is none of them."""


@dataclass(frozen=True)
class PartialPicture:
    """A picture of which a part is known."""

    path: Path
    config: ModelConfig
    known: Tensor
    """[H, W], bool."""
    levels: Tensor
    """[C, H, W], what the model sees where it is known: of each colour the nearest level."""
    values: NDArray[np.integer]
    """[H, W, C], or [H, W, C + 1] with an alpha channel: the file's own."""
    top: int
    """The highest value that the file can hold."""

    @property
    def note(self) -> str | None:
        """What the user should know of how the picture is read, in one line."""
        V = self.config.levels
        if self.config.pixels == "ordinal" and self.top + 1 < V:
            return (
                f"{self.path} has {self.top + 1} shades and the model {V} levels: drawn pixels take the nearest shade"
            )
        C = len(self.levels)
        if self.config.pixels == "ordinal" and (self._as_values(self.levels) != self.values[..., :C])[self.known].any():
            return (
                f"{self.path} has more shades than the model's {V} levels: the model sees the nearest level, "
                "and known pixels keep the file's own shades"
            )
        return None

    def filled(self, completion: Tensor) -> Image.Image:
        """The picture with a completion [C, H, W] where it is unknown: of the file's size, colours and bit depth.

        A picture of levels without an order is filled in the colours of the palette, which are the file's own.
        """
        if self.config.pixels == "categorical":
            return to_picture(completion, self.config.levels, "categorical")
        filled = np.full_like(self.values, self.top)  # opaque
        filled[..., : len(completion)] = self._as_values(completion)
        filled[self.known] = self.values[self.known]
        if self.top == 1:
            filled = filled.astype(bool)
        return Image.fromarray(filled[..., 0] if filled.shape[-1] == 1 else filled)

    def _as_values(self, levels: Tensor) -> NDArray[np.integer]:
        """Levels [C, H, W] in the file's values [H, W, C]."""
        return shades(self.config.levels, self.top)[levels].permute(1, 2, 0).numpy()


def read_partial(path: Path, config: ModelConfig, known: Callable[[Image.Image], Tensor]) -> PartialPicture:
    """Reads a picture of which a part is known.

    Args:
        path: a file that Pillow reads, in the channels of the model; a gray one may have 1, 8 or 16 bits.
        config: of the model.
        known: the mask [H, W] of a picture; `opaque` reads it from the picture's own alpha channel.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, other channels, or known pixels in a colour that no level without an order has.
    """
    C, V = config.channels, config.levels
    check_pictures(C, V, config.pixels)
    picture = open_picture(path)
    mask = known(picture)
    if config.pixels == "categorical":
        colours = picture.convert("RGB") if known is opaque else picture
        levels = levels_of(colours, path, C, V, "categorical", mask)
        return PartialPicture(path, config, mask, levels, np.array(colours.convert("RGB")), TOPS["RGB"])
    modes = ALPHA_MODES[C] if known is opaque else COLOUR_MODES[C]
    if picture.mode not in modes:
        expected = f"mode {modes[-1]}" if modes else "no alpha channel besides its fourth colour"
        raise ValueError(f"{path} is a picture of mode {picture.mode}; the model has {C} channels ({expected})")
    values = np.array(picture)
    values = values.astype(np.uint8) if picture.mode == "1" else values
    values = values.reshape(picture.height, picture.width, -1)
    top = TOPS[picture.mode]
    levels = torch.from_numpy((values[..., :C] * ((V - 1) / top)).round().astype(np.int64)).permute(2, 0, 1)
    return PartialPicture(path, config, mask, levels, values, top)


def opaque(picture: Image.Image) -> Tensor:
    """The known-mask [H, W] of a picture's alpha channel: what is more transparent than not is unknown.

    Raises:
        ValueError: no alpha channel.
    """
    if not picture.has_transparency_data:
        raise ValueError(f"a picture of mode {picture.mode} has no alpha channel that says what is known of it")
    return torch.from_numpy(np.array(picture.convert("RGBA").getchannel("A"))) >= 128
