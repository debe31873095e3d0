"""Animations of images being drawn, row by row. N images, C colours, H rows, W columns."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.pictures import in_rows, partial_picture, sheet_size
from pixelseq.imaging.tileset import Tileset
from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.files import atomic_write

MAX_STEPS = 60
FRAME_MS, LAST_FRAME_MS = 80, 2000
"""How long a frame stands, and how long the last."""
MAX_SIDE = 16383
"""The pixels along a side of the largest WebP."""


def frames(images: Tensor, pixel_format: PixelFormat, columns: int, tiles: Tileset | None = None) -> list[Image.Image]:
    """Draws contact sheets of images, from their first rows to all; the rest is blue.

    Args:
        images: levels [N, C, H, W].
        pixel_format: the format of the images.
        columns: images per row of the sheet.
        tiles: as in `to_picture`.

    Returns:
        At most `MAX_STEPS` + 1 pictures, the first of unknown images.
    """
    H, W = images.shape[2:]
    sheets = []
    for shown in torch.linspace(0, H, min(H, MAX_STEPS) + 1).round().tolist():
        known = (torch.arange(H) < shown)[:, None].expand(H, W)
        sheets.append(in_rows([partial_picture(image, known, pixel_format, tiles) for image in images], columns))
    return sheets


def check_frames(num: int, height: int, width: int, columns: int) -> None:
    """Checks, before any work is done, that the sheets of `frames` fit into a WebP.

    Args:
        num: N.
        height: H.
        width: W.
        columns: images per row of the sheet.

    Raises:
        ValueError: they do not.
    """
    _, _, size = sheet_size(min(num, columns), width, [height] * -(-num // columns))
    if max(size) > MAX_SIDE:
        raise ValueError(
            f"the animation would be {size[0]}x{size[1]} pixels, and a WebP has at most {MAX_SIDE} per side; "
            "ask for fewer or smaller images"
        )


def save_animation(pictures: list[Image.Image], path: Path) -> None:
    """Writes a lossless animated WebP that runs for ever, whole or not at all."""
    with atomic_write(path) as beside:
        pictures[0].save(
            beside,
            format="WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=[FRAME_MS] * (len(pictures) - 1) + [LAST_FRAME_MS],
            loop=0,
            lossless=True,
        )
