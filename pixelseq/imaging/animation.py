"""An animation of images being drawn, row by row. N images, C colours, H rows, W columns."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.pictures import in_rows, partial_picture, sheet_size
from pixelseq.model.config import PixelsName
from pixelseq.runtime.files import whole_file

MOST_STEPS = 60
STEP_MS, LAST_MS = 80, 2000
"""How long a frame stands, and how long the last."""
MOST_SIDE = 16383
"""Of a WebP, in pixels."""


def frames(images: Tensor, levels: int, columns: int, pixels: PixelsName = "ordinal") -> list[Image.Image]:
    """Contact sheets of images [N, C, H, W], from their first rows to all; the rest is blue.

    Args:
        images: levels.
        levels: V.
        columns: images a row of the sheet.
        pixels: as in `to_picture`.

    Returns:
        At most `MOST_STEPS` + 1 pictures, the first of unknown images.
    """
    H, W = images.shape[2:]
    sheets = []
    for shown in torch.linspace(0, H, min(H, MOST_STEPS) + 1).round().tolist():
        known = (torch.arange(H) < shown)[:, None].expand(H, W)
        pictures = [partial_picture(image, known, levels, pixels) for image in images]
        sheets.append(in_rows(pictures, columns))
    return sheets


def check_frames(num: int, height: int, width: int, columns: int) -> None:
    """Raises ValueError, before any work is done, where the sheets of `frames` would be larger than a WebP can be."""
    _, _, size = sheet_size(min(num, columns), width, [height] * -(-num // columns))
    if max(size) > MOST_SIDE:
        raise ValueError(
            f"the animation would be {size[0]}x{size[1]} pixels, and a WebP has at most {MOST_SIDE} a side; "
            "ask for fewer or smaller images"
        )


def save_animation(pictures: list[Image.Image], path: Path) -> None:
    """Writes a lossless animated WebP that runs for ever, whole or not at all."""
    with whole_file(path) as beside:
        pictures[0].save(
            beside,
            format="WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=[STEP_MS] * (len(pictures) - 1) + [LAST_MS],
            loop=0,
            lossless=True,
        )
