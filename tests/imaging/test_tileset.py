"""Maps drawn in the pictures of tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelseq.imaging.tileset import read_tileset
from pixelseq.pixel_format import PixelFormat

FORMAT = PixelFormat(1, 3, "categorical", "#?/")
COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]


def write_tiles(folder: Path, names: list[str], size: tuple[int, int] = (2, 3)) -> Path:
    """Tiles of one colour each, but for a white pixel in the upper left corner."""
    folder.mkdir(exist_ok=True)
    for name, colour in zip(names, COLOURS, strict=True):
        tile = Image.new("RGB", size, colour)
        tile.putpixel((0, 0), (255, 255, 255))
        tile.save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize(
    ("pixel_format", "names"),
    [(FORMAT, ["#", "U+003F", "U+002F"]), (PixelFormat(1, 3, "categorical"), ["0", "1", "2"])],
    ids=["legend", "numbers"],
)
def test_a_map_in_tiles(tmp_path: Path, pixel_format: PixelFormat, names: list[str]) -> None:
    tiles = read_tileset(write_tiles(tmp_path, names), pixel_format)
    image = torch.tensor([[[0, 1], [2, 0], [1, 1]]])
    drawn = np.array(tiles.draw(image))
    assert drawn.shape == (9, 4, 3)
    for i in range(3):
        for j in range(2):
            tile = drawn[3 * i : 3 * i + 3, 2 * j : 2 * j + 2].reshape(6, 3).tolist()
            assert tile == [[255, 255, 255], *[list(COLOURS[image[0, i, j]])] * 5]


def test_transparent_tiles_lie_over_white(tmp_path: Path) -> None:
    for name in "01":
        Image.new("RGBA", (1, 1), (9, 9, 9, 0)).save(tmp_path / f"{name}.png")
    assert read_tileset(tmp_path, PixelFormat(levels=2)).tiles.tolist() == [[[[255, 255, 255]]]] * 2


def test_folders_that_are_no_tileset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`tileset` is .*none; give a folder of pictures, one per tile"):
        read_tileset(tmp_path / "none", FORMAT)
    with pytest.raises(ValueError, match="the model's pixels have 3 channels"):
        read_tileset(tmp_path, PixelFormat(3, 3))
    with pytest.raises(ValueError, match=r"no tile for 2 of 3 levels: \?.png or U\+003F.png, /.png or U\+002F.png"):
        read_tileset(write_tiles(tmp_path / "few", ["#", "a", "b"]), FORMAT)
    full = write_tiles(tmp_path / "full", ["#", "U+003F", "U+002F"])
    write_tiles(full, ["U+0023", "b", "c"])
    with pytest.raises(ValueError, match=r"#.png and .*U\+0023.png are of one tile"):
        read_tileset(full, FORMAT)
    (full / "U+0023.png").unlink()
    Image.new("RGB", (3, 3)).save(full / "U+002F.png")
    with pytest.raises(ValueError, match=r"tiles are of one size; .*#.png is 2x3 and .*U\+002F.png is 3x3"):
        read_tileset(full, FORMAT)
    (full / "U+002F.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"U\+002F.png: no picture that can be read"):
        read_tileset(full, FORMAT)
