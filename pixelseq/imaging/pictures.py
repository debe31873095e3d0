"""Levels as pictures and back.

Level v of V is shade round(255 v / (V - 1)) of an 8-bit picture; where levels have no order (`ModelConfig.pixels` is
"categorical"), it is colour v of a palette. Shapes: C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from pixelseq.imaging.palette import GAP_COLOUR, UNKNOWN_COLOUR, palette
from pixelseq.model.config import PixelsName
from pixelseq.runtime.files import whole_file

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
READABLE_MODES = {1: ("1", "L"), 3: ("RGB",), 4: ("RGBA",)}
PALETTE_MODES = ("RGB", "P")
SHEET_CELL = 64
"""Cells of a contact sheet are magnified to about this many pixels on their shorter side."""


def check_pictures(channels: int, levels: int, pixels: PixelsName = "ordinal") -> None:
    """Raises ValueError where images of these channels and levels cannot be 8-bit pictures."""
    if pixels == "categorical" and channels != 1:
        raise ValueError(f"a pixel of {channels} levels without an order has no colour; pictures of such levels have 1")
    if channels not in MODES:
        raise ValueError(f"an image of {channels} channels is no picture; pictures have 1, 3 or 4")
    if levels > 256:
        raise ValueError(f"{levels} levels do not fit in an 8-bit picture")


def shades(levels: int, top: int = 255) -> Tensor:
    """The shade of each level, from 0 to `top`, [V]."""
    return (torch.arange(levels) * (top / (levels - 1))).round().to(torch.uint8 if top < 256 else torch.int32)


def to_picture(image: Tensor, levels: int, pixels: PixelsName = "ordinal") -> Image.Image:
    """An image of levels [C, H, W] as a picture of its own size.

    Args:
        image: levels.
        levels: V.
        pixels: "ordinal", gray, RGB or RGBA for C = 1, 3, 4; "categorical", with a palette that the picture holds.

    Raises:
        ValueError: another C, or too many levels.
    """
    C = image.shape[0]
    check_pictures(C, levels, pixels)
    if pixels == "categorical":
        picture = Image.fromarray(image[0].cpu().to(torch.uint8).numpy())
        picture.putpalette(palette(levels).tobytes())
        return picture
    values = shades(levels)[image.cpu().long()].permute(1, 2, 0).numpy()
    return Image.fromarray(values[:, :, 0] if C == 1 else values)


def read_image(path: Path, channels: int, levels: int, pixels: PixelsName = "ordinal") -> Tensor:
    """Reads a picture as levels [C, H, W], uint8: the inverse of `to_picture`.

    Args:
        path: a file that Pillow reads.
        channels: C, 1 (gray), 3 (RGB) or 4 (RGBA).
        levels: V; every pixel of the picture must look like a level.
        pixels: as in `to_picture`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, other channels, or pixels that look like no level.
    """
    return levels_of(open_picture(path), path, channels, levels, pixels)


def levels_of(
    picture: Image.Image,
    path: Path,
    channels: int,
    levels: int,
    pixels: PixelsName = "ordinal",
    known: Tensor | None = None,
) -> Tensor:
    """The levels of an open picture, as `read_image` gives them.

    Args:
        picture: of the file.
        path: the file, for messages.
        channels: C.
        levels: V.
        pixels: as in `to_picture`.
        known: [H, W], bool; the other pixels may look like anything, and are level 0 where they look like no level.

    Raises:
        ValueError: other channels, or known pixels that look like no level.
    """
    check_pictures(channels, levels, pixels)
    modes = PALETTE_MODES if pixels == "categorical" else READABLE_MODES[channels]
    if picture.mode not in modes:
        raise ValueError(
            f"{path} is a picture of mode {picture.mode}; the model has {channels} channels (mode {modes[-1]})"
        )
    if pixels == "categorical":
        values, looks = _packed(np.array(picture.convert("RGB")))[None], _packed(palette(levels))
    else:
        values = np.array(picture.convert(MODES[channels])).reshape(picture.height, picture.width, channels)
        values, looks = values.transpose(2, 0, 1), shades(levels).numpy()
    image = _find(values, looks)
    if known is not None:
        image = np.where(known, image, image.clip(min=0))
    if (foreign := image < 0).any():
        value = values[foreign][0]
        if pixels == "categorical":
            raise ValueError(
                f"{path} has colours that no level has, such as #{value:06x}; use those of the model's own pictures"
            )
        raise ValueError(
            f"{path} has more shades than the model's {levels} levels, such as {value}; "
            f"quantise it first to round(255 * level / {levels - 1})"
        )
    return torch.from_numpy(image.astype(np.uint8))


def read_mask(path: Path) -> Tensor:
    """Reads a picture as a known-mask [H, W], bool: white = known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture.
    """
    picture = open_picture(path)
    if picture.mode.startswith("I"):  # 16 bits
        return torch.from_numpy(np.array(picture).astype(np.int64)) >= 1 << 15
    return torch.from_numpy(np.array(picture.convert("L"))) >= 128


def contact_sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures of any sizes on one white sheet, magnified by one whole number so that small ones can be seen."""
    widest = max(picture.width for row in rows for picture in row)
    heights = [max(picture.height for picture in row) for row in rows]
    columns = max(len(row) for row in rows)
    scale, gap, size = sheet_size(columns, widest, heights)
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


