"""Levels to pictures and back, and pictures that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import without_hidden_colours
from PIL import Image

from pixelseq.imaging.palette import GAP_COLOUR, palette
from pixelseq.imaging.pictures import (
    check_pictures,
    completion_sheet,
    contact_sheet,
    levels_of,
    read_image,
    sample_sheet,
    save_levels,
    save_png,
    sheet_size,
    to_picture,
)
from pixelseq.pixel_format import PixelFormat

TILES = PixelFormat(levels=6, kind="categorical")


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_round_trip_through_a_png(tmp_path: Path, levels: int, channels: int) -> None:
    pixel_format = PixelFormat(channels, levels)
    image = without_hidden_colours(torch.randint(levels, (channels, 5, 3), dtype=torch.int64))
    save_png(to_picture(image, pixel_format), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (3, 5)
        looks = np.array(picture).reshape(5, 3, channels).transpose(2, 0, 1)
    np.testing.assert_array_equal(looks, (image * (255 / (levels - 1))).round())
    found = read_image(tmp_path / "a.png", pixel_format)
    assert found.dtype == torch.uint8
    assert torch.equal(found.long(), image)


def test_formats_that_are_no_pictures() -> None:
    with pytest.raises(ValueError, match="257 levels"):
        check_pictures(PixelFormat(1, 257))
    with pytest.raises(ValueError, match="2 channels"):
        check_pictures(PixelFormat(2, 17))
    with pytest.raises(ValueError, match="3 levels without an order has no colour"):
        check_pictures(PixelFormat(3, 6, "categorical"))
    with pytest.raises(ValueError, match="the image has 1 channels; expected 3 channels of 17 ordinal levels"):
        to_picture(torch.zeros(1, 2, 2), PixelFormat(3, 17))


def test_one_bit_pictures_are_gray(tmp_path: Path) -> None:
    save_png(Image.new("1", (2, 2), 1), tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", PixelFormat(levels=2)).tolist() == [[[1, 1], [1, 1]]]


def test_pictures_of_other_channels_are_read_as_they_are_seen(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (255, 0, 0)).save(tmp_path / "rgb.png")
    Image.new("LA", (1, 1), (0, 0)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "rgb.png", PixelFormat()).tolist() == [[[76]]]  # the luma of pure red
    assert read_image(tmp_path / "rgb.png", PixelFormat(4)).flatten().tolist() == [255, 0, 0, 255]
    assert read_image(tmp_path / "clear.png", PixelFormat(3)).flatten().tolist() == [255, 255, 255]


def test_a_shade_of_no_level_is_the_nearest(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 8, 255]], dtype=np.uint8)).save(tmp_path / "shade.png")
    assert read_image(tmp_path / "shade.png", PixelFormat(levels=17)).tolist() == [[[0, 1, 16]]]


def test_contact_sheet_magnifies_small_pictures() -> None:
    sheet = contact_sheet([[Image.new("L", (8, 8), 0)] * 3, [Image.new("L", (8, 24), 0)]])
    assert sheet.size == (3 * (96 + 6) + 6, (96 + 6) + (3 * 96 + 6) + 6)
    assert sheet.getpixel((6, 6)) == (0, 0, 0)
    assert sheet.getpixel((2, 2)) == GAP_COLOUR


@pytest.mark.parametrize(
    ("width", "heights", "scale"),
    [(28, [28], 4), (96, [200], 1), (95, [95], 2), (1, [1], 96), (4, [1000], 1), (2, [200], 5)],
)
def test_cells_have_96_pixels_unless_they_would_be_very_long(width: int, heights: list[int], scale: int) -> None:
    assert sheet_size(1, width, heights)[0] == scale


def test_what_is_transparent_is_seen_over_white_in_all_columns() -> None:
    clear = torch.tensor([200, 0, 0, 0])[:, None, None].expand(4, 2, 2)  # a red that nobody sees
    sheet = completion_sheet([clear], [torch.ones(2, 2, dtype=torch.bool)], [clear[None]], PixelFormat(4, 256))
    assert {colour for _, colour in sheet.getcolors()} == {(255, 255, 255), GAP_COLOUR}


def test_completion_sheet_shows_the_unknown_part_blue() -> None:
    image, known = torch.zeros(1, 2, 2, dtype=torch.long), torch.tensor([[True, True], [False, False]])
    sheet = completion_sheet([image], [known], [image[None].expand(3, -1, -1, -1)], PixelFormat(levels=2))
    cell = 2 * 48 + 24
    assert sheet.width == 5 * cell + 24
    assert sheet.getpixel((24 + cell + 5, 24 + 5)) == (0, 0, 0)
    assert sheet.getpixel((24 + cell + 5, 24 + 90)) == (64, 96, 176)


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
    pixel_format = PixelFormat(levels=levels, kind="categorical")
    image = torch.randint(levels, (1, 20, 16))
    save_png(to_picture(image, pixel_format), tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert (picture.mode, picture.size) == ("P", (16, 20))
        picture.convert("RGB").save(tmp_path / "rgb.png")  # as a paint program may
    for name in ("p.png", "rgb.png"):
        assert torch.equal(read_image(tmp_path / name, pixel_format).long(), image)


def test_pictures_that_are_no_tile_maps(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "gray.png")
    Image.new("RGB", (3, 2), (1, 2, 3)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match=r"gray\.png has colours that no level has, such as #000000"):
        read_image(tmp_path / "gray.png", TILES)
    with pytest.raises(ValueError, match=r"rgb\.png has colours that no level has, such as #010203"):
        read_image(tmp_path / "rgb.png", TILES)


def test_unknown_pixels_may_be_of_no_tile(tmp_path: Path) -> None:
    picture = to_picture(torch.tensor([[[5, 5, 2], [5, 5, 0]]]), TILES).convert("RGB")
    picture.putpixel((1, 1), (1, 2, 3))
    upper = torch.tensor([[True], [False]]).expand(2, 3)
    assert levels_of(picture, tmp_path / "a.png", TILES, known=upper).tolist() == [[[5, 5, 2], [5, 0, 0]]]
    with pytest.raises(ValueError, match=r"a\.png has colours that no level has, such as #010203"):
        levels_of(picture, tmp_path / "a.png", TILES, known=~upper)
    picture.paste((1, 2, 3), (0, 0, 3, 2))
    nothing_known = levels_of(picture, tmp_path / "a.png", TILES, known=torch.zeros(2, 3).bool())
    assert nothing_known.tolist() == [[[0, 0, 0], [0, 0, 0]]]


def test_sheets_show_tiles_in_the_colours_of_the_palette() -> None:
    image = torch.tensor([[[5, 5], [3, 3]]])
    colours = [tuple(colour) for colour in palette(6).tolist()]
    sheet = sample_sheet(image[None], TILES, 1)
    assert [sheet.getpixel((30, 30)), sheet.getpixel((30, 30 + 48))] == [colours[5], colours[3]]
    known = torch.tensor([[True, True], [False, False]])
    sheet = completion_sheet([image], [known], [image[None]], TILES)
    assert sheet.getpixel((30, 30)) == colours[5]
    assert sheet.getpixel((30 + 96 + 24, 30 + 48)) == (64, 96, 176)


def test_arrays_hold_levels_in_the_smallest_integers(tmp_path: Path) -> None:
    for levels, dtype in ((2, np.uint8), (256, np.uint8), (257, np.uint16)):
        images = torch.randint(levels, (3, 1, 4, 5))
        save_levels(images, PixelFormat(levels=levels), tmp_path / "a.npy")
        found = np.load(tmp_path / "a.npy")
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, images)
