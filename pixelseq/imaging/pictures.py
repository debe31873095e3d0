"""Levels as pictures and back, and sheets of pictures.

Level v of V is the shade round(255 v / (V - 1)) of an 8-bit picture; where levels have no order, it is colour v of a
palette. Shapes: C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pixelseq.imaging.levels import SHADES, quantise, shades
from pixelseq.imaging.palette import GAP_COLOUR, UNKNOWN_COLOUR, find_colours, palette
from pixelseq.imaging.read import MODES, as_seen, open_picture
from pixelseq.imaging.tileset import Tileset
from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.files import atomic_write

MIN_CELL, MAX_CELL = 96, 1024
"""Cells of a contact sheet are magnified to at least so many pixels along their shorter side, unless the longer one
would then have more than the second number."""
NAME_SIZE, NAME_COLOUR, LONGEST_NAME = 20, "black", 48
"""The pixels of the letters of a row's name, their colour, and the most letters."""


def check_pictures(pixel_format: PixelFormat) -> None:
    """Raises ValueError where images of this format cannot be 8-bit pictures."""
    C, V = pixel_format.channels, pixel_format.levels
    if not pixel_format.ordered and C != 1:
        raise ValueError(f"a pixel of {C} levels without an order has no colour; pictures of such levels have 1")
    if C not in MODES:
        raise ValueError(f"an image of {C} channels is no picture; pictures have 1, 3 or 4")
    if V > SHADES:
        raise ValueError(f"{V} levels do not fit in an 8-bit picture")


def to_picture(image: Tensor, pixel_format: PixelFormat, tiles: Tileset | None = None) -> Image.Image:
    """Draws an image as a picture of its own size, or of tiles.

    Args:
        image: levels [C, H, W].
        pixel_format: ordered levels become gray, RGB or RGBA for C = 1, 3, 4; others a picture with a palette.
        tiles: a picture for each level, to draw it in instead.

    Raises:
        ValueError: a format that cannot be a picture, or an image of other channels than the format's.
    """
    check_pictures(pixel_format)
    image = torch.as_tensor(image)
    C = len(image)
    if pixel_format.channels != C:
        raise ValueError(f"the image has {C} channels; expected {pixel_format}")
    if tiles is not None:
        return tiles.draw(image)
    if not pixel_format.ordered:
        picture = Image.fromarray(image[0].cpu().to(torch.uint8).numpy())
        picture.putpalette(palette(pixel_format.levels).tobytes())
        return picture
    values = shades(pixel_format.levels)[image.cpu().long()].permute(1, 2, 0).numpy()
    return Image.fromarray(values[:, :, 0] if len(image) == 1 else values)


def read_image(path: Path, pixel_format: PixelFormat) -> Tensor:
    """Reads a picture of any kind as levels [C, H, W], uint8, as training does: the inverse of `to_picture`.

    Args:
        path: a picture; what is seen of it is turned into the channels of the format.
        pixel_format: ordered levels are the nearest of each shade; others must have their colours of the palette.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, a format that cannot be a picture, or a colour that no level has.
    """
    return levels_of(open_picture(path), path, pixel_format)


