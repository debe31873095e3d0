"""Pixels beyond the borders of an image. H rows, W columns."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

import torch.nn.functional as F
from torch import Tensor

from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.masks import grown


@dataclass(frozen=True)
class Extension:
    """How many pixels there are to be beyond each border of an image."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @classmethod
    def parse(cls, text: str) -> Extension:
        """Reads sides and pixels such as top=8,left=8.

        Raises:
            ValueError: it says something else, names a side twice, or a side has no pixels.
        """
        sides = [re.fullmatch(r" *(top|bottom|left|right)=0*([1-9][0-9]{0,99}) *", part) for part in text.split(",")]
        named = {side[1]: int(side[2]) for side in sides if side}
        if len(named) != len(sides):
            raise ValueError(
                f"`extend` is {text!r}; expected sides and pixels such as top=8,left=8, each of top, bottom, left and "
                "right at most once and by at least 1"
            )
        return cls(**named)

    def around(self, image: Tensor, max_pixels: int = MAX_PIXELS) -> Tensor:
        """Puts an image or a mask [..., H, W] where it is in the extended one; what is beyond is 0 or False.

        Raises:
            ValueError: the extended image has more than `max_pixels`.
        """
        H, W = image.shape[-2:]
        h, w = self.top + H + self.bottom, self.left + W + self.right
        if h * w > max_pixels:
            raise ValueError(
                f"`extend` makes {h}x{w} pixels (rows x columns) of {H}x{W}; `max_pixels` allows {max_pixels}"
            )
        return self._padded(image)

    def grown(self, known: Tensor, pixels: int) -> Tensor:
        """Gives the mask [H, W] into which the unknown, with what is beyond these borders, reaches so much farther.

        Raises:
            ValueError: fewer than 0 pixels.
        """
        H, W = known.shape
        near = Extension(*(min(side, max(0, pixels)) for side in astuple(self)))
        return grown(near._padded(known), pixels)[near.top : near.top + H, near.left : near.left + W]

    def _padded(self, image: Tensor) -> Tensor:
        return F.pad(image, (self.left, self.right, self.top, self.bottom))
