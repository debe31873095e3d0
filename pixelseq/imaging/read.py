"""The one reader: pictures and grids of any kind to 8-bit values. C colours, H rows, W columns.

Training and completion both read through it, and so see a picture alike: as a person does, upright and over white.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pixelseq.imaging.axes import channels_first, find_order
from pixelseq.imaging.depth import AT_ONCE, DEEP_MODES, Depth, in_eight_bits, in_sixteen_bits
from pixelseq.imaging.frames import Frames, find_frames, without_colour
from pixelseq.imaging.limits import (
    DAMAGED,
    FORMATS,
    MAX_PIXELS,
    TOO_LARGE,
    check_frames,
    check_pixels,
    check_scans,
    in_one_line,
    limited,
)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".gif", ".bmp", ".tif", ".tiff"}) | frozenset(
    {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".avif", ".tga"}
)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's modes of 8-bit pictures of C colours."""
GRAY_MODES = frozenset({"1", "L", "LA", "La", "I;16"})
ORIENTATION = 0x0112
"""The EXIF tag that says which way is up."""
WITH_ORIENTATION = frozenset({"exif", "xmp", "Raw profile type exif"})
"""What Pillow finds in a file, other than a TIFF, that can say which way is up."""
TILE_WIDTH, TILE_LENGTH = 322, 323
"""The tags of a TIFF that say the size of its tiles, if it has any."""
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
"""The tag of a TIFF that says what its values look like, and the value of those where 0 is white."""
CODESTREAM = b"\xff\x4f\xff\x51"
"""The start of a JPEG 2000's code; its number of colours and their bits follow at fixed places."""


@dataclass(frozen=True)
class Reading:
    """How pictures are read."""

    channels: int | None = None
    """As in `as_seen`."""
    size: tuple[int, int] | None = None
    """Rows and columns to resize to."""
    value_range: tuple[float, float] | None = None
    """The values that are black and white in pictures of more than 8 bits; by default 0 and 65535."""
    whole_top: int | None = None
    """The white of whole numbers in 32 bits without a range, 255 or 65535; by default 255 where a picture has no larger
    one."""
    every_frame: bool = False
    """Whether all frames of a file are read, rather than the first."""
    max_pixels: int = MAX_PIXELS
    """The most pixels that are read from one file, those of all its frames together if all are."""


class Opened(NamedTuple):
    """A frame of a file."""

    picture: Image.Image
    depth: Depth | None
    """What it holds if it is of more than 8 bits."""
    frames: int
    """The number of frames of its file; of a TIFF at most `MOST_FRAMES` + 1 are counted."""


class Decoded(NamedTuple):
    """A frame as a person sees it."""

    pixels: NDArray[np.uint8]
    """[C, H, W]."""
    bilevel: bool
    """Whether it is a 1-bit picture."""
    depth: Depth | None
    frames: int
    """As in `Opened`."""


