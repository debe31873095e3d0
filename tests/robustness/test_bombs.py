"""Small files that claim to be, or unpack to, far more than they are: read within the stated limits, or refused."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from array_bytes import npy
from benchmarks.memory import peak_kib, restart_peak
from mutations import within_seconds
from PIL import Image
from pyarrow import parquet

from pixelseq.data import DataOptions, load
from pixelseq.data.arrow_buffers import unpacked_size
from pixelseq.data.parquet_pages import check_pages, read_pages
from pixelseq.data.table_files import read_values
from pixelseq.imaging.png_stream import SIGNATURE, chunk
from pixelseq.imaging.read import Reading, decode_frames
from pixelseq.imaging.tileset import read_tileset
from pixelseq.pixel_format import PixelFormat

LIMIT = 10**6
"""The most pixels of a file."""
MIB = 64
"""The most MiB that reading takes besides the pixels."""
BYTES = 26
"""The most bytes that a pixel takes while it is read, as pixelseq/data/README.md says."""
TOO_LARGE = f"it has more than {LIMIT} pixels; raise the limit with `max_pixels`"
TOO_MUCH_TEXT = "no picture that can be read: Decompressed data too large"


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def deflated(start: bytes, repeated: bytes, times: int) -> bytes:
    """Deflates some bytes and then others so many times, without doing it: a block of them is written again."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(repeated) + deflate.flush(zlib.Z_FULL_FLUSH)
    return head + times * block + deflate.flush()


def zlib_zeros(mib: int) -> bytes:
    return b"\x78\xda" + deflated(b"", bytes(2**20), mib) + struct.pack(">L", (mib * 2**20 % 65521) << 16 | 1)


def gzipped(content: bytes) -> bytes:
    """A gzip of what is deflated; its checksum at the end is wrong, and nobody should get there."""
    return b"\x1f\x8b\x08" + bytes(7) + content + bytes(8)


def zipped(name: str, content: bytes, size: int) -> bytes:
    """A .zip of what is deflated to a size."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(content), size, len(name), 0) + name.encode()
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(content), size, len(name), *[0] * 6)
    entry += name.encode()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local) + len(content), 0)
    return local + content + entry + end


def overlapping(name: str, content: bytes, count: int) -> bytes:
    """A .zip whose many files are the same bytes of it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.filelist *= count
    return file.getvalue()


