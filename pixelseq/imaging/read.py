"""The one reader: pictures and grids of any kind to 8-bit values. C colours, H rows, W columns.

Training and completion both read through it, and so see a picture alike: as a person does, upright and over white.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

# Pillow would hand other formats, such as EPS, to programs outside.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".jp2", ".avif", ".tga")
)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's modes of 8-bit pictures of C colours."""
DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
GRAY_MODES = frozenset({"1", "L", "LA", "La"}) | DEEP_MODES
ORIENTATION = 0x0112
"""The EXIF tag that says which way is up."""
WITH_ORIENTATION = frozenset({"exif", "xmp", "Raw profile type exif"})
"""What Pillow finds in a file, other than a TIFF, that can say which way is up."""
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AssertionError,
    RuntimeError,
    ArithmeticError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for damaged files."""


def open_picture(source: bytes | Path) -> Image.Image:
    """Opens a picture: upright, wholly read, with the pixels that the file holds.

    Args:
        source: an encoded picture, or its file. Its content tells the format, whatever the file's name says.

    Returns:
        A picture of any of Pillow's modes but "F"; one of more than 8 bits has one channel and values up to 65535.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture of `FORMATS`, a damaged one, or one of more bits than can be read.
    """
    if isinstance(source, Path) and not source.exists():
        raise FileNotFoundError(f"no file {source}")
    with _in_one_line("" if isinstance(source, bytes) else f"{source} is "):
        content = source if isinstance(source, bytes) else source.read_bytes()
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
        # Pillow would cut these to 8 bits without a word.
        if len(picture.getbands()) > 1 and ";16" in str(picture.tile):
            raise ValueError("it has 16 bits per colour; save it with 8")
        picture.load()
        if picture.mode == "F":
            raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
        if picture.mode == "I":
            _check_sixteen_bits(picture)
        return _upright(picture)


def decode_picture(
    content: bytes | Path, channels: int | None = None, size: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8], bool]:
    """Decodes a picture as a person sees it.

    Args:
        content: an encoded picture, or its file.
        channels: as in `as_seen`.
        size: rows and columns to resize to.

    Returns:
        uint8 [C, H, W], and whether it is a 1-bit picture.

    Raises:
        ValueError: no picture that can be read. The message leaves the file's name to the caller, who knows a better
            one for pictures in tables.
    """
    if isinstance(content, Path):
        with _in_one_line():
            content = content.read_bytes()
    picture = open_picture(content)
    return as_seen(picture, channels, size), picture.mode == "1" and size is None


def as_seen(
    picture: Image.Image, channels: int | None = None, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Turns a picture of `open_picture` into what a person sees: over white, colours looked up, 16 bits rounded to 8.

    Args:
        picture: a picture of any mode.
        channels: 1, 3 or 4 (RGBA, where transparency is a colour and nothing is laid over white); by default 1 for gray
            pictures and 3 for others.
        size: rows and columns to resize to.

    Returns:
        uint8 [C, H, W]; it may not be written to.

    Raises:
        ValueError: colours that Pillow cannot convert.
    """
    mode = MODES[channels or (1 if picture.mode in GRAY_MODES else 3)]
    with _in_one_line():
        if picture.mode != mode or picture.info:
            picture = _converted(picture, mode)
        if size is not None:
            picture = picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    pixels = np.frombuffer(picture.tobytes(), np.uint8)
    return pixels.reshape(picture.height, picture.width, len(picture.getbands())).transpose(2, 0, 1)


def decode_grid(values: object) -> NDArray[np.uint8]:
    """Checks a grid of levels.

    Args:
        values: integers [H, W] or [C, H, W], as an array or as nested lists.

    Returns:
        uint8 [C, H, W].

    Raises:
        ValueError: no integers, rows of unlike widths, an empty side, or values that are no levels.
    """
    try:
        grid = np.asarray(values)
    except ValueError:
        raise ValueError("its rows are of unlike widths; fill them up to one width") from None
    if grid.dtype.kind not in "iub":
        raise ValueError(f"it holds {grid.dtype}; whole numbers are expected: quantise it to levels first")
    if grid.ndim not in (2, 3) or 0 in grid.shape:
        raise ValueError(f"its shape is {list(grid.shape)}; rows x columns of at least 1 x 1 are expected")
    if grid.min() < 0 or grid.max() > 255:
        raise ValueError(f"it has values from {grid.min()} to {grid.max()}; levels are from 0 to at most 255")
    return grid.astype(np.uint8).reshape(-1, *grid.shape[-2:])


@contextmanager
def _in_one_line(name: str = "") -> Iterator[None]:
    """Turns whatever Pillow raises into a ValueError of one line; `name` comes before "no picture that can be read"."""
    try:
        yield
    except UnidentifiedImageError:
        raise ValueError(f"{name}no picture that can be read: none of {', '.join(FORMATS)}") from None
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name}no picture that can be read: {reason}") from error


def _upright(picture: Image.Image) -> Image.Image:
    # Pillow would copy every picture, and look for EXIF in it.
    may_be_turned = picture.format == "TIFF" or not WITH_ORIENTATION.isdisjoint(picture.info)
    if may_be_turned and picture.getexif().get(ORIENTATION, 1) != 1:
        return ImageOps.exif_transpose(picture)
    return picture


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode in DEEP_MODES:
        picture = Image.fromarray(((np.asarray(picture).astype(np.int64) + 128) // 257).astype(np.uint8))
    if picture.has_transparency_data and mode != "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert(mode)


def _check_sixteen_bits(picture: Image.Image) -> None:
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its values go from {values.min()} to {values.max()}; at most 16 bits are expected")
