"""One picture or grid, as it comes, to 8-bit values [C, H, W]."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PLAIN = {b"\x08\0\0\0\0": 1, b"\x08\2\0\0\0": 3}
"""What a PNG's header says of 8-bit gray and RGB pixels that are not interlaced, and their channels."""
# Pillow would hand other formats, such as EPS, to programs outside.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".jp2", ".avif", ".tga")
)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GRAY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})
DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
ORIENTATION = 0x0112
"""The EXIF tag."""
WITH_ORIENTATION = frozenset({"exif", "xmp", "Raw profile type exif"})
"""What Pillow finds in a file, but a TIFF, that can say which way is up."""


def decode_picture(
    content: bytes | Path, channels: int | None = None, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, bool]:
    """Decodes a picture as a person sees it: upright, over white, 16 bits rounded to 8.

    Args:
        content: an encoded picture, or its file.
        channels: 1, 3 or 4; by default 1 for gray pictures and 3 for others.
        size: rows and columns to resize to.

    Returns:
        uint8 [C, H, W], and whether it is a 1-bit picture.

    Raises:
        ValueError: no picture that can be decoded.
    """
    try:
        encoded = content if isinstance(content, bytes) else content.read_bytes()
        if size is None and (plain := _plain_png(encoded, channels)) is not None:
            return plain, False
        picture = Image.open(io.BytesIO(encoded), formats=FORMATS)
        picture.load()
        bilevel = picture.mode == "1" and size is None
        return _pixels(picture, channels, size), bilevel
    except UnidentifiedImageError:
        raise ValueError(f"no picture that can be decoded: none of {', '.join(FORMATS)}") from None
    # Pillow raises many kinds for damaged files.
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        Image.DecompressionBombError,
        imagecodecs.SpngError,
    ) as error:
        raise ValueError(f"no picture that can be decoded: {error}") from error


def decode_grid(values: object) -> np.ndarray:
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


def _plain_png(encoded: bytes, channels: int | None) -> np.ndarray | None:
    """Decodes a PNG of 8-bit gray or RGB pixels and nothing else, which needs no Pillow: several times as fast.

    Args:
        encoded: any bytes.
        channels: as in `decode_picture`.

    Returns:
        uint8 [C, H, W], or None for any other file.
    """
    width, height, kind = encoded[16:20], encoded[20:24], PLAIN.get(encoded[24:29])
    if kind is None or channels not in (None, kind) or not encoded.startswith(PNG):
        return None
    # After its header, of 33 bytes, one chunk of pixels and the end, each with a length before and a checksum after.
    end = 41 + int.from_bytes(encoded[33:37])
    if encoded[37:41] != b"IDAT" or encoded[end + 8 : end + 12] != b"IEND":
        return None
    if int.from_bytes(width) * int.from_bytes(height) > (Image.MAX_IMAGE_PIXELS or 0):
        return None
    pixels: np.ndarray = imagecodecs.spng_decode(encoded)
    return pixels[None] if kind == 1 else pixels.transpose(2, 0, 1)


def _pixels(picture: Image.Image, channels: int | None, size: tuple[int, int] | None) -> np.ndarray:
    mode = MODES[channels or (1 if picture.mode in GRAY_MODES else 3)]
    if picture.mode != mode or picture.info:
        picture = _as_seen(picture, mode)
    if size is not None:
        picture = picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    width, height = picture.size
    pixels = np.frombuffer(picture.tobytes(), np.uint8)
    if mode == "L":
        return pixels.reshape(1, height, width)
    return pixels.reshape(height, width, len(mode)).transpose(2, 0, 1)


def _as_seen(picture: Image.Image, mode: str) -> Image.Image:
    """Turns and converts a picture that is not plain."""
    may_be_turned = picture.format == "TIFF" or not WITH_ORIENTATION.isdisjoint(picture.info)
    if may_be_turned and picture.getexif().get(ORIENTATION, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in DEEP_MODES:
        picture = Image.fromarray(_eight_bits(np.asarray(picture)))
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    if picture.has_transparency_data and mode != "RGBA":
        with_alpha = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, with_alpha).convert("RGB")
    return picture.convert(mode)


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"its values go from {pixels.min()} to {pixels.max()}; at most 16 bits are expected")
    return ((pixels.astype(np.int64) + 128) // 257).astype(np.uint8)
