"""Condition images of a command line: pictures as they are, or what a degradation leaves of pictures.

Shapes: C colours, H rows, W columns, F the factor of lowres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pixelseq.data.degradations import Degradation
from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.pictures import levels_of
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.imaging.read import open_picture
from pixelseq.model.condition import spread
from pixelseq.pixel_format import PixelFormat


@dataclass(frozen=True)
class GivenPicture:
    """A condition image, and where it comes from."""

    path: Path
    levels: Tensor
    """uint8 [C', H, W]."""
    known: Tensor
    """bool [H, W]."""
    original: Tensor | None = None
    """uint8 [C, H, W], the image that a degradation made it of; None of a picture that was given as it is."""

    @property
    def size(self) -> tuple[int, int]:
        """H and W."""
        return self.known.shape[0], self.known.shape[1]


def read_given(
    path: Path, given_format: PixelFormat, factor: int, preprocessing: Preprocessing, max_pixels: int = MAX_PIXELS
) -> GivenPicture:
    """Reads a picture that is a condition image already; it is never resized.

    Args:
        path: the picture.
        given_format: the format of condition images.
        factor: F: each of its pixels becomes a box of FxF.
        preprocessing: what training made of pictures, of which the values that are black and white count.
        max_pixels: the most pixels that the picture may have, and the condition image.

    Raises:
        FileNotFoundError: no such file.
        ValueError: for the reasons of `read_image`, or it is too large.
    """
    picture = open_picture(path, value_range=preprocessing.value_range, max_pixels=max_pixels)
    if (pixels := picture.width * picture.height * factor**2) > max_pixels:
        raise ValueError(f"{path}: {factor} times as large it has {pixels} pixels; `max_pixels` allows {max_pixels}")
    levels = spread(levels_of(picture, path, given_format), factor)
    return GivenPicture(path, levels, torch.ones_like(levels[0], dtype=torch.bool))


def read_degraded(
    path: Path,
    pixel_format: PixelFormat,
    degradation: Degradation,
    random: np.random.Generator,
    preprocessing: Preprocessing,
    max_pixels: int = MAX_PIXELS,
) -> GivenPicture:
    """Reads a picture as training does, and degrades it.

    Args:
        path: the picture.
        pixel_format: the format of the original.
        degradation: makes the condition image of it.
        random: as in `Degradation`.
        preprocessing: what training made of pictures; parts of the size of a crop are not cut.
        max_pixels: the most pixels that the picture may have.

    Raises:
        FileNotFoundError: no such file.
        ValueError: for the reasons of `read_image`.
    """
    picture = open_picture(path, value_range=preprocessing.value_range, max_pixels=max_pixels)
    same = preprocessing.resize == (picture.height, picture.width)
    original = levels_of(picture, path, pixel_format, size=None if same else preprocessing.resize)
    return GivenPicture(path, *degradation(original, pixel_format, random), original)
