"""Pictures of every kind become the values that a person sees."""

from __future__ import annotations

import ast
import io
import logging
import math
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

import pixelseq
from pixelseq.imaging.limits import FORMATS, MAX_PIXELS
from pixelseq.imaging.masks import known_rows, opaque, read_mask
from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.pictures import read_image
from pixelseq.imaging.png_stream import SIGNATURE, chunk
from pixelseq.imaging.read import SUFFIXES, as_seen, decode_grid, decode_picture, open_picture
from pixelseq.pixel_format import PixelFormat

READERS: dict[str, Callable[[Path], object]] = {
    "training": decode_picture,
    "completion": lambda path: read_partial(path, PixelFormat(3), lambda seen: known_rows(0, seen.height, seen.width)),
    "alpha": lambda path: read_partial(path, PixelFormat(3), opaque),
    "mask": read_mask,
    "image": lambda path: read_image(path, PixelFormat(3)),
}
everywhere = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def png(depth: int, colour: int, row: bytes) -> bytes:
    """A PNG of one pixel, of kinds that Pillow cannot write."""
    header = struct.pack(">2I5B", 1, 1, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


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
def test_pngs_of_any_size_come_as_they_are(mode: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    expected = np.asarray(picture).reshape(size[1], size[0], -1).transpose(2, 0, 1)
    for content in (encoded(picture), encoded(picture, compress_level=0)):
        np.testing.assert_array_equal(decode_picture(content)[0], expected)


def test_notes_in_a_png_change_nothing() -> None:
    gray, note = Image.fromarray(GRAY), PngInfo()
    note.add_text("Software", "a program")
    plain = encoded(gray)
    for content in (
        encoded(gray, pnginfo=note),
        encoded(gray, dpi=(72, 72)),
        encoded(gray, exif=Image.Exif()),
        encoded(gray, "TIFF"),
        plain[:-12] + chunk(b"tEXt", b"") + plain[-12:],
    ):
        np.testing.assert_array_equal(decode_picture(content)[0], GRAY[None])
    seen, _ = decode_picture(encoded(gray, transparency=7))
    assert seen.tolist() == [[[0, 100, 255], [255, 8, 9]]]


def test_a_png_whose_pixels_do_not_unpack_is_refused() -> None:
    content = encoded(Image.fromarray(GRAY))[:33]
    content += chunk(b"IDAT", zlib.compress(b"\0 too few")) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="no picture that can be read: unrecognized data"):
        decode_picture(content)


@everywhere
@pytest.mark.parametrize(("colour", "values"), [(2, 3), (4, 2), (6, 4)], ids=["RGB", "LA", "RGBA"])
def test_colours_of_16_bits_are_refused(
    tmp_path: Path, read: Callable[[Path], object], colour: int, values: int
) -> None:
    (tmp_path / "deep.png").write_bytes(png(16, colour, bytes(2 * values)))
    with pytest.raises(
        ValueError, match="no picture that can be read: it has more than 8 bits per colour; save it with 8"
    ):
        read(tmp_path / "deep.png")
    (tmp_path / "deep.png").write_bytes(png(8, colour, bytes(values)))
    open_picture(tmp_path / "deep.png")


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
    assert kept[:, 0].T.tolist() == [[200, 0, 100, 255], [0, 0, 0, 0], [0, 0, 0, 51]]
    gray, _ = decode_picture(encoded(Image.new("LA", (1, 1), (0, 0))))
    assert gray.tolist() == [[[255]]]


@pytest.mark.parametrize("size", [None, (1, 2)], ids=["own size", "resized"])
def test_colours_that_a_file_hides_are_black_where_transparency_is_a_colour(size: tuple[int, int] | None) -> None:
    picture = Image.new("RGBA", (2, 1), (200, 0, 100, 0))
    picture.putpixel((1, 0), (200, 0, 100, 1))
    for content in (encoded(picture), encoded(picture, "TIFF"), encoded(picture, "WEBP", lossless=True, exact=True)):
        seen, _ = decode_picture(content, 4, size)
        assert seen[:, 0].T.tolist() == [[0, 0, 0, 0], [200, 0, 100, 1]]
    gray, _ = decode_picture(encoded(Image.new("L", (1, 1), 7), transparency=7), channels=4)
    assert gray.tolist() == [[[0]]] * 4


def test_a_gray_palette_is_gray() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 10, 10, 200, 200, 200, 1, 2, 3])  # the colour is not used
    picture.putpixel((1, 0), 1)
    assert decode_picture(encoded(picture))[0].tolist() == [[[10, 200]]]
    assert decode_picture(encoded(picture, transparency=1))[0].tolist() == [[[10, 255]]]
    picture.putpixel((1, 0), 2)
    assert len(decode_picture(encoded(picture))[0]) == 3
    assert decode_picture(encoded(picture, transparency=2))[0].tolist() == [[[10, 255]]]  # nobody sees the colour


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16"])
def test_large_pictures_are_converted_in_parts_as_small_ones_are(
    mode: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(256, size=(7, 5, 4), dtype=np.uint8)
    picture = Image.fromarray(noise)
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 100)
    elif mode == "P":
        picture = picture.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    content = encoded(picture, **({} if mode == "RGBA" else {"transparency": 3}))
    whole, _ = decode_picture(content, channels)
    for module in ("read", "depth"):
        monkeypatch.setattr(f"pixelseq.imaging.{module}.AT_ONCE", 11)  # two rows
    np.testing.assert_array_equal(decode_picture(content, channels)[0], whole)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("TIFF", "L")])
