"""Masks that say what is known of an image: bool [H, W], True where it is known. H rows, W columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.read import as_seen, open_picture

HALF = 128
"""The lowest 8-bit shade nearer to white, and the lowest alpha nearer to opaque."""


def known_rows(count: int, H: int, W: int) -> Tensor:
    """Gives the mask [H, W] of an image whose first `count` rows are known.

    Raises:
        ValueError: an image has fewer rows.
    """
    if not 0 <= count <= H:
        raise ValueError(f"`known_rows` is {count}; an image has {H} rows")
    return (torch.arange(H) < count)[:, None].repeat(1, W)


def known_columns(count: int, H: int, W: int) -> Tensor:
    """Gives the mask [H, W] of an image whose first `count` columns are known.

    Raises:
        ValueError: an image has fewer columns.
    """
    if not 0 <= count <= W:
        raise ValueError(f"`known_cols` is {count}; an image has {W} columns")
    return (torch.arange(W) < count).repeat(H, 1)


def outside_box(box: str, H: int, W: int) -> Tensor:
    """Gives the mask [H, W] of an image that is known outside a box.

    Args:
        box: "y,x,h,w": h rows and w columns, from row y and column x on.
        H: rows.
        W: columns.

    Raises:
        ValueError: no such box, or one that is not within the image.
    """
    try:
        y, x, h, w = map(int, box.split(","))
    except ValueError:
        raise ValueError(f"`box` is {box}; expected four whole numbers y,x,h,w such as 2,3,4,5") from None
    if min(y, x) < 0 or min(h, w) < 1 or y + h > H or x + w > W:
        raise ValueError(f"`box` is {box}: rows {y} to {y + h - 1}, columns {x} to {x + w - 1}; an image is {W}x{H}")
    known = torch.ones(H, W, dtype=torch.bool)
    known[y : y + h, x : x + w] = False
    return known


def read_mask(path: Path) -> Tensor:
    """Reads a picture as a mask [H, W]: white is known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture.
    """
    picture = open_picture(path)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA").convert("RGB")  # a transparent pixel counts by its colour: none is laid under
    return torch.from_numpy(as_seen(picture, 1)[0] >= HALF)


def mask_of_size(mask: Tensor, H: int, W: int) -> Tensor:
    """Gives the mask back where it is [H, W].

    Raises:
        ValueError: it is of another size.
    """
    if mask.shape != (H, W):
        h, w = mask.shape
        raise ValueError(f"the mask is {w}x{h} pixels, an image {W}x{H}; they must be of one size")
    return mask


def opaque(picture: Image.Image) -> Tensor:
    """Reads a picture's alpha channel as a mask [H, W]: what is more transparent than not is unknown.

    Raises:
        ValueError: no alpha channel.
    """
    if not picture.has_transparency_data:
        raise ValueError(f"a picture of mode {picture.mode} has no alpha channel that says what is known of it")
    return torch.from_numpy(np.array(picture.convert("RGBA").getchannel("A"))) >= HALF