def levels_of(
    picture: Image.Image,
    path: Path,
    pixel_format: PixelFormat,
    known: Tensor | None = None,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Finds the levels of an open picture, as `read_image` gives them.

    Args:
        picture: the picture.
        path: the file, for messages.
        pixel_format: as in `read_image`.
        known: bool [H, W]; the other pixels may look like anything. Without an order of levels they are level 0 where
            they look like none.
        size: rows and columns H, W to resize to.

    Returns:
        uint8 [C, H, W].

    Raises:
        ValueError: colours that cannot be converted, known pixels in a colour that no level has, or a format that
            cannot be a picture.
    """
    check_pictures(pixel_format)
    V = pixel_format.levels
    try:
        seen = as_seen(picture, pixel_format.channels if pixel_format.ordered else 3, size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if pixel_format.ordered:
        return torch.from_numpy(quantise(seen, V))
    table = palette(V).T
    levels = find_colours(seen, table)  # [H, W]
    foreign = (table[:, levels] != seen).any(axis=0)
    if (wrong := foreign if known is None else foreign & known.numpy()).any():
        raise ValueError(
            f"{path} has colours that no level has, such as #{seen[:, wrong][:, 0].tobytes().hex()}; "
            "use those of the model's own pictures"
        )
    return torch.from_numpy(np.where(foreign, 0, levels).astype(np.uint8)[None])


def contact_sheet(rows: Sequence[Sequence[Image.Image]], names: Sequence[str] = ()) -> Image.Image:
    """Lays pictures of any sizes on one gray sheet, magnified by one whole number so that small ones can be seen.

    What is transparent in them is seen over white.

    Args:
        rows: the pictures of each row.
        names: the name of each row, written before it; by default rows have none.
    """
    widest = max(picture.width for row in rows for picture in row)
    heights = [max(picture.height for picture in row) for row in rows]
    columns = max(len(row) for row in rows)
    scale, gap, size = sheet_size(columns, widest, heights)
    font = ImageFont.load_default(NAME_SIZE)
    before = max((math.ceil(font.getlength(name)) + NAME_SIZE for name in names), default=0)
    sheet = Image.new("RGB", (before + size[0], size[1]), GAP_COLOUR)
    top = gap
    for row, height, name in zip(rows, heights, names or [""] * len(rows), strict=True):
        ImageDraw.Draw(sheet).text((NAME_SIZE // 2, top + height * scale // 2), name, NAME_COLOUR, font, anchor="lm")
        for j, picture in enumerate(row):
            seen = over_white(picture)
            magnified = seen.resize((seen.width * scale, seen.height * scale), Image.Resampling.NEAREST)
            sheet.paste(magnified, (before + gap + j * (widest * scale + gap), top))
        top += height * scale + gap
    return sheet


def sheet_size(columns: int, width: int, heights: Sequence[int]) -> tuple[int, int, tuple[int, int]]:
    """Plans a contact sheet.

    Args:
        columns: pictures per row.
        width: the pixels across the widest picture.
        heights: the pixels down the tallest picture of each row.

    Returns:
        The whole number by which pictures are magnified, the pixels between them, and the sheet's width and height.
    """
    scale = max(1, min(-(-MIN_CELL // min(width, *heights)), MAX_CELL // max(width, *heights)))
    gap = max(2, scale // 2)
    return scale, gap, (columns * (width * scale + gap) + gap, sum(height * scale + gap for height in heights) + gap)


def partial_picture(
    image: Tensor, known: Tensor, pixel_format: PixelFormat, tiles: Tileset | None = None
) -> Image.Image:
    """Draws an image [C, H, W] as `to_picture` does, in RGB and blue where `known` [H, W] is False."""
    picture = over_white(to_picture(image, pixel_format, tiles))
    unknown = Image.fromarray((~known.cpu()).numpy().astype(np.uint8) * 255)
    picture.paste(UNKNOWN_COLOUR, (0, 0), unknown.resize(picture.size, Image.Resampling.NEAREST))
    return picture


def over_white(picture: Image.Image) -> Image.Image:
    """Gives a picture as RGB, what is transparent in it over white."""
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def sample_sheet(
    images: Tensor,
    pixel_format: PixelFormat,
    columns: int,
    tiles: Tileset | None = None,
    names: Sequence[str] = (),
) -> Image.Image:
    """Draws a contact sheet of samples.

    Args:
        images: levels [N, C, H, W].
        pixel_format: the format of the images.
        columns: images per row.
        tiles: as in `to_picture`.
        names: what the images take turns to show; each then has a row, with its name before it, however long.
    """
    pictures = [to_picture(image, pixel_format, tiles) for image in images]
    if not names:
        return in_rows(pictures, columns)
    turns = min(len(names), len(pictures))
    return contact_sheet([pictures[k::turns] for k in range(turns)], [_on_a_line(name) for name in names[:turns]])


def _on_a_line(name: str) -> str:
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def in_rows(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Lays pictures on a contact sheet, `columns` per row."""
    return contact_sheet([pictures[k : k + columns] for k in range(0, len(pictures), columns)])


def completion_sheet(
    images: Sequence[Tensor],
    known: Sequence[Tensor],
    completions: Sequence[Tensor],
    pixel_format: PixelFormat,
    tiles: Tileset | None = None,
) -> Image.Image:
    """Draws a contact sheet with one row per image: the original, its known part, then its completions.

    Args:
        images: levels, each [C, H, W].
        known: masks, each [H, W]; what is unknown is shown blue.
        completions: levels, each [num, C, H, W].
        pixel_format: the format of all these images.
        tiles: as in `to_picture`.
    """
    rows = []
    for image, mask, completed in zip(images, known, completions, strict=True):
        drawn = [to_picture(one, pixel_format, tiles) for one in (image, *completed)]
        rows.append([drawn[0], partial_picture(image, mask, pixel_format, tiles), *drawn[1:]])
    return contact_sheet(rows)


def redrawn_sheet(
    given: Sequence[Tensor],
    known: Sequence[Tensor],
    given_format: PixelFormat,
    drawn: Sequence[Tensor],
    originals: Sequence[Tensor | None],
    pixel_format: PixelFormat,
) -> Image.Image:
    """Draws a contact sheet with one row per image: what was given, what was drawn, and the original where it is known.

    Args:
        given: levels of condition images, each [C', H, W].
        known: masks, each [H, W]; what is unknown is shown blue.
        given_format: the format of condition images.
        drawn: levels, each [num, C, H, W].
        originals: levels, each [C, H, W], or None.
        pixel_format: the format of what was drawn, and of originals.
    """
    rows = []
    for image, mask, pictures, original in zip(given, known, drawn, originals, strict=True):
        shown = [*pictures] if original is None else [*pictures, original]
        row = [to_picture(one, pixel_format) for one in shown]
        rows.append([partial_picture(image, mask, given_format), *row])
    return contact_sheet(rows)


def save_png(picture: Image.Image, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with atomic_write(path) as beside:
        picture.save(beside, format="PNG")


def save_levels(levels: Tensor, pixel_format: PixelFormat, path: Path) -> None:
    """Writes levels of any shape as a .npy of the smallest unsigned integers that hold them, whole or not at all."""
    with atomic_write(path) as beside, beside.open("wb") as file:
        np.save(file, levels.cpu().numpy().astype(np.min_scalar_type(pixel_format.levels - 1)))
