"""sample/run.py: sheets, files, and the formats of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import shows
from PIL import Image
from running import in_process

from pixelseq import PixelFormat, PixelRNN, sample
from pixelseq.imaging.palette import UNKNOWN_COLOUR

LEGEND = "#-DHMT"
TILES = PixelFormat(1, 6, "categorical")


def test_samples_as_a_sheet_and_as_files(trained: Path) -> None:
    arguments = ["--num", 3, "--height", 20, "--width", 8, "--seed", 0, "--temperature", 1.0]
    done = in_process(trained, "sample/run.py", "--checkpoint", "runs/digits", *arguments, "--out", "sheet.png")
    assert done.returncode == 0, done.stderr
    with Image.open(trained / "sheet.png") as picture:
        assert picture.size == (3 * (96 + 6) + 6, (240 + 6) + 6)
    done = in_process(trained, "sample/run.py", *arguments, "--out", "files")  # the newest run
    assert done.returncode == 0, done.stderr
    model = PixelRNN.from_pretrained(trained / "runs/digits")
    expected = sample(model, 3, 20, 8, seed=0)
    for k in range(3):
        assert shows(trained / f"files/{k:05}.png", expected[k], PixelFormat(levels=17))


@pytest.mark.parametrize("suffix", ["png", "npy", "txt"])
def test_tile_maps_in_each_format(tiles: Path, suffix: str) -> None:
    arguments = ["sample/run.py", "--num", 3, "--height", 9, "--width", 7, "--format", suffix]
    for out in ([], ["--out", suffix]):
        done = in_process(tiles, *arguments, *out)
        assert done.returncode == 0, done.stderr
    expected = sample(PixelRNN.from_pretrained(tiles / "runs/tiles"), 3, 9, 7)
    texts = ["".join("".join(LEGEND[v] for v in row) + "\n" for row in image[0]) for image in expected.tolist()]
    together = tiles / f"samples.{suffix}"
    for k in range(3):
        alone = tiles / suffix / f"{k:05}.{suffix}"
        if suffix == "png":
            assert shows(alone, expected[k], TILES)
        elif suffix == "npy":
            assert np.array_equal(np.load(alone), expected[k])
            assert np.load(together).shape == (3, 1, 9, 7)
        else:
            assert alone.read_text() == texts[k]
            assert together.read_text() == "\n".join(texts)


def in_tiles(image: np.ndarray) -> np.ndarray:
    """An image [H, W] in the tiles of 3x2 pixels, whose red is 40 times the level."""
    red = image.repeat(2, 0).repeat(3, 1) * 40
    return np.stack([red, np.zeros_like(red), np.zeros_like(red)], axis=2)


def test_tile_maps_in_a_tileset(tiles: Path) -> None:
    arguments = ["sample/run.py", "--height", 9, "--width", 7, "--tileset", "tileset"]
    for num, out in ((3, "in_tiles"), (1, "in_tiles.png"), (3, "in_tiles_sheet.png")):
        done = in_process(tiles, *arguments, "--num", num, "--out", out, *(["--animate", "a.webp"] if num == 3 else []))
        assert done.returncode == 0, done.stderr
    expected = sample(PixelRNN.from_pretrained(tiles / "runs/tiles"), 3, 9, 7)[:, 0].numpy()
    for k, path in enumerate((tiles / "in_tiles.png", tiles / "in_tiles/00001.png", tiles / "in_tiles/00002.png")):
        with Image.open(path) as picture:
            assert np.array_equal(np.array(picture.convert("RGB")), in_tiles(expected[k]))
    with Image.open(tiles / "in_tiles_sheet.png") as sheet:
        scale, gap = 6, 3  # 96 pixels and more
        cell = np.array(sheet)[gap : gap + 18 * scale, gap : gap + 21 * scale]
        assert np.array_equal(cell[::scale, ::scale], in_tiles(expected[0]))
        with Image.open(tiles / "a.webp") as animation:
            assert animation.size == sheet.size
            assert animation.convert("RGB").getpixel((gap, gap)) == UNKNOWN_COLOUR


def test_a_tileset_that_does_not_suit(tiles: Path) -> None:
    arguments = ["sample/run.py", "--num", 2, "--height", 9, "--width", 7, "--out", "none"]
    for flags, message in (
        (["--tileset", "few_tiles"], "few_tiles has no tile for 5 of 6 levels: -.png or U+002D.png, D.png"),
        (["--tileset", "nowhere"], "--tileset is nowhere; give a folder of pictures"),
        (["--tileset", "tileset", "--format", "npy"], "--tileset is for pictures; --format is npy"),
    ):
        done = in_process(tiles, *arguments, *flags)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
        assert not (tiles / "none").exists()
