"""What an arrow file unpacks to, by the heads of its messages: pyarrow has no limit for buffers that are compressed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pixelseq.data.packed import check_unpacked

if TYPE_CHECKING:
    import pyarrow

BATCHES = ("record batch", "dictionary")
# Fields of the flatbuffers Message, DictionaryBatch and RecordBatch.
HEADER, DATA, LENGTH, BUFFERS, COMPRESSION = 2, 1, 0, 2, 3
STORED = -1
"""The size that is written before a buffer which is left as it is among compressed ones."""


def check_buffers(content: pyarrow.Buffer, max_pixels: int) -> int:
    """Checks that a stream of arrow's messages unpacks to no more than `packed.check_unpacked` allows.

    Args:
        content: the stream.
        max_pixels: the most bytes that come of less than a hundredth of them.

    Returns:
        The number of rows that take no more than so many bytes, if each is a whole dictionary; 1 at least.

    Raises:
        ValueError: it unpacks to more, or is damaged.
    """
    import pyarrow

    unpacked = packed = rows = 0
    largest = 1
    for message in pyarrow.ipc.MessageReader.open_stream(content):
        if message.type not in BATCHES or message.body is None:
            continue
        try:
            count, size = unpacked_size(bytes(message.metadata), message.body, message.type == "dictionary")
        except struct.error:
            raise ValueError("the head of a batch is damaged") from None
        packed += message.body.size
        unpacked += size
        if message.type == "dictionary":
            largest = max(largest, size)
        else:
            rows += count
    check_unpacked(unpacked, rows, packed, max_pixels)
    return max(1, max_pixels // largest)


def unpacked_size(head: bytes, body: Any, is_dictionary: bool) -> tuple[int, int]:
    """Gives the number of rows of a batch, and the bytes that it unpacks to.

    Args:
        head: the flatbuffer of its message.
        body: its buffers.
        is_dictionary: whether it is a batch of a dictionary.

    Raises:
        struct.error: the head is damaged.
    """
    batch = _target(head, _field(head, _target(head, 0), HEADER))
    if is_dictionary:
        batch = _target(head, _field(head, batch, DATA))
    count = _number(head, at, "<q") if (at := _field(head, batch, LENGTH)) else 0
    if not _field(head, batch, COMPRESSION):
        return count, body.size
    buffers = _target(head, _field(head, batch, BUFFERS))
    unpacked = 0
    for k in range(_number(head, buffers, "<I")):
        at = buffers + 4 + 16 * k
        start, length = _number(head, at, "<q"), _number(head, at + 8, "<q")
        size = _number(body, start, "<q") if length > 0 else 0
        unpacked += length if size == STORED else max(0, size)
    return count, unpacked


def _field(head: bytes, table: int, number: int) -> int:
    """Gives where a field of a table lies; 0 where the table lacks it."""
    offsets = table - _number(head, table, "<i")
    place = 4 + 2 * number
    offset = _number(head, offsets + place, "<H") if place < _number(head, offsets, "<H") else 0
    return table + offset if offset else 0


def _target(head: bytes, at: int) -> int:
    return at + _number(head, at, "<I")


def _number(content: Any, at: int, kind: str) -> int:
    if at < 0:
        raise struct.error
    return struct.unpack_from(kind, content, at)[0]
