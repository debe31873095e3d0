"""Damaged pictures: refused in a line, or read as some picture of a sane size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mutations import FEW_OR_MANY, attack
from PIL import Image

from pixelseq.data import DataOptions, load

SUFFIXES = ("png", "gif", "webp", "jpg", "tif", "bmp", "tga", "ppm", "jp2", "avif")


@FEW_OR_MANY
@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_pictures_are_refused_or_harmless(suffix: str, mode: str, times: int, tmp_path: Path) -> None:
    random = np.random.Generator(np.random.Philox(1))
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / f"a.{suffix}"
    picture = Image.fromarray(random.integers(256, size=(9, 7, 4), dtype=np.uint8), "RGBA").convert(mode)
    try:
        picture.save(path)
    except (OSError, ValueError):
        pytest.skip(f"{suffix} has no {mode}")
    picture.convert("L").save(tmp_path / "set" / "b.png")
    read = lambda: load(DataOptions(str(tmp_path / "set"), crop="1x1"))  # noqa: E731
    attack(path, 30 * times, read, lambda data: all(image.ndim == 3 for image in data.test))
