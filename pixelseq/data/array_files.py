"""Arrays in files: .npy, .npz and idx, read image by image; .npy and idx may be gzipped.

The sizes that a file claims are held to its own size where that says something, and no memory is taken for what is not
there: a file is read a piece at a time.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pixelseq.data.packed import check_members, check_unpacked
from pixelseq.imaging.axes import channels_first, find_order
from pixelseq.imaging.limits import check_pixels
from pixelseq.imaging.read import as_levels

PIECE = 2**20
"""The most bytes that are asked of a file at once."""
NPY_HEADER = 2**14
"""More bytes than NumPy reads of a header."""
IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""The types of numbers in idx files, by the third byte."""
IDX_AXES = range(1, 5)
GZIP = b"\x1f\x8b"
WHOLE = "iub"
"""The kinds of types of whole numbers."""


@dataclass(frozen=True)
class Array:
    """An array that is read as it is needed."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    """The bytes before the first number."""
    open: Callable[[], IO[bytes]]
    by_columns: bool = False
    """Whether numbers whose first index differs lie side by side."""

    def whole(self) -> NDArray:
        """Reads all of the array.

        Raises:
            ValueError: it is damaged.
        """
        with in_one_line(self.path), self.open() as file:
            file.seek(self.offset)
            content = _read(file, math.prod(self.shape) * self.dtype.itemsize)
            _check_end(file)
        return np.frombuffer(content, self.dtype).reshape(self.shape, order="F" if self.by_columns else "C")

    def rows(self) -> Iterator[NDArray]:
        """Reads the array along its first axis.

        Raises:
            ValueError: it is damaged.
        """
        if self.by_columns:
            yield from self.whole()
            return
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        with in_one_line(self.path), self.open() as file:
            file.seek(self.offset)
            for _ in range(self.shape[0]):
                yield np.frombuffer(_read(file, size), self.dtype).reshape(self.shape[1:])
            _check_end(file)


class _Size(NamedTuple):
    """The bytes of a file."""

    unpacked: int | None
    """What it unpacks to, None where it does not say so."""
    packed: int

    @classmethod
    def of(cls, path: Path) -> _Size:
        """Gives the size of a file, which may be gzipped."""
        size = path.stat().st_size
        return cls(None if _is_gzipped(path) else size, size)


@dataclass(frozen=True)
class GridFile:
    """A .npy of one image."""

    path: Path

    def read(self, channels: int | None, max_pixels: int) -> NDArray[np.integer]:
        """Reads the image, [C, H, W].

        Args:
            channels: C, where the user says so.
            max_pixels: the most pixels that it may have.

        Raises:
            ValueError: it is damaged, too large, or no image of whole numbers.
        """
        array = open_npy(self.path, max_pixels)
        check_whole(array, str(self.path))
        with named(f"{self.path}, one image as each .npy of a folder"):
            order = find_order(array.shape, channels)
            check_image(array.shape, order, max_pixels)
            return as_levels(channels_first(array.whole(), order))


def ending(path: Path) -> str:
    """Gives the ending of a file's name in small letters, without a .gz behind it."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def is_idx(path: Path) -> bool:
    """Tells by its first bytes whether a file is idx, as MNIST's are."""
    try:
        with open_unpacked(path) as file:
            start = file.read(4)
    except (OSError, EOFError, zlib.error):  # the file may not be read, or is a damaged .gz
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in IDX_TYPES and start[3] in IDX_AXES


def open_unpacked(path: Path) -> IO[bytes]:
    """Opens a file, or what is in it if it is gzipped."""
    return cast(IO[bytes], gzip.open(path)) if _is_gzipped(path) else path.open("rb")


def open_npy(path: Path, max_pixels: int) -> Array:
    """Opens a .npy.

    Args:
        path: the file.
        max_pixels: where it is gzipped, the most bytes that it unpacks to beyond `packed.MOST` times its own.

    Raises:
        ValueError: it is damaged, unpacks to too much, or holds anything but numbers.
    """
    with in_one_line(path):
        return _npy(path, partial(open_unpacked, path), _Size.of(path), max_pixels)