def claiming(*shape: int) -> bytes:
    """The head of a .npy of bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def with_chunks(*chunks: bytes) -> bytes:
    """A PNG of 2x2 pixels with more chunks."""
    png = encoded(Image.new("L", (2, 2)), "PNG")
    return png[:33] + b"".join(chunks) + png[33:]


def apng(claimed: int, frames: int, side: int) -> bytes:
    """A PNG of white frames, which claims to have another number of them."""
    row = zlib.compress((b"\0" + b"\xff" * side) * side)
    parts, number = [], iter(range(2 * frames))
    for k in range(frames):
        parts.append(chunk(b"fcTL", struct.pack(">5I2H2B", next(number), side, side, 0, 0, 1, 1, 0, 0)))
        parts.append(chunk(b"fdAT", struct.pack(">I", next(number)) + row) if k else chunk(b"IDAT", row))
    head = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0))
    return SIGNATURE + head + chunk(b"acTL", struct.pack(">2I", claimed, 0)) + b"".join(parts) + chunk(b"IEND", b"")


def gif(frames: int, side: int) -> bytes:
    """A GIF of frames that each draw one pixel."""
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<2H3B", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + frames * frame + b";"


def directory(tags: dict[int, tuple[int, int, int]], following: int) -> bytes:
    """A directory of a TIFF: each tag with its type, its count and its value; and where the next one is."""
    entries = b"".join(struct.pack("<2H2L", tag, *tags[tag]) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + struct.pack("<L", following)


ONE_PIXEL = {256: (4, 1, 1), 257: (4, 1, 1), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
RAW = ONE_PIXEL | {273: (4, 1, 0), 279: (4, 1, 1)}


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    return b"II*\0\x08\0\0\0" + directory(tags, 0) + data


def pages(count: int) -> bytes:
    """A TIFF of pages of one pixel."""
    size = len(directory(RAW, 0))
    return b"II*\0\x08\0\0\0" + b"".join(
        directory(RAW, 8 + size * (k + 1) if k < count - 1 else 0) for k in range(count)
    )


def tiled(side: int, packed: bytes) -> bytes:
    """A TIFF of one pixel in a huge tile."""
    tile = {259: (3, 1, 8), 322: (4, 1, side), 323: (4, 1, side), 324: (4, 1, 0), 325: (4, 1, len(packed))}
    start = 8 + len(directory(ONE_PIXEL | tile, 0))
    return tiff(ONE_PIXEL | tile | {324: (4, 1, start)}, packed)


def webp(frames: int, side: int) -> bytes:
    """A WebP of frames that differ, but little."""
    pictures = [Image.new("RGB", (side, side), (k, 0, 0)) for k in range(0, 2 * frames, 2)]
    return encoded(pictures[0], "WEBP", save_all=True, append_images=pictures[1:], lossless=True, quality=0)


def scanned(side: int, times: int) -> bytes:
    """A progressive JPEG whose last scan, which says of all pixels that nothing changes, comes again and again."""
    jpeg = encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + times * jpeg[last:-2] + jpeg[-2:]


def commented(content: bytes) -> bytes:
    """A JPEG with something in a comment, and behind its end, as phones put films there."""
    jpeg = encoded(Image.new("L", (2, 2)), "JPEG")
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(content)) + content + jpeg[2:] + content


TOO_MANY_FRAMES = "it has more than 10000 frames; split it into smaller files"
TOO_MANY_SCANS = "it has more than 50 scans; save it anew"

PICTURES = {
    "text of 1 GiB": (with_chunks(chunk(b"zTXt", b"k\0\0" + zlib_zeros(1024))), TOO_MUCH_TEXT, TOO_MUCH_TEXT),
    "other text of 1 GiB": (
        with_chunks(chunk(b"iTXt", b"k\0\1\0\0\0" + zlib_zeros(1024))),
        TOO_MUCH_TEXT,
        TOO_MUCH_TEXT,
    ),
    "colour profile of 1 GiB": (with_chunks(chunk(b"iCCP", b"k\0\0" + zlib_zeros(1024))), TOO_MUCH_TEXT, TOO_MUCH_TEXT),
    "many texts": (
        with_chunks(*(chunk(b"zTXt", b"%d\0\0" % k + zlib_zeros(1)[:-4]) for k in range(80))),
        "Too much memory used in text chunks",
        "Too much memory used in text chunks",
    ),
    "many chunks": (with_chunks(chunk(b"prVt", b"") * 20_000), 1, 1),
    "pixels of 1 GiB": (
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">2I5B", 2, 2, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib_zeros(1024))
        + chunk(b"IEND", b""),
        1,
        1,
    ),
    "2^31 - 1 frames claimed": (apng(2**31 - 1, 1, 1), 1, TOO_LARGE),
    "frames that are not there": (apng(10_000, 3, 1), 1, "frame 4: no picture that can be read"),
    "PNG of many frames": (apng(30, 30, 200), 1, TOO_LARGE),
    "PNG of as many frames as may be": (apng(25, 25, 200), 1, 25),
    "GIF of many frames": (gif(3000, 200), 1, TOO_LARGE),
    "GIF of as many frames as may be": (gif(25, 200), 1, 25),
    "WebP of many frames": (webp(30, 200), 1, TOO_LARGE),
    "TIFF of many pages": (pages(500), 1, 500),
    "TIFF of too many pages": (pages(100_000), 1, TOO_MANY_FRAMES),
    "GIF of too many frames": (gif(100_000, 1), 1, TOO_MANY_FRAMES),
    "PNG of too many frames": (apng(100_000, 2, 1), 1, TOO_MANY_FRAMES),
    "JPEG of many scans": (scanned(1000, 10_000), TOO_MANY_SCANS, TOO_MANY_SCANS),
    "JPEG of what looks like scans": (commented(b"\xff\xda\0\2" * 1000), 1, 1),
    "JPEG of many scans, as many as may be": (scanned(100, 45), 1, 1),
    "GIF of a huge canvas": (gif(3, 65535), TOO_LARGE, TOO_LARGE),
    "TIFF of a huge tile": (tiled(2**14, zlib_zeros(256)), TOO_LARGE, TOO_LARGE),
    "TIFF of a huge strip": (
        tiff(RAW | {259: (3, 1, 8), 278: (4, 1, 2**31), 279: (4, 1, 2**30)}),
        "is no picture",
        "is no",
    ),
    "TIFF of tags with one value": (
        tiff(RAW | {40_000 + k: (7, 60_000, 8) for k in range(5000)}, bytes(60_000)),
        1,
        1,
    ),
    **{
        f"{kind} of {mode}": (encoded(Image.new(mode, (1000, 1000)), kind), 1, 1)
        for kind, mode in [
            ("PNG", "1"),
            ("PNG", "I;16"),
            ("PNG", "RGBA"),
            ("JPEG", "CMYK"),
            ("JPEG2000", "RGBA"),
            ("WEBP", "RGBA"),
            ("GIF", "P"),
            ("TIFF", "F"),
        ]
    },
    **{
        f"{kind} a pixel too large": (encoded(Image.new("L", (1009, 992)), kind), TOO_LARGE, TOO_LARGE)
        for kind in ("PNG", "JPEG", "JPEG2000", "WEBP", "GIF", "TIFF", "BMP", "TGA", "PPM")
    },
}
"""Pictures, and what comes of their first frame and of all: a number of frames, or a message."""


@pytest.mark.parametrize("every_frame", [False, True], ids=["first", "all"])
@pytest.mark.parametrize("name", PICTURES)
def test_reading_a_picture_takes_the_memory_of_its_limit(name: str, every_frame: bool) -> None:
    content, *expected = PICTURES[name]
    result = expected[every_frame]
    reading = Reading(every_frame=every_frame, max_pixels=LIMIT, value_range=(0, 1) if name == "TIFF of F" else None)
    restart = restart_peak()
    with within_seconds(name):
        if isinstance(result, int):
            assert sum(1 for _ in decode_frames(content, reading)) == result
        else:
            with pytest.raises(ValueError, match="no picture that can be read") as caught:
                list(decode_frames(content, reading))
            assert result.removeprefix("is ") in str(caught.value)
    assert peak_kib() - restart < MIB * 1024 + BYTES * LIMIT // 1024


GIB = 1024
ARRAYS = {
    "a.npz": (
        zipped("a.npy", deflated(claiming(GIB * 16, 256, 256), bytes(2**20), GIB), GIB * 2**20 + 128),
        "unpack to",
    ),
    "a.npy.gz": (gzipped(deflated(claiming(GIB * 16, 256, 256), bytes(2**20), GIB)), "unpack to 1073741952"),
    "a.idx.gz": (
        gzipped(deflated(bytes([0, 0, 8, 3]) + struct.pack(">3L", GIB * 16, 256, 256), bytes(2**20), GIB)),
        "unpack to 1073741840",
    ),
    "rows.amat.gz": (gzipped(deflated(b"", (b"0 " * 4095 + b"0\n") * 128, 16)), "unpack to"),
    "empty.amat.gz": (gzipped(deflated(b"", b"\n" * 2**20, 16)), "unpack to"),
    "short.amat.gz": (gzipped(deflated(b"", b"0\n" * 2**19, 16)), "images or lines; at most"),
    "tiny.npy.gz": (
        gzipped(deflated(claiming(2**18, 1, 1), bytes(2**18), 1)),
        "unpack to 262144 images or lines; at most 1953 are read",
    ),
    "one.amat.gz": (gzipped(deflated(b"", b"0 " * 2**19, GIB)), "a row has 4194304 bytes or more"),
    "overlapping.npz": (overlapping("a.npy", npy(np.zeros((40, 1024, 1024), np.uint8)), 100), "its files overlap"),
    "overlapping.zip": (overlapping("a.png", bytes(2**20), 100), "its files overlap"),
    "labels.npz": (
        zipped("y_train.npy", deflated(claiming(GIB * 2**20), bytes(2**20), GIB), GIB * 2**20 + 128),
        "unpack to",
    ),
    "large.zip": (zipped("a.png", deflated(b"", bytes(2**20), GIB), GIB * 2**20), "a picture may have 268435456"),
    "image.npy": (npy(np.zeros((1001, 1000), np.uint8)), TOO_LARGE),
    "images.npy": (npy(np.zeros((5, 1001, 1000), np.uint8)), TOO_LARGE),
}
"""Arrays and archives, and why they are refused."""


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_unpacks_to_too_much_is_refused(name: str, tmp_path: Path) -> None:
    content, message = ARRAYS[name]
    (tmp_path / "small.npy").write_bytes(npy(np.zeros((6, 2, 5), np.uint8)))
    load(DataOptions(str(tmp_path / "small.npy")))  # what it imports takes memory, too
    (tmp_path / name).write_bytes(content)
    options = DataOptions(str(tmp_path / name), max_pixels=None if name.endswith(".zip") else LIMIT)
    restart = restart_peak()
    with within_seconds(name), pytest.raises(ValueError, match=f"{name}.*{message}") as caught:
        load(options)
    assert "\n" not in str(caught.value)
    assert peak_kib() - restart < MIB * 1024


TABLES = {
    "a value that packs well": (
        pa.array([bytes(2**26)]),
        {"compression": "zstd", "use_dictionary": False},
        "rows.parquet cannot be read: .* bytes unpack to 671",
    ),
    "a value of a dictionary again and again": (
        pa.array([bytes(2**19)] * 256),
        {},
        "no image of the 256 of .*rows.parquet|rows.parquet, .*row 0: no picture",
    ),
    "rows of nothing": (
        pa.nulls(100_000, pa.binary()),
        {},
        "rows.parquet cannot be read: .* bytes unpack to 100000 images or lines",
    ),
    "a run of values": (
        pa.array([[[0] * 1000] * 1000], pa.list_(pa.list_(pa.uint8()))),
        {},
        "rows.parquet cannot be read: .* bytes unpack to 8000",
    ),
}
"""Columns of images, how they are written, and why they are refused."""


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_unpacks_to_too_much_is_refused(name: str, streaming: bool, tmp_path: Path) -> None:
    column, options, message = TABLES[name]
    parquet.write_table(pa.table({"image": column}), tmp_path / "rows.parquet", **options)
    restart = restart_peak()
    with within_seconds(name), pytest.raises(ValueError, match=message):
        load(DataOptions(str(tmp_path / "rows.parquet"), image_column="image", max_pixels=LIMIT, streaming=streaming))
    assert peak_kib() - restart < MIB * 1024


def arrow(column: pa.Array, path: Path, opened: Callable[..., Any], compression: str | None) -> None:
    rows = pa.table({"image": column})
    with opened(str(path), rows.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as file:
        file.write_table(rows)


@pytest.mark.parametrize("opened", [pa.ipc.new_stream, pa.ipc.new_file], ids=["stream", "file"])
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_an_arrow_file_that_unpacks_to_too_much_is_refused(
    opened: Callable[..., Any], compression: str, tmp_path: Path
) -> None:
    arrow(pa.array([bytes(2**26)]), tmp_path / "rows.arrow", opened, compression)
    restart = restart_peak()
    with pytest.raises(ValueError, match=r"rows.arrow cannot be read: .* bytes unpack to 671"):
        load(DataOptions(str(tmp_path / "rows.arrow"), image_column="image", max_pixels=LIMIT))
    assert peak_kib() - restart < MIB * 1024


def test_a_value_of_a_dictionary_is_taken_a_few_times_at_once(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 256, pa.int8()), pa.array([bytes(2**19)]))
    arrow(column, tmp_path / "rows.arrow", pa.ipc.new_stream, None)
    restart = restart_peak()
    assert sum(len(values["image"]) for values in read_values(str(tmp_path / "rows.arrow"), "arrow", LIMIT)) == 256
    assert peak_kib() - restart < MIB * 1024


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_what_buffers_say_is_what_is_in_them(compression: str | None, tmp_path: Path) -> None:
    images = [np.random.default_rng(k).bytes(k) + bytes(k) for k in range(500)]
    arrow(pa.array(images), tmp_path / "rows.arrow", pa.ipc.new_stream, compression)
    content = pa.py_buffer((tmp_path / "rows.arrow").read_bytes())
    unpacked = sum(map(len, images)) + 4 * 501
    found = sum(
        unpacked_size(bytes(message.metadata), message.body, False)[1]
        for message in pa.ipc.MessageReader.open_stream(content)
        if message.type == "record batch"
    )
    assert 0 <= found - unpacked < 128  # buffers are filled up


@pytest.mark.parametrize("settings", [{}, {"data_page_version": "2.0", "compression": "zstd"}], ids=["v1", "v2"])
def test_what_pages_say_is_what_is_in_them(settings: dict, tmp_path: Path) -> None:
    rows = {"image": [[[1, 2], [3, 4]]] * 1000, "label": list(range(1000))}
    parquet.write_table(pa.table(rows), tmp_path / "rows.parquet", row_group_size=300, use_dictionary=False, **settings)
    content = (tmp_path / "rows.parquet").read_bytes()
    metadata = parquet.read_metadata(tmp_path / "rows.parquet")
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column, each in ((group.column(0), 4), (group.column(1), 1)):
            start, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
            assert sum(page.values for page in read_pages(content, start, end)) == each * group.num_rows
    assert check_pages(str(tmp_path / "rows.parquet"), metadata, ["image"], LIMIT) > 1


@pytest.mark.parametrize("name", ["image.npy", "images.npy"])
def test_the_limit_can_be_raised(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ARRAYS[name][0])
    data = load(DataOptions(str(tmp_path / name), max_pixels=1001 * 1000, crop="2x2"))
    assert data.train.channels == 1


def test_what_packs_well_is_read_up_to_the_limit(tmp_path: Path) -> None:
    content = deflated(claiming(16, 256, 256), bytes(2**20), 1)
    (tmp_path / "a.npz").write_bytes(zipped("train.npy", content, 2**20 + 128))
    options = DataOptions(str(tmp_path / "a.npz"), max_pixels=LIMIT)
    with pytest.raises(ValueError, match="unpack to 1048704; of more than 100 times as many, at most 1000000 are read"):
        load(options)
    (tmp_path / "a.npz").write_bytes(
        zipped("train.npy", deflated(claiming(15, 256, 256), bytes(15 * 2**16), 1), 983_168)
    )
    with pytest.raises(ValueError, match="Bad CRC-32"):  # that is, it is read
        load(options)


def test_tiles_are_within_one_limit_together(tmp_path: Path) -> None:
    tile = encoded(Image.new("1", (1000, 1000)), "PNG")
    for k in range(256):
        (tmp_path / f"{k}.png").write_bytes(tile)
    restart = restart_peak()
    with pytest.raises(ValueError, match=r"0\.png is too large: the 256 tiles have at most 178956970 pixels together"):
        read_tileset(tmp_path, PixelFormat())
    assert peak_kib() - restart < MIB * 1024
    assert math.prod(read_tileset(tmp_path, PixelFormat(levels=2)).tiles.shape) == 2 * 3 * LIMIT
