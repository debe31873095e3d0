"""Pictures of more than 8 bits per value: which of their numbers are black and which white. H rows, W columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of one value of more than 8 bits per pixel: whole numbers of 32 bits, floating point, and 16 bits."""
SHADE_TOP, TOP = 255, 65535
"""White in 8 and in 16 bits."""
MOST_DARK = 2**14
"""Where all values are below this, pictures of 16 bits hold fewer, and the user is told."""
CLEAR = "transparency"
"""The entry of a picture's info that names the one value of transparent pixels."""
AT_ONCE = 2**20
"""The most values that are computed with at a time, so that a huge picture takes little memory beside itself."""


class Depth(NamedTuple):
    """What a picture of more than 8 bits holds."""

    bits: int
    largest: float
    values: int
    """The number of its values."""
    outside: int
    """The number of values below black or above white."""


def in_sixteen_bits(
    picture: Image.Image, value_range: tuple[float, float] | None, whole_top: int | None, white_is_zero: bool
) -> tuple[Image.Image, Depth]:
    """Turns a picture of one of `DEEP_MODES` into one of 16 bits, or of 8 where it holds no more.

    Args:
        picture: a picture as its file holds it.
        value_range: the values that are black and white; others between them are linear, those outside are clipped. By
            default 0 and 65535.
        whole_top: the white of whole numbers in 32 bits where no range is given, 255 or 65535; by default 255 where
            the picture has no larger one.
        white_is_zero: whether the file says that small values are bright.

    Returns:
        A picture of mode "L" where whole numbers in 32 bits are shades up to 255, of mode "I;16" otherwise, transparent
        where the picture was; the picture itself where it is such a one. And what the picture holds.

    Raises:
        ValueError: numbers that only a range gives a meaning, or that are none.
    """
    least, largest = _least_and_largest(picture)
    if value_range is None:
        if picture.mode == "F":
            raise ValueError("its pixels are floating-point numbers; say which are black and white with `range`")
        if least < 0 or largest > TOP:
            raise ValueError(f"its values go from {least} to {largest}; say which are black and white with `range`")
    bits = 32 if picture.mode in ("I", "F") else 16
    if picture.mode == "I;16" and value_range is None and not white_is_zero:
        return picture, Depth(bits, largest, picture.width * picture.height, outside=0)
    top = TOP if bits == 16 else whole_top or (SHADE_TOP if largest <= SHADE_TOP else TOP)
    low, high = value_range or (0, top)
    white = SHADE_TOP if value_range is None and top == SHADE_TOP else TOP
    clear = picture.info.get(CLEAR)
    result = np.empty((picture.height, picture.width), np.uint8 if white == SHADE_TOP else np.uint16)
    outside = 0
    for rows, values in _parts(picture):
        outside += int(np.count_nonzero((values < low) | (values > high)))
        shares = (values.astype(np.float64).clip(low, high) - low) / (high - low)
        result[rows] = np.ceil((1 - shares if white_is_zero else shares) * white - 0.5)  # the lower one of two
        if clear is not None:
            # Others that are black stay apart from what is transparent, by less than 8 bits show.
            result[rows] = np.where(values == clear, 0, result[rows].clip(1))
    found: Image.Image = Image.fromarray(result)
    if clear is not None:
        found.info[CLEAR] = 0
    return found, Depth(bits, largest, result.size, outside)


def in_eight_bits(picture: Image.Image) -> Image.Image:
    """Rounds a picture of mode "I;16" to 8 bits: mode "L", or "LA" where one of its values stands for transparency."""
    clear = picture.info.get(CLEAR)
    gray, alpha = np.empty((2, picture.height, picture.width), np.uint8)
    for rows, values in _parts(picture):
        gray[rows] = (values.astype(np.int32) + 128) // 257
        alpha[rows] = (values != clear) * SHADE_TOP
    if clear is None:
        return Image.fromarray(gray)
    return Image.merge("LA", (Image.fromarray(gray), Image.fromarray(alpha)))


def _least_and_largest(picture: Image.Image) -> tuple[float, float]:
    least, largest = math.inf, -math.inf
    for _, values in _parts(picture):
        if np.isnan(values).any():
            raise ValueError("some of its values are no numbers (NaN)")
        least, largest = min(least, values.min().item()), max(largest, values.max().item())
    return least, largest


def _parts(picture: Image.Image) -> Iterator[tuple[slice, NDArray]]:
    """Gives the values of a picture, a few rows at a time: which rows, and their values."""
    rows = max(1, AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        yield slice(top, bottom), np.asarray(picture.crop((0, top, picture.width, bottom)))