def open_npz(path: Path, max_pixels: int) -> dict[str, Array]:
    """Opens the arrays of a .npz, by their names.

    Args:
        path: the file.
        max_pixels: as in `open_npy`, for each array.

    Raises:
        ValueError: it is damaged, unpacks to too much, or holds anything but numbers.
    """
    found = {}
    with in_one_line(path), zipfile.ZipFile(path) as archive:
        check_members(path, archive.infolist())
        for info in archive.infolist():
            size = _Size(info.file_size, info.compress_size)
            name = info.filename.removesuffix(".npy")
            found[name] = _npy(path, partial(_open_member, path, info), size, max_pixels)
    return found


def open_idx(path: Path, max_pixels: int) -> Array:
    """Opens an idx file.

    Args:
        path: the file.
        max_pixels: as in `open_npy`.

    Raises:
        ValueError: it is damaged, or unpacks to too much.
    """
    with in_one_line(path):
        with open_unpacked(path) as file:
            start = _read(file, 4)
            shape = tuple(int.from_bytes(_read(file, 4), "big") for _ in range(start[3]))
        array = Array(path, shape, np.dtype(IDX_TYPES[start[2]]), 4 + 4 * len(shape), partial(open_unpacked, path))
        _check_size(array, _Size.of(path), max_pixels)
        return array


def check_image(shape: tuple[int, ...], order: str, max_pixels: int) -> None:
    """Raises ValueError where images have too many pixels.

    Args:
        shape: the sizes of the axes of an array.
        order: what these are, as `find_order` gives it.
        max_pixels: the most pixels that an image may have.
    """
    check_pixels(math.prod(size for size, axis in zip(shape, order, strict=True) if axis in "HW"), max_pixels)


def check_whole(array: Array, where: str) -> None:
    """Raises ValueError where an array does not hold whole numbers."""
    if array.dtype.kind not in WHOLE:
        raise ValueError(f"{where} holds {array.dtype}; whole numbers are expected: quantise it to levels first")


@contextmanager
def named(where: str) -> Iterator[None]:
    """Says in an error what it is of."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


@contextmanager
def in_one_line(path: Path) -> Iterator[None]:
    """Turns whatever NumPy, gzip and zipfile raise for a damaged file into a ValueError of one line."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # of many unrelated kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} holds no arrays of numbers that can be read: {reason}") from error


def _is_gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _open_member(path: Path, info: zipfile.ZipInfo) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        return archive.open(info)  # the .zip stays open until it is closed


def _npy(path: Path, opened: Callable[[], IO[bytes]], size: _Size, max_pixels: int) -> Array:
    with opened() as file:
        head = io.BytesIO(file.read(NPY_HEADER))
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(head)
    elif version == (2, 0):
        shape, by_columns, dtype = np.lib.format.read_array_header_2_0(head)
    else:
        raise ValueError(f"its version {version[0]}.{version[1]} is of arrays with named fields")
    if dtype.kind not in "biufc":
        raise ValueError(f"its values are {dtype}")
    array = Array(path, shape, dtype, head.tell(), opened, by_columns and len(shape) > 1)
    _check_size(array, size, max_pixels)
    return array


def _check_size(array: Array, size: _Size, max_pixels: int) -> None:
    claimed = array.offset + math.prod(array.shape) * array.dtype.itemsize
    if min(array.shape, default=0) < 0 or size.unpacked not in (None, claimed):
        raise ValueError(f"{array.dtype} {list(array.shape)} takes {claimed} bytes, but it has {size.unpacked}")
    images = array.shape[0] if len(array.shape) > 1 and claimed > size.packed else 0  # others are labels, or not packed
    check_unpacked(claimed, images, size.packed, max_pixels)


def _read(file: IO[bytes], count: int) -> bytearray:
    """Reads so many bytes, in pieces: memory is taken as they come."""
    content = bytearray()
    while len(content) < count:
        piece = file.read(min(PIECE, count - len(content)))
        if not piece:
            raise ValueError("it ends too early")
        content += piece
    return content


def _check_end(file: IO[bytes]) -> None:
    """Raises ValueError if anything follows; at the end of a file gzip and zipfile hold it to its checksum."""
    if file.read(1):
        raise ValueError("it goes on after its last number")