def open_picture(
    source: bytes | Path, *, value_range: tuple[float, float] | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Opens a picture, the first of its file: upright, wholly read, with the pixels that the file holds.

    Args:
        source: an encoded picture, or its file. Its content tells the format, whatever the file's name says.
        value_range: the values that are black and white in pictures of more than 8 bits; others between them are
            linear, those outside are clipped. By default 0 and 65535, or 255 for whole numbers in 32 bits that are no
            larger.
        max_pixels: the most pixels that a picture may have.

    Returns:
        A picture of any of Pillow's modes of 8 bits, or of mode "I;16", in which 65535 is white.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture of `FORMATS`, a damaged one, one of more bits than can be read, or too large a one.
    """
    return open_first(source, Reading(value_range=value_range, max_pixels=max_pixels)).picture


def open_first(source: bytes | Path, reading: Reading) -> Opened:
    """Opens the first picture of a file as `open_picture` does, and tells how many there are.

    Raises:
        FileNotFoundError: no such file.
        ValueError: for the reasons of `open_picture`.
    """
    if isinstance(source, str):
        raise TypeError(f"the picture is the text {source!r}; expected a Path or the bytes of a file")
    if isinstance(source, Path) and not source.exists():
        raise FileNotFoundError(f"no file {source}")
    with in_one_line("" if isinstance(source, bytes) else f"{source} is "):
        content = source if isinstance(source, bytes) else source.read_bytes()
    return next(_opened(content, reading, source))


def decode_frames(content: bytes | Path, reading: Reading) -> Iterator[Decoded]:
    """Decodes the frames of a file, one after another, as a person sees them.

    Args:
        content: an encoded picture, or its file.
        reading: which frames, and how.

    Raises:
        ValueError: no picture that can be read. The message leaves the file's name to the caller, who knows a better
            one for pictures in tables.
    """
    if isinstance(content, Path):
        with in_one_line():
            content = content.read_bytes()
    for picture, depth, frames in _opened(content, reading):
        pixels = as_seen(picture, reading.channels, reading.size)
        yield Decoded(pixels, picture.mode == "1" and reading.size is None, depth, frames)


def decode_picture(
    content: bytes | Path, channels: int | None = None, size: tuple[int, int] | None = None
) -> tuple[NDArray[np.uint8], bool]:
    """Decodes a picture, the first of its file, as a person sees it.

    Args:
        content: an encoded picture, or its file.
        channels: as in `as_seen`.
        size: rows and columns to resize to.

    Returns:
        uint8 [C, H, W], and whether it is a 1-bit picture.

    Raises:
        ValueError: for the reasons of `decode_frames`.
    """
    first = next(decode_frames(content, Reading(channels, size)))
    return first.pixels, first.bilevel


def as_seen(
    picture: Image.Image, channels: int | None = None, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Turns a picture of `open_picture` into what a person sees: over white, colours looked up, 16 bits rounded to 8.

    Args:
        picture: a picture of any mode.
        channels: 1, 3 or 4 (RGBA, where transparency is a colour and nothing is laid over white; what is wholly
            transparent is black, since the colours that files hide there are noise); by default 1 for gray pictures and
            3 for others.
        size: rows and columns to resize to.

    Returns:
        uint8 [C, H, W]; it may not be written to.

    Raises:
        ValueError: colours that Pillow cannot convert.
    """
    mode = MODES[channels or (1 if _is_gray(picture) else 3)]
    with in_one_line():
        if picture.mode != mode or (picture.has_transparency_data and mode != "RGBA"):
            picture = _converted(picture, mode)
        if size is not None:
            picture = picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)
    pixels = np.frombuffer(picture.tobytes(), np.uint8).reshape(picture.height, picture.width, len(mode))
    if mode == "RGBA":
        pixels = pixels * (pixels[..., 3:] > 0)
    return pixels.transpose(2, 0, 1)


def decode_grid(values: object, channels: int | None = None) -> NDArray[np.uint8]:
    """Checks a grid of levels.

    Args:
        values: integers [H, W], [H, W, C] or [C, H, W], as an array or as nested lists.
        channels: C, where the user says so.

    Returns:
        uint8 [C, H, W].

    Raises:
        ValueError: no integers, rows of unlike widths, no such axes, or values that are no levels.
    """
    try:
        grid = np.asarray(values)
    except ValueError:
        raise ValueError("its rows are of unlike widths; fill them up to one width") from None
    if grid.dtype.kind not in "iub":
        raise ValueError(f"it holds {grid.dtype}; whole numbers are expected: quantise it to levels first")
    return as_levels(channels_first(grid, find_order(grid.shape, channels)))


