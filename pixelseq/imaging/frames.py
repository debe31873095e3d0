"""Files of several pictures: stacks, animations, and what else lies beside a picture in its file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pixelseq.imaging.limits import MOST_FRAMES

NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
"""TIFF's tags that say what a picture is of the others in its file."""
REDUCED, MASK, OLD_REDUCED = 1, 4, 2
"""Flags of the first of these tags, and the value of the second that says the same as its first flag."""
MPO_ENTRIES = 0xB002
MPO_FRAMES = ("Baseline", "Multi-Frame")
"""The beginnings of the kinds of pictures in a camera's file that are no preview and no map of its brightness."""


class Frames(NamedTuple):
    """The frames of a file."""

    indices: Sequence[int]
    """Their indices among all pictures of the file."""
    pixels: int
    """The number of pixels of all of them."""
    pictures: int
    """The number of all pictures of the file; in a TIFF, where all have to be looked at, at most `MOST_FRAMES` + 1."""


def find_frames(picture: Any) -> Frames:
    """Finds the frames of an open file of Pillow: the pictures that are no thumbnail, mask or preview of another.

    Where all are such, the first one counts.
    """
    if picture.format not in ("TIFF", "MPO"):
        count = getattr(picture, "n_frames", 1)
        return Frames(range(count), count * math.prod(picture.size), count)  # a range: files may claim any count
    indices, sizes = [], []
    with suppress(EOFError):  # there are no more
        for k in range(MOST_FRAMES + 1):
            picture.seek(k)
            sizes.append(math.prod(picture.size))
            if _is_frame(picture, k):
                indices.append(k)
    indices = indices or [0]
    return Frames(indices, sum(sizes[k] for k in indices), len(sizes))


def without_colour(frame: Image.Image) -> Image.Image:
    """Gives a frame of a GIF as gray where it is: Pillow turns all but the first into colour."""
    if frame.mode not in ("RGB", "RGBA"):
        return frame
    red, green, blue = (np.asarray(frame.getchannel(k)) for k in range(3))
    if (red != green).any() or (red != blue).any():
        return frame
    return frame.convert("LA" if frame.mode == "RGBA" else "L")


def _is_frame(picture: Any, k: int) -> bool:
    if picture.format == "MPO":
        return picture.mpinfo[MPO_ENTRIES][k]["Attribute"]["MPType"].startswith(MPO_FRAMES)
    tags = picture.tag_v2
    return not tags.get(NEW_SUBFILE_TYPE, 0) & (REDUCED | MASK) and tags.get(SUBFILE_TYPE) != OLD_REDUCED
