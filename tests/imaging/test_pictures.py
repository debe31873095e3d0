"""Levels to pictures and back, and pictures that do not fit."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelseq.imaging.palette import palette
from pixelseq.imaging.pictures import (
    check_pictures,
    completion_sheet,
    contact_sheet,
    levels_of,
    open_picture,
    read_image,
    read_mask,
    sample_sheet,
    save_levels,
    save_png,
    shades,
    to_picture,
)


def png_of_16_bit_colours() -> bytes:
    """A black PNG of one pixel, which Pillow cannot write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_round_trip_through_a_png(tmp_path: Path, levels: int, channels: int) -> None:
    image = torch.randint(levels, (channels, 5, 3), dtype=torch.int64)
    save_png(to_picture(image, levels), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (3, 5)
    assert torch.equal(read_image(tmp_path / "a.png", channels, levels).long(), image)


def test_shades_span_black_to_white() -> None:
    assert shades(2).tolist() == [0, 255]
    assert shades(4).tolist() == [0, 85, 170, 255]
    assert shades(256).tolist() == list(range(256))
    with pytest.raises(ValueError, match="257 levels"):
        check_pictures(1, 257)
    with pytest.raises(ValueError, match="2 channels"):
        check_pictures(2, 17)


def test_one_bit_pictures_are_gray(tmp_path: Path) -> None:
    save_png(Image.new("1", (2, 2), 1), tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 1, 2).tolist() == [[[1, 1], [1, 1]]]


def test_pictures_that_do_not_fit(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "rgb.png")
    Image.new("L", (2, 2), 7).save(tmp_path / "shade.png")
    (tmp_path / "text.png").write_text("no picture")
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"mode RGB; the model has 1 channels \(mode L\)"):
        read_image(tmp_path / "rgb.png", 1, 17)
    with pytest.raises(ValueError, match="more shades than the model's 17 levels, such as 7"):
        read_image(tmp_path / "shade.png", 1, 17)
    for name in ("text.png", "cut.png"):
        with pytest.raises(ValueError, match=f"{name} is no picture"):
            read_image(tmp_path / name, 1, 17)
    (tmp_path / "deep.png").write_bytes(png_of_16_bit_colours())
    with pytest.raises(ValueError, match=r"deep.png has 16 bits a colour"):
        read_image(tmp_path / "deep.png", 3, 17)
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.png"):
        read_image(tmp_path / "none.png", 1, 17)


def test_unknown_pixels_may_hold_any_shade(tmp_path: Path) -> None:
    picture = Image.new("L", (3, 2), 255)
    picture.putpixel((1, 1), 120)
    picture.putpixel((2, 0), 0)
    upper = torch.tensor([[True], [False]]).expand(2, 3)
    image = levels_of(picture, tmp_path / "a.png", 1, 17, known=upper)
    assert image.tolist() == [[[16, 16, 0], [16, 0, 16]]]
    with pytest.raises(ValueError, match=r"a\.png has more shades .* such as 120"):
        levels_of(picture, tmp_path / "a.png", 1, 17, known=~upper)


def test_a_mask_is_white_where_known(tmp_path: Path) -> None:
    to_picture(torch.tensor([[[0, 1], [1, 0]]]), 2).convert("RGB").save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, True], [True, False]]


def test_a_mask_of_16_bits_is_white_from_its_middle(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300, 32767, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, False, False, True, True]]


def test_pictures_are_turned_as_they_are_to_be_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the top of the scene is on the right of the file
    picture = Image.new("L", (3, 2))
    picture.putpixel((0, 1), 255)
    picture.save(tmp_path / "a.png", exif=exif)
    assert np.array(open_picture(tmp_path / "a.png")).tolist() == [[255, 0], [0, 0], [0, 0]]


def test_contact_sheet_magnifies_small_pictures() -> None:
    sheet = contact_sheet([[Image.new("L", (8, 8), 0)] * 3, [Image.new("L", (8, 24), 0)]])
    assert sheet.size == (3 * (64 + 4) + 4, (64 + 4) + (3 * 64 + 4) + 4)
    assert sheet.getpixel((4, 4)) == (0, 0, 0)
    assert sheet.getpixel((2, 2)) == (255, 255, 255)


def test_completion_sheet_shows_the_unknown_part_blue() -> None:
    image, known = torch.zeros(1, 2, 2, dtype=torch.long), torch.tensor([[True, True], [False, False]])
    sheet = completion_sheet([image], [known], [image[None].expand(3, -1, -1, -1)], levels=2)
    cell = 2 * 32 + 16
    assert sheet.width == 5 * cell + 16
    assert sheet.getpixel((16 + cell + 5, 16 + 5)) == (0, 0, 0)
    assert sheet.getpixel((16 + cell + 5, 16 + 60)) == (64, 96, 176)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    class Broken(Image.Image):
        def save(self, *args: object, **kwargs: object) -> None:
            Path(str(args[0])).write_bytes(b"half")
            raise OSError("disk full")

    (tmp_path / "a.png").write_bytes(b"before")
    with pytest.raises(OSError, match="disk full"):
        save_png(Broken(), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"before"


@pytest.mark.parametrize("levels", [2, 6, 13, 256])
def test_tiles_round_trip_through_a_png_with_a_palette(tmp_path: Path, levels: int) -> None:
    image = torch.randint(levels, (1, 20, 16))
    save_png(to_picture(image, levels, "categorical"), tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert (picture.mode, picture.size) == ("P", (16, 20))
        picture.convert("RGB").save(tmp_path / "rgb.png")  # as a paint program may
    for name in ("p.png", "rgb.png"):
        assert torch.equal(read_image(tmp_path / name, 1, levels, pixels="categorical").long(), image)


def test_pictures_that_are_no_tile_maps(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "gray.png")
    Image.new("RGB", (3, 2), (1, 2, 3)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match=r"mode L; the model has 1 channels \(mode P\)"):
        read_image(tmp_path / "gray.png", 1, 6, pixels="categorical")
    with pytest.raises(ValueError, match="colours that no level has, such as #010203"):
        read_image(tmp_path / "rgb.png", 1, 6, pixels="categorical")
    with Image.open(tmp_path / "rgb.png") as picture:
        nothing_known = levels_of(picture, tmp_path / "rgb.png", 1, 6, "categorical", torch.zeros(2, 3).bool())
    assert nothing_known.tolist() == [[[0, 0, 0], [0, 0, 0]]]
    with pytest.raises(ValueError, match="3 levels without an order has no colour"):
        check_pictures(3, 6, "categorical")


def test_sheets_show_tiles_in_the_colours_of_the_palette() -> None:
    image = torch.tensor([[[5, 5], [3, 3]]])
    colours = [tuple(colour) for colour in palette(6).tolist()]
    sheet = sample_sheet(image[None], 6, 1, "categorical")
    assert [sheet.getpixel((20, 20)), sheet.getpixel((20, 20 + 32))] == [colours[5], colours[3]]
    known = torch.tensor([[True, True], [False, False]])
    sheet = completion_sheet([image], [known], [image[None]], 6, "categorical")
    assert sheet.getpixel((20, 20)) == colours[5]
    assert sheet.getpixel((20 + 64 + 16, 20 + 32)) == (64, 96, 176)


def test_arrays_hold_levels_in_the_smallest_integers(tmp_path: Path) -> None:
    for levels, dtype in ((2, np.uint8), (256, np.uint8), (257, np.uint16)):
        images = torch.randint(levels, (3, 1, 4, 5))
        save_levels(images, levels, tmp_path / "a.npy")
        found = np.load(tmp_path / "a.npy")
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, images)
