"""Degradations: what is left of an image where parts of it are erased, or its details, colours or levels are lost.

A model that is trained to draw images given what is left of them restores such images. A degradation depends on nothing
but the image and a generator of random numbers, and comes to the same on every machine: all that decides a level is
reckoned in whole numbers.

Shapes: C colours, H rows, W columns, F the factor of lowres; V levels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelseq.data.erasing import draw_unknown
from pixelseq.imaging.levels import quantise
from pixelseq.model.condition import spread
from pixelseq.model.config import MASK
from pixelseq.pixel_format import PixelFormat

MAX_LEVELS = 256
"""The most levels of images that are degraded: they are bytes."""
EDGE_LEVELS = 4
"""The levels of an edge: 0 where the image is even, the highest one beside a straight step from black to white."""
FACTORS, POSTERIZED = range(2, 65), range(2, MAX_LEVELS)
"""What F of lowres and V of posterize can be."""
CHOICES = "mask, lowres:F (F from 2 to 64), gray, edges, noise:P (0 < P < 1), posterize:V (V from 2 to 255)"
LUMA = (299, 587, 114)
"""Thousandths of red, green and blue in gray (ITU-R Recommendation BT.601)."""

Levels = NDArray[np.uint8]
"""[C, H, W]."""


class Step(Protocol):
    """One of the degradations that are applied one after another."""

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        """Gives the format of what it makes of images of a format; ValueError where they do not suit it."""

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        """Makes a new image [C', H, W] of an image [C, H, W] of a format that suits it."""


@dataclass(frozen=True)
class Degradation:
    """One degradation, or several that are applied from left to right: each sees what the one before has left.

    - mask: parts are unknown, and hold level 0; which, `pixelseq.data.erasing` draws. It comes last.
    - lowres:F: each box of FxF pixels, from the top left on, is its mean; boxes at the lower and right border are
      smaller where F does not divide the sides.
    - gray: one colour, the luma of red, green and blue.
    - edges: how steep the gray image is (Sobel), in `EDGE_LEVELS` levels.
    - noise:P: each value of each colour is drawn anew from all levels with probability P.
    - posterize:V: the nearest of V levels.
    """

    name: str
    """As it was written: lowres:2, or gray+posterize:4."""
    steps: tuple[Step, ...] = field(repr=False)
    """All but mask."""
    masks: bool = field(repr=False)
    """Whether parts are unknown."""

    @classmethod
    def parse(cls, text: str) -> Degradation:
        """Makes the degradation of a text, such as lowres:2 or gray+posterize:4.

        Raises:
            ValueError: there is no such degradation.
        """
        *first, last = text.split("+")
        if MASK in first:
            raise ValueError(f"the degradation is {text!r}; mask comes last")
        masks = last == MASK
        steps = tuple(_step(part) for part in (first if masks else [*first, last]))
        if sum(isinstance(step, LowRes) for step in steps) > 1:
            raise ValueError(f"the degradation is {text!r}; lowres is expected once")
        return cls(text, steps, masks)

    @property
    def factor(self) -> int:
        """F, where each box of FxF pixels is of one colour, so that a picture of the result can be F times smaller per
        side; else 1. That is so where lowres is the last step that does not work pixel by pixel, and all is known."""
        if self.masks:
            return 1
        for step in reversed(self.steps):
            if isinstance(step, LowRes):
                return step.factor
            if not isinstance(step, Gray | Posterize):
                break
        return 1

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        """Gives the format of what is left of images of a format.

        Raises:
            ValueError: such images cannot be degraded so.
        """
        if pixel_format.levels > MAX_LEVELS:
            raise ValueError(
                f"the images have {pixel_format.levels} levels; those of at most {MAX_LEVELS} are degraded"
            )
        for step in self.steps:
            pixel_format = step.format_of(pixel_format)
        return pixel_format

    def __call__(self, image: Tensor, pixel_format: PixelFormat, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Degrades an image.

        Args:
            image: [C, H, W], uint8, its levels.
            pixel_format: its format, one that `format_of` takes.
            random: what is drawn at random is drawn of it.

        Returns:
            What is left: levels [C', H, W], uint8, and what is known of them [H, W], bool.
        """
        _, H, W = image.shape
        levels = image.numpy()
        for step in self.steps:
            levels, pixel_format = step(levels, pixel_format, random), step.format_of(pixel_format)
        if not self.masks:
            return torch.from_numpy(levels), torch.ones(H, W, dtype=torch.bool)
        known = ~draw_unknown(H, W, random)
        return torch.from_numpy(levels * known), torch.from_numpy(known)


def shrunk(image: Tensor, factor: int) -> Tensor:
    """Makes an image smaller: each box of FxF pixels becomes one pixel, its mean rounded half up.

    Args:
        image: [C, H, W], levels.
        factor: F; boxes at the lower and right border are smaller where it does not divide H and W.

    Returns:
        [C, ceil(H / F), ceil(W / F)], uint8.
    """
    H, W = image.shape[1:]
    rows, columns = np.arange(0, H, factor), np.arange(0, W, factor)
    sums = np.add.reduceat(np.add.reduceat(image.numpy(), rows, 1, np.int32), columns, 2)
    sizes = (np.minimum(H - rows, factor)[:, None] * np.minimum(W - columns, factor)).astype(np.int32)
    return torch.from_numpy(((2 * sums + sizes) // (2 * sizes)).astype(np.uint8))


@dataclass(frozen=True)
class LowRes:
    """The means of boxes."""

    factor: int

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        _check_ordered(pixel_format, "the mean")
        return PixelFormat(pixel_format.channels, pixel_format.levels)

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        _, H, W = levels.shape
        large = spread(shrunk(torch.from_numpy(levels), self.factor), self.factor)
        return large[:, :H, :W].contiguous().numpy()


@dataclass(frozen=True)
class Gray:
    """Colours as one."""

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        _check_ordered(pixel_format, "the gray")
        if pixel_format.channels == 1:
            raise ValueError("gray is for images of colours; those of 1 channel are gray already")
        _check_colours(pixel_format, "gray", (3, 4))
        return PixelFormat(1, pixel_format.levels)

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        red, green, blue = levels[:3].astype(np.int32)  # the fourth of RGBA, transparency, is left out
        r, g, b = LUMA
        return ((r * red + g * green + b * blue + 500) // 1000).astype(np.uint8)[None]


@dataclass(frozen=True)
class Edges:
    """How steep images are, in place of what they show."""

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        _check_ordered(pixel_format, "the edges")
        _check_colours(pixel_format, "edges", (1, 3, 4))
        return PixelFormat(1, EDGE_LEVELS)

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        gray = levels if len(levels) == 1 else Gray()(levels, pixel_format, random)
        padded = np.pad(gray[0].astype(np.int32), 1, mode="edge")
        along = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        across = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        square = (along[2:] - along[:-2]) ** 2 + (across[:, 2:] - across[:, :-2]) ** 2
        # A step of the full range has magnitude m = 4 (V - 1), and the level is (EDGE_LEVELS - 1) m / (4 (V - 1)),
        # rounded half up: k or more where (EDGE_LEVELS - 1) m >= (2 k - 1) * 2 (V - 1). Squares need no root.
        bounds = (2 * np.arange(1, EDGE_LEVELS) - 1) * 2 * (pixel_format.levels - 1)
        return np.searchsorted(bounds**2, (EDGE_LEVELS - 1) ** 2 * square, side="right").astype(np.uint8)[None]


@dataclass(frozen=True)
class Noise:
    """Values that are drawn anew."""

    probability: float

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        return pixel_format

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        anew = random.random(levels.shape) < self.probability
        return np.where(anew, random.integers(pixel_format.levels, size=levels.shape, dtype=np.uint8), levels)


@dataclass(frozen=True)
class Posterize:
    """Fewer levels."""

    levels: int

    def format_of(self, pixel_format: PixelFormat) -> PixelFormat:
        _check_ordered(pixel_format, "a coarser scale")
        if self.levels >= pixel_format.levels:
            raise ValueError(f"posterize:{self.levels} is for more levels than it leaves; it gets {pixel_format}")
        return PixelFormat(pixel_format.channels, self.levels)

    def __call__(self, levels: Levels, pixel_format: PixelFormat, random: np.random.Generator) -> Levels:
        return quantise(levels, self.levels, pixel_format.levels - 1)


def _step(text: str) -> Step:
    """Makes the step of a text, any but mask; ValueError where there is none."""
    name, colon, number = text.partition(":")
    if not colon and name in ("gray", "edges"):
        return Gray() if name == "gray" else Edges()
    if name == "noise" and re.fullmatch(r"[0-9]{0,9}\.?[0-9]{1,20}(e-?[0-9]{1,3})?", number) and 0 < float(number) < 1:
        return Noise(float(number))
    if re.fullmatch("[0-9]{1,9}", number):
        if name == "lowres" and int(number) in FACTORS:
            return LowRes(int(number))
        if name == "posterize" and int(number) in POSTERIZED:
            return Posterize(int(number))
    raise ValueError(f"there is no degradation {text!r}; choose from {CHOICES}, or several joined by +")


def _check_ordered(pixel_format: PixelFormat, what: str) -> None:
    if not pixel_format.ordered:
        raise ValueError(f"{what} of tiles, or of other levels without an order, means nothing; use mask or noise:P")


def _check_colours(pixel_format: PixelFormat, name: str, channels: tuple[int, ...]) -> None:
    if pixel_format.channels not in channels:
        expected = f"{', '.join(map(str, channels[:-1]))} or {channels[-1]} channels"
        raise ValueError(f"{name} is for images of {expected}; it gets {pixel_format}")