def as_levels(grid: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Gives integers of any shape in 8 bits.

    Raises:
        ValueError: some are no levels.
    """
    if grid.min() < 0 or grid.max() > 255:
        raise ValueError(f"it has values from {grid.min()} to {grid.max()}; levels are from 0 to at most 255")
    return grid.astype(np.uint8)


def _opened(content: bytes, reading: Reading, source: bytes | Path = b"") -> Iterator[Opened]:
    """Opens the frames of an encoded picture, one after another; messages name `source` if it is a file."""
    name = "" if isinstance(source, bytes) else f"{source} is "
    with in_one_line(name), limited(reading.max_pixels):
        file, frames = _open(content, reading)
    for k in frames.indices[: None if reading.every_frame else 1]:
        with in_one_line(f"frame {k + 1}: " if reading.every_frame and k else name), limited(reading.max_pixels):
            file.seek(k)
            if 0 in file.size:
                raise ValueError("it has no pixels")
            if file.format in ("JPEG", "MPO"):
                check_scans(content, getattr(file, "offset", 0))
            _check_tiles(file, reading.max_pixels)
            _check_depth(file, content)
            file.load()
            picture, depth = _upright(file), None
            if picture.mode in DEEP_MODES:
                picture, depth = _in_sixteen_bits(file, picture, reading)
            elif k and file.format == "GIF":
                picture = without_colour(picture)
        yield Opened(picture, depth, len(frames.indices))


def _open(content: bytes, reading: Reading) -> tuple[Image.Image, Frames]:
    """Opens an encoded picture, and finds its frames.

    Where only the first is read, it does not matter what is wrong behind it.
    """
    file = Image.open(io.BytesIO(content), formats=FORMATS)
    size = file.width * file.height
    try:
        frames = find_frames(file)
    except (*DAMAGED, *TOO_LARGE):
        if reading.every_frame:
            raise
        file, frames = Image.open(io.BytesIO(content), formats=FORMATS), Frames([0], size, 1)
    check_pixels(frames.pixels if reading.every_frame else size, reading.max_pixels)
    if reading.every_frame:
        check_frames(frames.pictures)
    return file, frames


def _check_tiles(file: Image.Image, max_pixels: int) -> None:
    """Raises ValueError for a TIFF whose tiles, which are unpacked whole, are larger than its picture may be."""
    if file.format == "TIFF":
        tags = file.tag_v2  # type: ignore[attr-defined]
        check_pixels(tags.get(TILE_WIDTH, 1) * tags.get(TILE_LENGTH, 1), max_pixels)


def _check_depth(file: Image.Image, content: bytes) -> None:
    """Raises ValueError for colours of more than 8 bits, which Pillow would cut to 8 without a word."""
    deep = ";16" in str(getattr(file, "tile", ""))
    if file.format == "JPEG2000" and (start := content.find(CODESTREAM)) >= 0:
        deep = (content[start + 42] & 127) + 1 > 8
    if len(file.getbands()) > 1 and deep:
        raise ValueError("it has more than 8 bits per colour; save it with 8")


def _in_sixteen_bits(file: Image.Image, picture: Image.Image, reading: Reading) -> tuple[Image.Image, Depth]:
    if file.format == "PPM" and picture.mode == "I":  # Pillow makes 65535 of its white, whatever that is in the file
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16))
    white_is_zero = file.format == "TIFF" and file.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore[attr-defined]
    return in_sixteen_bits(picture, reading.value_range, reading.whole_top, white_is_zero)


def _upright(picture: Image.Image) -> Image.Image:
    # Pillow would copy every picture, and look for EXIF in it.
    may_be_turned = picture.format == "TIFF" or not WITH_ORIENTATION.isdisjoint(picture.info)
    if may_be_turned and picture.getexif().get(ORIENTATION, 1) != 1:
        return ImageOps.exif_transpose(picture)
    return picture


def _is_gray(picture: Image.Image) -> bool:
    """Tells whether a picture is of a gray mode, or has a palette of which it uses gray colours alone."""
    if picture.mode != "P":
        return picture.mode in GRAY_MODES
    used = np.flatnonzero(picture.histogram())
    row = picture.crop((0, 0, len(used), 1))
    row.putdata(used)
    colours = np.asarray(_converted(row, "RGB"))
    return bool((colours == colours[..., :1]).all())


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    """Converts a picture to a mode, over white where that has no transparency, a few rows at a time."""
    if picture.mode == "I;16":
        picture = in_eight_bits(picture)
    result = Image.new(mode, picture.size)
    rows = max(1, AT_ONCE // picture.width)
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        part = picture.crop(box)
        if picture.has_transparency_data and mode != "RGBA":
            white = Image.new("RGBA", part.size, "white")
            part = Image.alpha_composite(white, part.convert("RGBA")).convert("RGB")
        result.paste(part.convert(mode), box)
    return result
