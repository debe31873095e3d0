"""sample/run.py: sheets, files, and the formats of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import shows
from PIL import Image
from running import in_process

from pixelseq import PixelFormat, PixelRNN, sample

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
