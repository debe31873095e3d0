"""A picture that is written row by row, in memory that does not grow with its height. C colours, W columns."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from torch import Tensor

from pixelseq.imaging.levels import shades
from pixelseq.imaging.palette import palette
from pixelseq.imaging.pictures import check_pictures
from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.files import atomic_write

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""What a PNG calls gray, RGB and RGBA."""
PALETTE_TYPE = 3
FLUSH_BYTES = 2**16
"""Rows go to the file when they hold so many bytes."""


def save_png_stream(rows: Iterable[Tensor], pixel_format: PixelFormat, path: Path) -> int:
    """Writes rows to a PNG as they come.

    The file appears at the end, whole. Where the disk fills it appears with the rows that have found room.

    Args:
        rows: levels, each [C, W]; at least one.
        pixel_format: as in `to_picture`.
        path: the PNG to write.

    Returns:
        The number of rows.

    Raises:
        ValueError: a format that cannot be a picture.
        OSError: not all rows could be written; the message says how many the file holds.
    """
    failure = None
    with atomic_write(path) as beside, FileIO(beside, "w") as file:
        stream = PNGStream(file, pixel_format)
        try:
            for row in rows:
                stream.add(row)
            stream.flush()
        except OSError as error:
            if stream.height == 0:
                raise
            failure = error
    if failure:
        raise OSError(f"{failure.strerror}; {path} holds the first {stream.height} rows") from failure
    return stream.height


class PNGStream:
    """A PNG that grows at its lower end, and is whole after each flush.

    The header holds the height so far, and the end of the compressed stream and of the file stand after the last rows
    until the next ones take their place. A flush that finds no room puts them back where they were.
    Chunks: Portable Network Graphics (PNG) Specification, second edition (2003), section 11.

    Args:
        file: unbuffered, so that what finds no room is known; empty.
        pixel_format: as in `to_picture`.

    Raises:
        ValueError: a format that cannot be a picture.
    """

    def __init__(self, file: FileIO, pixel_format: PixelFormat) -> None:
        check_pictures(pixel_format)
        self.height = 0
        """Rows in the file."""
        self._file = file
        self._format = pixel_format
        self._compressor = zlib.compressobj()
        self._compressed = bytearray()
        self._rows, self._bytes = 0, 0  # not yet in the file
        self._width = 0
        self._end, self._closing = 0, b""  # where the next rows go, and what stands there

    def add(self, row: Tensor) -> None:
        """Adds a row of levels [C, W], as wide as the rows before it."""
        self._width = self._width or row.shape[1]
        assert row.shape == (self._format.channels, self._width)
        row = row.cpu().long().T
        values = shades(self._format.levels)[row] if self._format.ordered else row.byte()
        line = b"\0" + values.numpy().tobytes()  # 0: no filter
        self._compressed += self._compressor.compress(line)
        self._rows += 1
        self._bytes += len(line)
        if self._bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes the rows added so far.

        Raises:
            OSError: the file holds the rows of the flush before, and is whole.
        """
        if not self._rows:
            return
        start = b"" if self._end else self._header(self._rows) + self._palette()
        data = start + chunk(b"IDAT", bytes(self._compressed) + self._compressor.flush(zlib.Z_SYNC_FLUSH))
        closing = chunk(b"IDAT", self._compressor.copy().flush()) + chunk(b"IEND", b"")
        try:
            self._write(self._end, data + closing)
        except OSError:
            self._write(self._end, self._closing)
            self._file.truncate()
            raise
        self._end, self._closing = self._end + len(data), closing
        self.height += self._rows
        self._write(0, self._header(self.height))
        self._compressed.clear()
        self._rows, self._bytes = 0, 0

    def _header(self, height: int) -> bytes:
        colour = COLOUR_TYPES[self._format.channels] if self._format.ordered else PALETTE_TYPE
        return SIGNATURE + chunk(b"IHDR", struct.pack(">2I5B", self._width, height, 8, colour, 0, 0, 0))

    def _palette(self) -> bytes:
        return b"" if self._format.ordered else chunk(b"PLTE", palette(self._format.levels).tobytes())

    def _write(self, start: int, data: bytes) -> None:
        """Writes all of `data`; the system may take it in parts."""
        self._file.seek(start)
        while data:
            data = data[self._file.write(data) :]


def chunk(kind: bytes, data: bytes) -> bytes:
    """Gives a chunk of a PNG: its length before its data, a checksum after."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
