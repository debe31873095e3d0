"""Masks that say what is known of an image: bool [H, W], True where it is known. H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.read import as_seen, open_picture

Mark = Literal["black", "white", "transparent", "opaque", "coloured"]
"""What is unknown in a mask."""
RULES: dict[Mark, str] = {
    "black": "what is not white is drawn",
    "white": "what is not black is drawn",
    "transparent": "what is not opaque is drawn",
    "opaque": "what is not transparent is drawn",
    "coloured": "what is not gray is drawn",
}
"""What each mark comes to: pixels that are not clearly known, such as the soft edges of a stroke, are unknown."""
CLEARLY = 240
"""The lowest of 8-bit shades that is clearly white, and the lowest alpha that is clearly opaque; as far from the other
end black, transparent and gray end."""
NAMED = 5
"""The most files that a message names."""


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


def read_mask(path: Path, mark: Mark | None = None, max_pixels: int = MAX_PIXELS) -> tuple[Tensor, Mark]:
    """Reads a picture as a mask [H, W].

    Args:
        path: a picture of any kind.
        mark: what is unknown in it; by default "transparent" if any of its pixels is not clearly opaque, else "black".
            Under the marks of a colour the mask counts as it looks over white.
        max_pixels: the most pixels that it may have.

    Returns:
        The mask, and the mark that it was read by.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture.
    """
    picture = open_picture(path, max_pixels=max_pixels)
    try:
        alpha, colours = as_seen(picture, 4)[3], as_seen(picture, 3)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if mark is None:
        mark = "transparent" if (alpha < CLEARLY).any() else "black"
    match mark:
        case "black":
            known = colours.min(axis=0) >= CLEARLY
        case "white":
            known = colours.max(axis=0) <= 255 - CLEARLY
        case "transparent":
            known = alpha >= CLEARLY
        case "opaque":
            known = alpha <= 255 - CLEARLY
        case "coloured":
            known = np.ptp(colours, axis=0) <= 255 - CLEARLY
    return torch.from_numpy(known), mark


def find_masks(folder: Path, files: Sequence[Path], pictures: Sequence[Path]) -> tuple[dict[Path, Path], str | None]:
    """Finds the mask of each picture in a folder of masks: the file of the same name, whatever its ending.

    Args:
        folder: the folder, for messages.
        files: the masks in it.
        pictures: the files to find a mask for.

    Returns:
        The mask of each picture, and a line that names the masks of no picture, if there are any.

    Raises:
        ValueError: pictures without a mask, or masks of one name.
    """
    masks = {file.stem: file for file in files}
    if len(masks) < len(files):
        twice = [file for file in files if masks[file.stem] != file]
        raise ValueError(f"{folder} has more than one mask of the names {_named([file.stem for file in twice])}")
    missing = [path.name for path in pictures if path.stem not in masks]
    unused = [file.name for file in files if file.stem not in {path.stem for path in pictures}]
    note = f"masks in {folder} that are of none of the pictures: {_named(unused)}" if unused else None
    if missing:
        others = f"; {note}" if note else ""
        raise ValueError(f"{folder} has no mask of the same name for {_named(missing)}{others}")
    return {path: masks[path.stem] for path in pictures}, note


def mask_of_size(mask: Tensor, H: int, W: int) -> Tensor:
    """Gives the mask back where it is [H, W].

    Raises:
        ValueError: it is of another size.
    """
    if mask.shape != (H, W):
        h, w = mask.shape
        raise ValueError(f"the mask is {h}x{w} (rows x columns), an image {H}x{W}; they must be of one size")
    return mask


def opaque(picture: Image.Image) -> Tensor:
    """Reads a picture's alpha channel as a mask [H, W]: what is not clearly opaque is unknown.

    Raises:
        ValueError: no alpha channel.
    """
    if not picture.has_transparency_data:
        raise ValueError(f"a picture of mode {picture.mode} has no alpha channel that says what is known of it")
    return torch.from_numpy(as_seen(picture, 4)[3] >= CLEARLY)


def grown(known: Tensor, pixels: int) -> Tensor:
    """Gives the mask [H, W] whose unknown part reaches so many pixels farther in all eight directions.

    Raises:
        ValueError: fewer than 0 pixels.
    """
    if pixels < 0:
        raise ValueError(f"`grow` is {pixels}; it must be at least 0")
    across = F.max_pool2d((~known).float()[None], (1, 2 * pixels + 1), stride=1, padding=(0, pixels))
    return F.max_pool2d(across, (2 * pixels + 1, 1), stride=1, padding=(pixels, 0))[0] == 0


def resized(known: Tensor, size: tuple[int, int]) -> Tensor:
    """Gives the mask of an image that is resized to rows and columns: a pixel is unknown if any part of it is."""
    return F.adaptive_max_pool2d((~known).float()[None], size)[0] == 0


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} others" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
