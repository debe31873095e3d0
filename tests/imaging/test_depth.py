"""Values of more than 8 bits: which are black, which white, and what a file says of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.read import Decoded, Reading, as_seen, decode_frames, decode_picture, open_picture
from pixelseq.pixel_format import PixelFormat

PHOTOMETRIC, ORIENTATION = 262, 274


def encoded(values: np.ndarray, kind: str = "TIFF", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def read(content: bytes, **reading: object) -> Decoded:
    """The one frame of a picture."""
    (frame,) = decode_frames(content, Reading(**reading))  # type: ignore[arg-type]
    return frame


def sixteen(*values: int) -> np.ndarray:
    return np.array([values], dtype=np.uint16)


def big_endian(values: np.ndarray) -> bytes:
    """A TIFF of 16 bits in the other order of bytes, which Pillow does not write."""
    data = values.astype(">u2").tobytes()
    tags = {256: values.shape[1], 257: len(values), 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: len(values), 279: 0}
    tags[279] = len(data)
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return struct.pack(">2sHI", b"MM", 42, 8 + len(data)) + data + struct.pack(">H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("values", "shades"),
    [
        (sixteen(0, 128, 129, 65535), [0, 0, 1, 255]),
        (sixteen(0, 1, 255), [0, 0, 1]),  # 16 bits are 16 bits, however dark
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255]),
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255]),
        (np.array([[0, 257, 30000]], np.int16), [0, 1, 117]),
    ],
)
def test_black_and_white_by_default(values: np.ndarray, shades: list[int]) -> None:
    contents = [encoded(values)] if values.dtype != np.int16 else [signed(values)]
    if values.dtype == np.uint16:
        contents += [encoded(values, "PNG"), encoded(values, "PPM"), big_endian(values)]
    for content in contents:
        frame = read(content)
        assert frame.pixels.tolist() == [[shades]]
        assert frame.depth is not None
        assert frame.depth.bits == (16 if values.dtype == np.uint16 else 32)
        assert frame.depth[1:] == (values.max(), values.size, 0)


def signed(values: np.ndarray) -> bytes:
    """A TIFF of signed 16 bits, which Pillow opens as 32."""
    return encoded(values.view(np.uint16), tiffinfo={339: 2})


def test_one_white_for_all_whole_numbers_of_32_bits() -> None:
    content = encoded(np.array([[0, 7, 255]], np.int32))
    assert read(content, whole_top=255).pixels.tolist() == [[[0, 7, 255]]]
    assert read(content, whole_top=65535).pixels.tolist() == [[[0, 0, 1]]]
    assert read(content, whole_top=65535, value_range=(0, 127.5)).pixels.tolist() == [[[0, 14, 255]]]


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_a_range_says_what_is_black_and_white(kind: type) -> None:
    values = np.array([[0, 100, 101, 150, 200, 1000, 4095]], kind)
    frame = read(encoded(values), value_range=(100, 200))
    assert frame.pixels.tolist() == [[[0, 0, 3, 127, 255, 255, 255]]]  # 2.55 is 3, 127.5 the lower one of two
    assert frame.depth is not None
    assert (frame.depth.largest, frame.depth.values, frame.depth.outside) == (4095, 7, 3)
    whole = np.arange(4096, dtype=kind)[None]
    seen = read(encoded(whole), value_range=(0, 4095)).pixels
    np.testing.assert_array_equal(seen, (whole[None] / 4095 * 255).round())
    eight = read(encoded(values.astype(np.uint8)), value_range=(100, 200))
    assert eight.depth is None
    assert eight.pixels.tolist() == [[[0, 100, 101, 150, 200, 232, 255]]]


def test_the_whole_range_of_16_bits_changes_nothing() -> None:
    content = encoded(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    np.testing.assert_array_equal(read(content).pixels, read(content, value_range=(0, 65535)).pixels)


def test_numbers_without_a_meaning_are_refused() -> None:
    for values, reason in (
        (np.array([[-1, 5]], np.int32), "its values go from -1 to 5; say which are black and white with `range`"),
        (np.array([[0, 65536]], np.int32), "its values go from 0 to 65536; say which are black and white with `range`"),
        (
            np.array([[0, 0.5]], np.float32),
            "its pixels are floating-point numbers; say .* black and white with `range`",
        ),
    ):
        with pytest.raises(ValueError, match=f"^no picture that can be read: {reason}$"):
            read(encoded(values))
        assert read(encoded(values), value_range=(-1, 1)).pixels.shape == (1, 1, 2)
    with pytest.raises(ValueError, match="some of its values are no numbers"):
        read(encoded(np.array([[0, np.nan]], np.float32)), value_range=(0, 1))
    infinite = encoded(np.array([[-np.inf, 0.5, np.inf]], np.float32))
    assert read(infinite, value_range=(0, 1)).pixels.tolist() == [[[0, 127, 255]]]


@pytest.mark.parametrize(
    ("value_range", "seen"), [(None, [200, 100]), ((0, 51400), [255, 127]), ((25700, 51400), [255, 0])], ids=str
)
def test_a_transparent_value_is_seen_as_in_8_bits(value_range: tuple[float, float] | None, seen: list[int]) -> None:
    shades = np.array([[0, 200, 100]], np.uint8)
    deep = encoded(shades.astype(np.uint16) * 257, "PNG", transparency=0)
    for channels in (1, 3):
        frame = read(deep, channels=channels, value_range=value_range)
        assert frame.pixels.tolist() == [[[255, *seen]]] * channels
    rgba = read(deep, channels=4, value_range=value_range)
    assert rgba.pixels.tolist() == [[[0, *seen]]] * 3 + [[[0, 255, 255]]]
    eight = encoded(shades, "PNG", transparency=0)
    for channels in (1, 3, 4):
        as_eight = read(deep, channels=channels).pixels
        np.testing.assert_array_equal(read(eight, channels=channels).pixels, as_eight)


def test_a_picture_of_16_bits_is_opened_as_it_is() -> None:
    opened = open_picture(encoded(sixteen(0, 5, 65535), "PNG", transparency=5))
    assert np.asarray(opened).tolist() == [[0, 5, 65535]]
    assert opened.info["transparency"] == 5


def test_transparent_values_stay_apart_from_what_a_range_makes_black() -> None:
    content = encoded(sixteen(5, 6, 7, 900), "PNG", transparency=6)
    assert read(content, value_range=(100, 900)).pixels.tolist() == [[[0, 255, 0, 255]]]


@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16, np.float32])
def test_where_a_tiff_says_that_0_is_white_it_is(kind: type) -> None:
    values = np.array([[0, {np.uint8: 255, np.uint16: 65535}.get(kind, 1)]], kind)
    if kind in (bool, np.uint8):
        values = values[:, ::-1]  # Pillow turns them around as it writes them
    content = encoded(values, tiffinfo={PHOTOMETRIC: 0})
    with Image.open(io.BytesIO(content)) as picture:
        assert isinstance(picture, TiffImagePlugin.TiffImageFile)
        assert picture.tag_v2[PHOTOMETRIC] == 0
    frame = read(content, value_range=(0, 1) if kind is np.float32 else None)
    assert frame.pixels.tolist() == [[[255, 0]]]


def test_a_range_of_a_tiff_whose_0_is_white_names_the_file_s_values() -> None:
    content = encoded(sixteen(0, 4095, 1365), tiffinfo={PHOTOMETRIC: 0})
    assert read(content, value_range=(0, 4095)).pixels.tolist() == [[[255, 0, 170]]]
    assert read(content).pixels.tolist() == [[[255, 239, 250]]]


def test_deep_pictures_are_set_upright() -> None:
    for kind, white in ((np.uint16, 0), (np.int32, 65535), (np.float32, 0)):
        values = abs(white - np.array([[65535, 0], [0, 257]])).astype(kind)
        content = encoded(values, tiffinfo={ORIENTATION: 6, PHOTOMETRIC: int(white > 0)})
        seen = read(content, value_range=(0, 65535)).pixels
        assert seen[0].tolist() == [[255, 0], [254, 255]]  # turned to the right


def test_an_opened_picture_is_of_8_or_of_16_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for content, mode, values, value_range in (
        (big_endian(sixteen(1, 65535)), "I;16", [1, 65535], None),
        (encoded(np.array([[1, 255]], np.int32)), "L", [1, 255], None),
        (encoded(np.array([[1, 256]], np.int32)), "I;16", [1, 256], None),
        (encoded(np.array([[-0.5, 0.5]], np.float32)), "I;16", [0, 65535], (-0.5, 0.5)),
        (encoded(sixteen(0, 4095)), "I;16", [0, 65535], (0, 4095)),
        (encoded(sixteen(0, 4095), tiffinfo={PHOTOMETRIC: 0}), "I;16", [65535, 61440], None),
    ):
        path.write_bytes(content)
        picture = open_picture(path, value_range=value_range)
        assert picture.mode == mode
        assert np.asarray(picture).tolist() == [values]
        assert as_seen(picture).tolist() == read(content, value_range=value_range).pixels.tolist()


def test_completion_takes_any_order_of_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(big_endian(sixteen(257, 514)))
    partial = read_partial(tmp_path / "a.tif", PixelFormat(levels=256), lambda _: torch.tensor([[True, False]]))
    assert partial.levels.tolist() == [[[1, 2]]]
    assert np.asarray(partial.filled(torch.tensor([[[0, 9]]]))).tolist() == [[257, 9 * 257]]


def test_colours_of_more_than_8_bits_in_a_jpeg_2000_are_refused() -> None:
    content = bytearray(encoded(np.zeros((4, 4, 3), np.uint8), "JPEG2000"))
    start = content.index(b"\xff\x4f\xff\x51") + 40
    assert content[start : start + 3] == b"\0\3\7"  # 3 colours, the first of 7 + 1 bits
    decode_picture(bytes(content))
    for colour in range(3):
        content[start + 2 + 3 * colour] = 11
    with pytest.raises(ValueError, match="it has more than 8 bits per colour; save it with 8"):
        decode_picture(bytes(content))
    gray = encoded(sixteen(*range(0, 65536, 257)).repeat(2, 0), "JPEG2000", irreversible=False)
    np.testing.assert_array_equal(decode_picture(gray)[0][0, 0], np.arange(256))