def test_a_picture_of_its_own_colours_is_resized_without_a_copy(
    kind: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(Image.new(mode, (40, 30)), kind, dpi=(72, 72))
    for copying in ("convert", "copy", "crop", "paste"):
        monkeypatch.setattr(Image.Image, copying, lambda *_: pytest.fail("copied"))
    assert decode_picture(content, size=(3, 4))[0].shape[1:] == (3, 4)


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
        with pytest.raises(ValueError, match="no picture that can be read"):
            decode_picture(content)
    with pytest.raises(ValueError, match=r"no picture that can be read: .*No such file"):
        decode_picture(tmp_path / "none.png")  # one of many in a table: the others may do
    with pytest.raises(ValueError, match=r"no picture that can be read: .*directory"):
        decode_picture(tmp_path)


@everywhere
def test_files_that_are_no_pictures_are_refused_in_one_line(tmp_path: Path, read: Callable[[Path], object]) -> None:
    whole = encoded(Image.effect_noise((64, 64), 50))
    for name, content in (("empty", b""), ("text", b"no picture"), ("cut", whole[:500])):
        path = tmp_path / f"{name}.png"
        path.write_bytes(content)
        of_file = "" if read is decode_picture else f"{name}.png is "
        with pytest.raises(ValueError, match=f"{of_file}no picture that can be read: .") as raised:
            read(path)
        assert "\n" not in str(raised.value)
        assert "BytesIO" not in str(raised.value)


@pytest.mark.parametrize("reader", sorted(READERS.keys() - {"training"}))
def test_no_file(tmp_path: Path, reader: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.png"):
        READERS[reader](tmp_path / "none.png")


@everywhere
@pytest.mark.parametrize("suffix", ["png", "eps", "jpg"])
def test_postscript_never_starts_another_program(
    tmp_path: Path, read: Callable[[Path], object], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append(True))
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOUR).save(path, "EPS")
    with pytest.raises(ValueError, match="no picture that can be read: none of PNG, JPEG, "):
        read(path)
    assert not started
    with Image.open(path) as picture:  # what reading without a list of formats would do
        assert picture.format == "EPS"


def test_pictures_are_opened_at_one_place_and_of_the_formats_that_are_read() -> None:
    root = Path(pixelseq.__file__).parents[1]
    found = {}
    for path in (*root.glob("pixelseq/**/*.py"), *root.glob("sample/*.py"), *root.glob("train/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Image.open", "PIL.Image.open"):
                found[f"{path.name}:{node.lineno}"] = [ast.unparse(one) for one in node.keywords]
    assert {name.split(":")[0] for name in found} == {"read.py"}
    assert all(keywords == ["formats=FORMATS"] for keywords in found.values())


@pytest.mark.parametrize("pillows", [2, 6, None])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_larger_picture_than_allowed_is_refused(
    kind: str, pillows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows)  # another one's limit neither matters nor is lost
    content = encoded(Image.fromarray(COLOUR), kind)
    assert open_picture(content, max_pixels=6).size == (3, 2)
    for limit in (5, 2):  # Pillow warns of up to twice as many pixels, and refuses more
        reason = f"no picture that can be read: it has more than {limit} pixels; raise the limit with `max_pixels`"
        with pytest.raises(ValueError, match=f"^{reason}$"):
            open_picture(content, max_pixels=limit)
    assert pillows == Image.MAX_IMAGE_PIXELS


def test_pillows_limit_can_be_raised(tmp_path: Path) -> None:
    size = (MAX_PIXELS // 4096 + 1, 4096)
    Image.new("1", size).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match=r"large\.png is no picture .* more than 178956970 pixels; raise"):
        open_picture(tmp_path / "large.png")
    assert open_picture(tmp_path / "large.png", max_pixels=math.prod(size)).size == size
    Image.new("1", (Image.MAX_IMAGE_PIXELS // 4096 + 1, 4096)).save(tmp_path / "large.png")  # of which Pillow warns
    open_picture(tmp_path / "large.png")


def test_reading_what_is_damaged_says_nothing_beside_its_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # as without pytest
    packed = encoded(Image.effect_noise((64, 64), 50), "TIFF", compression="tiff_lzw")
    colour = encoded(Image.fromarray(COLOUR), "TIFF", dpi=(72, 72))
    tag = struct.pack("<2H", 277, 3)  # the number of values per pixel
    at = colour.index(tag) + len(tag) + 4
    damaged = {
        "libtiff": packed[:8] + bytes(200) + packed[208:],
        "log": colour[:at] + b"\x09" + colour[at + 1 :],
        "warning": colour.replace(struct.pack("<2HL", 282, 5, 1), struct.pack("<2HL", 282, 5, 10**6)),
    }
    for name, content in damaged.items():
        assert content not in (packed, colour)
        try:
            decode_picture(content)
        except ValueError as error:
            assert name != "warning", error  # noqa: PT017
    assert capfd.readouterr() == ("", "")


def test_a_mask_whose_colours_are_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(png(8, 3, b"\0"))  # a palette is said to be there
    with pytest.raises(ValueError, match=r"mask\.png: no picture that can be read: "):
        read_mask(tmp_path / "mask.png")


def test_floating_point_of_a_portable_map_wants_a_range() -> None:
    content = b"Pf\n2 1\n-1.0\n" + np.array([0, 0.5], "<f4").tobytes()
    with pytest.raises(ValueError, match="floating-point numbers; say which are black and white with `range`"):
        open_picture(content)
    assert np.asarray(open_picture(content, value_range=(0, 1))).tolist() == [[0, 32767]]


def test_grids() -> None:
    assert decode_grid([[1, 2], [3, 4]]).tolist() == [[[1, 2], [3, 4]]]
    assert decode_grid([[[1, 2]]]).shape == (1, 1, 2)
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


def test_a_picture_of_a_file_is_opened_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the top of the scene is on the right of the file
    picture = Image.new("L", (3, 2))
    picture.putpixel((0, 1), 255)
    opened = open_picture(encoded(picture, exif=exif))
    assert np.array(opened).tolist() == [[255, 0], [0, 0], [0, 0]]
    assert as_seen(opened).tolist() == [[[255, 0], [0, 0], [0, 0]]]


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    kept=st.floats(0, 1),
    head=st.booleans(),
)
def test_a_damaged_picture_is_read_or_refused_in_one_line(
    kind: str, changes: list[tuple[float, int]], kept: float, head: bool
) -> None:
    content = bytearray(SAMPLES[kind])
    for place, value in changes:
        content[int(place * (min(64, len(content)) if head else len(content)))] = value
    content = content[: int(len(content) * max(kept, 0.5))] if kept < 0.9 else content
    try:
        values, _ = decode_picture(bytes(content))
    except ValueError as error:
        reason = str(error)
    else:
        assert values.dtype == np.uint8
        assert values.ndim == 3
        return
    assert re.fullmatch("no picture that can be read: .+", reason)  # a dot is no line break


SAMPLES = {
    kind: encoded(Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8))), kind, **options)
    for kind in FORMATS
    for options in [{"exif": Image.Exif()} if kind in ("PNG", "JPEG", "WEBP") else {}]
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    values, _ = decode_picture(SAMPLES[kind])
    expected = np.kron(COLOUR, np.ones((8, 8, 1))).transpose(2, 0, 1)
    assert np.abs(values - expected).mean() < (0.5 if kind in ("PNG", "BMP", "TIFF", "PPM", "TGA") else 30)


def test_every_suffix_is_of_a_format() -> None:
    Image.init()
    assert {".jfif", ".jpe", ".pnm"} <= SUFFIXES
    assert {Image.EXTENSION[suffix] for suffix in SUFFIXES} == set(FORMATS)
