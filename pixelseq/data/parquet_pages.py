"""What a parquet file unpacks to, by its pages' headers: pyarrow has no limit, and a few bytes can ask for gigabytes.

A page is compressed, and encoded besides: a value of a dictionary is written once, and a run of values as its length.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pixelseq.data.packed import check_unpacked

if TYPE_CHECKING:
    import pyarrow.parquet

Content = bytes | mmap.mmap

VALUE = 8
"""The bytes that a value counts as at least."""
# Fields of the thrift structures PageHeader and DataPageHeader, DictionaryPageHeader, DataPageHeaderV2.
UNPACKED, PACKED, KINDS, VALUES = 2, 3, (5, 7, 8), 1
# Types of thrift's compact protocol.
STOP, BOOLS, BYTE, DOUBLE, BINARY, LISTS, STRUCT = 0, (1, 2), 3, 7, 8, (9, 10), 12


class Page(NamedTuple):
    """What the header of a page says."""

    unpacked: int
    """The bytes that the page unpacks to."""
    values: int
    """The number of its values."""


def check_pages(
    file: str, metadata: pyarrow.parquet.FileMetaData, columns: Sequence[str] | None, max_pixels: int
) -> int:
    """Checks that a parquet file unpacks to no more than `packed.check_unpacked` allows.

    Args:
        file: the file.
        metadata: what pyarrow reads at its end.
        columns: the columns that are read; None for all.
        max_pixels: the most bytes that come of less than a hundredth of them; a value counts as 8 bytes at least.

    Returns:
        The number of rows that take no more than so many bytes, if each has a value as large as a page; 1 at least.

    Raises:
        ValueError: it unpacks to more, or is damaged.
    """
    found: list[Page] = []
    packed = 0
    with Path(file).open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        for group in (group for group in groups if group.num_rows):  # others have no pages
            for chunk in map(group.column, range(group.num_columns)):
                if columns is None or any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns):
                    # Some writers name no dictionary by 0, and some name one behind the first page, where none is.
                    start = min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset)
                    packed += chunk.total_compressed_size
                    found += read_pages(content, start, start + chunk.total_compressed_size)
    unpacked = sum(max(page.unpacked, VALUE * page.values) for page in found)
    check_unpacked(unpacked, metadata.num_rows, min(packed, Path(file).stat().st_size), max_pixels)
    return max(1, max_pixels // max((page.unpacked for page in found), default=1))


def read_pages(content: Content, start: int, end: int) -> Iterator[Page]:
    """Reads the headers of the pages of a column's chunk, which lies between two places.

    Raises:
        ValueError: a header is damaged.
    """
    while start < end:
        try:
            header, start = _struct(content, start)
            values = max(header[kind][VALUES] for kind in KINDS if kind in header)
            start += header[PACKED]
            if min(header[PACKED], header[UNPACKED], values) < 0:
                raise ValueError("negative")
        except (LookupError, ValueError, TypeError, RecursionError):
            raise ValueError("the header of a page is damaged") from None
        yield Page(header[UNPACKED], values)


def _struct(content: Content, at: int) -> tuple[dict[int, Any], int]:
    """Reads a structure in thrift's compact protocol; gives its whole numbers and structures, and where it ends."""
    fields: dict[int, Any] = {}
    field = 0
    while (head := content[at]) & 15 != STOP:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _number(content, at)
        if head & 15 in BOOLS:
            continue
        fields[field], at = _value(content, at, head & 15)
    return fields, at + 1


def _value(content: Content, at: int, kind: int) -> tuple[Any, int]:
    if kind == STRUCT:
        return _struct(content, at)
    if kind == BYTE or kind in BOOLS:
        return None, at + 1
    if kind == DOUBLE:
        return None, at + 8
    if kind == BINARY:
        length, at = _varint(content, at)
        return None, at + length
    if kind in LISTS:
        head, at = content[at], at + 1
        length, at = (head >> 4, at) if head >> 4 < 15 else _varint(content, at)
        for _ in range(length):
            _, at = _value(content, at, head & 15)
        return None, at
    return _number(content, at)


def _number(content: Content, at: int) -> tuple[int, int]:
    """Reads a whole number, whose last bit is its sign."""
    value, at = _varint(content, at)
    return value >> 1 ^ -(value & 1), at


def _varint(content: Content, at: int) -> tuple[int, int]:
    value = shift = 0
    while content[at] & 128 and shift < 63:
        value |= (content[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | content[at] << shift, at + 1
