"""A picture that is written row by row, in memory that does not grow with its height. C colours, W columns."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from torch import Tensor

from pixelseq.imaging.palette import palette
from pixelseq.imaging.pictures import check_pictures, shades
from pixelseq.model.config import PixelsName
from pixelseq.runtime.files import whole_file

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # gray, RGB, RGBA
PALETTE_TYPE = 3
FLUSH_BYTES = 2**16
"""Rows go to the file when they hold so many bytes."""


def save_strip(rows: Iterable[Tensor], levels: int, path: Path, pixels: PixelsName = "ordinal") -> int:
    """Writes rows to a PNG as they come.

    The file appears at the end, whole. Where the disk fills it appears with the rows that have found room.

    Args:
        rows: levels, each [C, W]; at least one.
        levels: V.
        path: of the PNG.
        pixels: "ordinal", gray, RGB or RGBA for C = 1, 3, 4; "categorical", with a palette that the picture holds.

    Returns:
        The number of rows.

    Raises:
        ValueError: another C, or too many levels.
        OSError: not all rows could be written; the message says how many the file holds.
    """
    failure = None
    with whole_file(path) as beside, FileIO(beside, "w") as file:
        strip = Strip(file, levels, pixels)
        try:
            for row in rows:
                strip.add(row)
            strip.flush()
        except OSError as error:
            if strip.height == 0:
                raise
            failure = error
    if failure:
        raise OSError(f"{failure.strerror}; {path} holds the first {strip.height} rows") from failure
    return strip.height


class Strip:
    """A PNG that grows at its lower end, and is whole after each flush.

    The header holds the height so far, and the end of the compressed stream and of the file stand after the last rows
    until the next ones take their place. A flush that finds no room puts them back where they were.
    Chunks: Portable Network Graphics (PNG) Specification, second edition (2003), section 11.

    Args:
        file: unbuffered, so that what finds no room is known; empty.
        levels: V.
        pixels: as in `save_strip`.
    """

    def __init__(self, file: FileIO, levels: int, pixels: PixelsName = "ordinal") -> None:
        self.height = 0
        """Rows in the file."""
        self._file = file
        self._levels, self._pixels = levels, pixels
        self._compressor = zlib.compressobj()
        self._compressed = bytearray()
        self._rows, self._bytes = 0, 0  # not yet in the file
        self._width, self._channels = 0, 0
        self._end, self._closing = 0, b""  # where the next rows go, and what stands there

    def add(self, row: Tensor) -> None:
        """Adds a row of levels [C, W], as many as the rows before it have."""
        if not self._width:
            self._channels, self._width = row.shape
            check_pictures(self._channels, self._levels, self._pixels)
        assert row.shape == (self._channels, self._width)
        row = row.cpu().long().T
        values = row.byte() if self._pixels == "categorical" else shades(self._levels)[row]
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
        data = start + _chunk(b"IDAT", bytes(self._compressed) + self._compressor.flush(zlib.Z_SYNC_FLUSH))
        closing = _chunk(b"IDAT", self._compressor.copy().flush()) + _chunk(b"IEND", b"")
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
        colour = PALETTE_TYPE if self._pixels == "categorical" else COLOUR_TYPES[self._channels]
        return SIGNATURE + _chunk(b"IHDR", struct.pack(">2I5B", self._width, height, 8, colour, 0, 0, 0))

    def _palette(self) -> bytes:
        return _chunk(b"PLTE", palette(self._levels).tobytes()) if self._pixels == "categorical" else b""

    def _write(self, at: int, data: bytes) -> None:
        """Writes all of `data`; the system may take it in parts."""
        self._file.seek(at)
        while data:
            data = data[self._file.write(data) :]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
