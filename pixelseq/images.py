"""Levels as pictures and back.

Level v of V is shade round(255 v / (V - 1)) of an 8-bit picture. Shapes: C colours, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from pixelseq.files import whole_file

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
READABLE_MODES = {1: ("1", "L"), 3: ("RGB",), 4: ("RGBA",)}
UNKNOWN_COLOUR = (64, 96, 176)
GAP_COLOUR = (255, 255, 255)
SHEET_CELL = 64
"""Cells of a contact sheet are magnified to about this many pixels on their shorter side."""


def check_pictures(channels: int, levels: int) -> None:
    """Raises ValueError where images of these channels and levels cannot be 8-bit pictures."""
    if channels not in MODES:
        raise ValueError(f"an image of {channels} channels is no picture; pictures have 1, 3 or 4")
    if levels > 256:
        raise ValueError(f"{levels} levels do not fit in an 8-bit picture")


def shades(levels: int) -> Tensor:
    """The 8-bit shade of each level, [V]."""
    return (torch.arange(levels) * (255 / (levels - 1))).round().to(torch.uint8)


def to_picture(image: Tensor, levels: int) -> Image.Image:
    """An image of levels [C, H, W] as a picture of its own size: gray, RGB or RGBA for C = 1, 3, 4.

    Raises:
        ValueError: another C, or too many levels.
    """
    C = image.shape[0]
    check_pictures(C, levels)
    pixels = shades(levels)[image.cpu().long()].permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if C == 1 else pixels)


def read_image(path: Path, channels: int, levels: int, known: Callable[[int, int], Tensor] | None = None) -> Tensor:
    """Reads a picture as levels [C, H, W], uint8.

    Args:
        path: a file that Pillow reads.
        channels: C, 1 (gray), 3 (RGB) or 4 (RGBA).
        levels: V; every known shade of the picture must be that of a level.
        known: from H and W, the mask [H, W] of the pixels that count; the others may have foreign shades, read as
            level 0. All count by default.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, other channels, or shades that are no level's.
    """
    check_pictures(channels, levels)
    picture = _open(path)
    if picture.mode not in READABLE_MODES[channels]:
        kind = READABLE_MODES[channels][-1]
        raise ValueError(f"{path} is a picture of mode {picture.mode}; the model has {channels} channels (mode {kind})")
    size = (picture.height, picture.width)
    pixels = torch.from_numpy(np.array(picture.convert(MODES[channels]))).view(*size, channels).permute(2, 0, 1)
    level_of_shade = torch.full((256,), -1, dtype=torch.int16)
    level_of_shade[shades(levels).long()] = torch.arange(levels, dtype=torch.int16)
    image = level_of_shade[pixels.long()]
    if known is not None:
        image[:, ~known(*size)] = image[:, ~known(*size)].clamp(min=0)
    if (foreign := (image < 0)).any():
        raise ValueError(
            f"{path} has more shades than the model's {levels} levels, such as {int(pixels[foreign][0])}; "
            f"quantise it first to round(255 * level / {levels - 1})"
        )
    return image.to(torch.uint8)


def read_mask(path: Path) -> Tensor:
    """Reads a picture as a known-mask [H, W], bool: white = known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture.
    """
    return torch.from_numpy(np.array(_open(path).convert("L"))) >= 128


def contact_sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures of any sizes on one white sheet, magnified by one whole number so that small ones can be seen."""
    widest = max(picture.width for row in rows for picture in row)
    heights = [max(picture.height for picture in row) for row in rows]
    scale = max(1, SHEET_CELL // min(widest, *heights))
    gap = max(2, scale // 2)
    columns = max(len(row) for row in rows)
    size = (columns * (widest * scale + gap) + gap, sum(height * scale + gap for height in heights) + gap)
    sheet = Image.new("RGB", size, GAP_COLOUR)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for j, picture in enumerate(row):
            magnified = picture.convert("RGBA").resize(
                (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
            )
            sheet.paste(magnified, (gap + j * (widest * scale + gap), top), magnified)
        top += height * scale + gap
    return sheet


def sample_sheet(images: Tensor, levels: int, columns: int) -> Image.Image:
    """A contact sheet of images [N, C, H, W], `columns` a row."""
    pictures = [to_picture(image, levels) for image in images]
    return contact_sheet([pictures[k : k + columns] for k in range(0, len(pictures), columns)])


def completion_sheet(
    images: Sequence[Tensor], known: Sequence[Tensor], completions: Sequence[Tensor], levels: int
) -> Image.Image:
    """A contact sheet with an image a row: the original, its known part, then its completions.

    Args:
        images: levels, each [C, H, W].
        known: masks, each [H, W]; what is unknown is shown blue.
        completions: levels, each [num, C, H, W].
        levels: V.
    """
    rows = []
    for image, mask, completed in zip(images, known, completions, strict=True):
        original = to_picture(image, levels)
        given = original.convert("RGB")
        unknown = Image.fromarray((~mask.cpu()).numpy().astype(np.uint8) * 255)
        given.paste(UNKNOWN_COLOUR, (0, 0), unknown)
        rows.append([original, given, *(to_picture(one, levels) for one in completed)])
    return contact_sheet(rows)


def save_png(picture: Image.Image, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with whole_file(path) as beside:
        picture.save(beside, format="PNG")


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is no picture that can be read: {error}") from error
