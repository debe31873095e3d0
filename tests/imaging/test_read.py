"""Pictures of every kind become the values that a person sees."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pixelseq.imaging.read import _plain_png, decode_grid, decode_picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


GRAY = np.array([[0, 100, 255], [7, 8, 9]], dtype=np.uint8)
COLOUR = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=2)


def test_gray_and_colour_come_as_they_are() -> None:
    gray, bilevel = decode_picture(encoded(Image.fromarray(GRAY)))
    assert not bilevel
    np.testing.assert_array_equal(gray, GRAY[None])
    colour, _ = decode_picture(encoded(Image.fromarray(COLOUR)))
    np.testing.assert_array_equal(colour, COLOUR.transpose(2, 0, 1))
    three, _ = decode_picture(encoded(Image.fromarray(GRAY)), channels=3)
    np.testing.assert_array_equal(three, np.stack([GRAY] * 3))
    one, _ = decode_picture(encoded(Image.new("RGB", (1, 1), (255, 0, 0))), channels=1)
    assert one.tolist() == [[[76]]]  # the luma of pure red, 0.299 * 255


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (3, 50), (300, 200)])
def test_plain_pngs_are_decoded_without_pillow_to_the_same(mode: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    expected = np.asarray(picture).reshape(size[1], size[0], -1).transpose(2, 0, 1)
    for content in (encoded(picture), encoded(picture, compress_level=0)):
        plain = _plain_png(content, None)
        assert (plain is None) == (content.count(b"IDAT") > 1)  # Pillow writes pieces of 64 KiB
        if plain is not None:
            np.testing.assert_array_equal(plain, expected)
        np.testing.assert_array_equal(decode_picture(content)[0], expected)


def test_pngs_of_more_than_plain_pixels_are_left_to_pillow() -> None:
    gray, note = Image.fromarray(GRAY), PngInfo()
    note.add_text("Software", "a program")
    turned = Image.Exif()
    turned[0x0112] = 6
    plain = encoded(gray)
    others = [
        encoded(gray, transparency=7),
        encoded(gray, pnginfo=note),
        encoded(gray, exif=turned),
        encoded(gray.convert("P")),
        encoded(gray.convert("1")),
        encoded(gray.convert("LA")),
        encoded(gray, "TIFF"),
        plain[:-12] + b"\0\0\0\0tEXt\0\0\0\0" + plain[-12:],
        plain[:28] + b"\1" + plain[29:],  # interlaced
        plain[:20],
        b"",
    ]
    assert _plain_png(plain, None) is not None
    assert _plain_png(plain, 3) is None
    assert [_plain_png(content, None) for content in others] == [None] * len(others)


def test_a_plain_png_whose_pixels_do_not_unpack_is_refused() -> None:
    chunk = b"IDAT" + zlib.compress(b"\0 too few")
    content = encoded(Image.fromarray(GRAY))[:33] + (len(chunk) - 4).to_bytes(4) + chunk
    content += zlib.crc32(chunk).to_bytes(4) + b"\0\0\0\0IEND\xaeB`\x82"
    with pytest.raises(ValueError, match="no picture that can be decoded: spng"):
        decode_picture(content)


def test_one_bit_is_black_and_white() -> None:
    values, bilevel = decode_picture(encoded(Image.fromarray(np.array([[False, True]]))))
    assert bilevel
    assert values.tolist() == [[[0, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_rounded_to_eight(kind: str) -> None:
    deep = np.array([[0, 128, 129, 257 * 77, 65535]], dtype=np.uint16)
    values, _ = decode_picture(encoded(Image.fromarray(deep), kind))
    assert values.tolist() == [[[0, 0, 1, 77, 255]]]


def test_palettes_are_looked_up() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    picture.putpixel((1, 0), 1)
    values, _ = decode_picture(encoded(picture))
    assert values[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 0]]
    values, _ = decode_picture(encoded(picture, transparency=1))
    assert values[:, 0].T.tolist() == [[10, 20, 30], [255, 255, 255]]


def test_transparency_is_seen_over_white() -> None:
    picture = Image.new("RGBA", (3, 1), (200, 0, 100, 255))
    picture.putpixel((1, 0), (200, 0, 100, 0))
    picture.putpixel((2, 0), (0, 0, 0, 51))
    values, _ = decode_picture(encoded(picture))
    assert values[:, 0].T.tolist() == [[200, 0, 100], [255, 255, 255], [204, 204, 204]]
    kept, _ = decode_picture(encoded(picture), channels=4)
    assert kept[:, 0].T.tolist() == [[200, 0, 100, 255], [200, 0, 100, 0], [0, 0, 0, 51]]
    gray, _ = decode_picture(encoded(Image.new("LA", (1, 1), (0, 0))))
    assert gray.tolist() == [[[255]]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_turned_photograph_is_set_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the top of the scene is on the left of the file
    picture = Image.new("L", (32, 16), 0)
    picture.paste(255, (0, 0, 16, 16))
    values, _ = decode_picture(encoded(picture.convert("RGB"), kind, exif=exif))
    assert values.shape == (3, 32, 16)
    assert values[:, :14].min() > 200
    assert values[:, 18:].max() < 50


def test_cmyk_is_printed_on_white() -> None:
    values, _ = decode_picture(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert values[:, 0, 0].tolist() == [255, 0, 0]
    values, _ = decode_picture(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert values.min() >= 254


def test_resizing_averages() -> None:
    stripes = np.tile(np.array([[0, 255]], dtype=np.uint8), (64, 32))
    values, bilevel = decode_picture(encoded(Image.fromarray(stripes)), size=(4, 8))
    assert values.shape == (1, 4, 8)
    assert abs(int(values[0, 2, 4]) - 127) <= 8
    _, bilevel = decode_picture(encoded(Image.fromarray(stripes > 0)), size=(4, 8))
    assert not bilevel


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))
    for content in (b"", b"text", whole[: len(whole) // 2]):
        with pytest.raises(ValueError, match="no picture that can be decoded"):
            decode_picture(content)
    with pytest.raises(ValueError, match="floating-point"):
        decode_picture(encoded(Image.new("F", (2, 2), 0.5), "TIFF"))
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n")
    with pytest.raises(ValueError, match="no picture that can be decoded: none of PNG, JPEG, "):
        decode_picture(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_a_picture_beyond_pillows_limit_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.fromarray(GRAY), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(ValueError, match="exceeds limit of 4 pixels"):
        decode_picture(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # no limit
    np.testing.assert_array_equal(decode_picture(content)[0], GRAY[None])


def test_grids() -> None:
    assert decode_grid([[1, 2], [3, 4]]).tolist() == [[[1, 2], [3, 4]]]
    assert decode_grid([[[1, 2]], [[3, 4]]]).shape == (2, 1, 2)
    for values, message in [
        ([[1, 2], [3]], "rows are of unlike widths"),
        ([[0.5]], "holds float64"),
        ([[256]], "values from 256 to 256"),
        ([[-1]], "values from -1"),
        ([1, 2], "its shape is"),
        ([[], []], "holds float64|its shape is"),
    ]:
        with pytest.raises(ValueError, match=message):
            decode_grid(values)