def sheet_size(columns: int, width: int, heights: Sequence[int]) -> tuple[int, int, tuple[int, int]]:
    """How a contact sheet is magnified, the pixels between its pictures, and its width and height.

    Args:
        columns: pictures a row.
        width: of the widest picture.
        heights: of the tallest picture of each row.
    """
    scale = max(1, SHEET_CELL // min(width, *heights))
    gap = max(2, scale // 2)
    return scale, gap, (columns * (width * scale + gap) + gap, sum(height * scale + gap for height in heights) + gap)


def partial_picture(image: Tensor, known: Tensor, levels: int, pixels: PixelsName = "ordinal") -> Image.Image:
    """An image of levels [C, H, W] as an RGB picture of its own size, blue where `known` [H, W] is False."""
    picture = to_picture(image, levels, pixels).convert("RGB")
    picture.paste(UNKNOWN_COLOUR, (0, 0), Image.fromarray((~known.cpu()).numpy().astype(np.uint8) * 255))
    return picture


def sample_sheet(images: Tensor, levels: int, columns: int, pixels: PixelsName = "ordinal") -> Image.Image:
    """A contact sheet of images [N, C, H, W], `columns` a row."""
    return in_rows([to_picture(image, levels, pixels) for image in images], columns)


def in_rows(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """A contact sheet of pictures, `columns` a row."""
    return contact_sheet([pictures[k : k + columns] for k in range(0, len(pictures), columns)])


def completion_sheet(
    images: Sequence[Tensor],
    known: Sequence[Tensor],
    completions: Sequence[Tensor],
    levels: int,
    pixels: PixelsName = "ordinal",
) -> Image.Image:
    """A contact sheet with an image a row: the original, its known part, then its completions.

    Args:
        images: levels, each [C, H, W].
        known: masks, each [H, W]; what is unknown is shown blue.
        completions: levels, each [num, C, H, W].
        levels: V.
        pixels: as in `to_picture`.
    """
    rows = []
    for image, mask, completed in zip(images, known, completions, strict=True):
        given = partial_picture(image, mask, levels, pixels)
        rows.append([to_picture(image, levels, pixels), given, *(to_picture(one, levels, pixels) for one in completed)])
    return contact_sheet(rows)


def save_png(picture: Image.Image, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with whole_file(path) as beside:
        picture.save(beside, format="PNG")


def save_levels(levels: Tensor, count: int, path: Path) -> None:
    """Writes levels as a .npy of the smallest unsigned integers that hold `count` levels, whole or not at all."""
    with whole_file(path) as beside, beside.open("wb") as file:
        np.save(file, levels.cpu().numpy().astype(np.min_scalar_type(count - 1)))


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """RGB colours [..., 3] as one number each, 0xrrggbb."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


def _find(values: NDArray[np.integer], looks: NDArray[np.integer]) -> NDArray[np.int64]:
    """The level that looks like each value, given what each looks like [V]; -1 where none does."""
    order = looks.argsort()
    closest = order[np.searchsorted(looks, values, sorter=order).clip(max=len(looks) - 1)]
    return np.where(looks[closest] == values, closest, -1)


def open_picture(path: Path) -> Image.Image:
    """A picture, read as a whole and turned as it is to be seen.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, or one of more bits than can be read.
    """
    try:
        with Image.open(path) as picture:
            if len(picture.getbands()) > 1 and ";16" in str(picture.tile):
                raise ValueError(f"{path} has 16 bits a colour, of which only 8 would be read; save it with 8")
            picture.load()
            return ImageOps.exif_transpose(picture)
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is no picture that can be read: {error}") from error
