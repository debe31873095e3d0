"""What Pillow may take while it reads a file, and what may come of it: a picture, or one line."""

from __future__ import annotations

import ctypes
import logging
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from PIL import Image, UnidentifiedImageError

# Pillow would hand other formats, such as EPS, to programs outside.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")
MAX_PIXELS = 178_956_970
"""The most pixels that are read from one file unless the user allows more: Pillow's own limit."""
MOST_FRAMES = 10_000
"""The most frames of a file that are read, all of them: each takes time, however small it is."""
MOST_SCANS = 50
"""The most scans of a JPEG, each of which goes through all its pixels, however few bytes it has."""
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
)
"""What Pillow raises for damaged files."""
TOO_LARGE = (Image.DecompressionBombWarning, Image.DecompressionBombError)
START_OF_JPEG, END_OF_JPEG, SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""What begins a segment of a JPEG: none is within the data of a scan."""
_pillows_limit = threading.RLock()
# Otherwise Python writes to stderr what Pillow logs and nobody handles.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def in_one_line(name: str = "") -> Iterator[None]:
    """Turns whatever Pillow raises into a ValueError of one line; `name` comes before "no picture that can be read"."""
    try:
        yield
    except UnidentifiedImageError:
        raise ValueError(
            f"{name}no picture that can be read: none of {', '.join(FORMATS)}, or a rare kind of one"
        ) from None
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name}no picture that can be read: {reason}") from error


@contextmanager
def limited(max_pixels: int) -> Iterator[None]:
    """Lets Pillow read pictures of at most so many pixels, in silence, one thread at a time: it has one limit for all.

    What it warns of does not keep a picture from being read; what does is raised.
    """
    set_handler = _libtiffs_handler()
    with _pillows_limit, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        handler = set_handler(None)
        try:
            yield
        except TOO_LARGE:
            raise ValueError(too_large(max_pixels)) from None
        finally:
            set_handler(handler)
            Image.MAX_IMAGE_PIXELS = before


def check_pixels(count: int, max_pixels: int) -> None:
    """Raises ValueError for more pixels than are read from one file."""
    if count > max_pixels:
        raise ValueError(too_large(max_pixels))


def check_frames(count: int) -> None:
    """Raises ValueError for more frames than are read from one file."""
    if count > MOST_FRAMES:
        raise ValueError(f"it has more than {MOST_FRAMES} frames; split it into smaller files")


def check_scans(content: bytes, start: int) -> None:
    """Raises ValueError for a JPEG of more scans than are read.

    Args:
        content: the file.
        start: where the JPEG begins in it.
    """
    scans = 0
    while (marker := JPEG_MARKER.search(content, start)) and marker[0] != END_OF_JPEG:
        scans += marker[0] == SCAN
        if scans > MOST_SCANS:
            raise ValueError(f"it has more than {MOST_SCANS} scans; save it anew")
        length = 0 if marker[0] == START_OF_JPEG else int.from_bytes(content[marker.end() : marker.end() + 2])
        start = marker.end() + length


def too_large(max_pixels: int) -> str:
    """Says that something has more pixels than are read from one file."""
    return f"it has more than {max_pixels} pixels; raise the limit with `max_pixels`"


@cache
def _libtiffs_handler() -> Callable[[int | None], int | None]:
    """Gives libtiff's function that sets what is done with its errors, and returns what was; None is for nothing.

    By itself libtiff writes them to stderr, beside what Pillow raises.
    """
    try:
        set_handler = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # Pillow lacks libtiff, or hides it, as on Windows
        return lambda _: None
    set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
    return set_handler
