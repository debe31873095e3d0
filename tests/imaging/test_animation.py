"""Animations: frames that draw a sheet from above, in a WebP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelseq.imaging.animation import FRAME_MS, LAST_FRAME_MS, check_frames, frames, save_animation
from pixelseq.imaging.palette import UNKNOWN_COLOUR
from pixelseq.imaging.pictures import sample_sheet
from pixelseq.pixel_format import PixelFormat


@pytest.mark.parametrize("pixel_format", [PixelFormat(3, 7), PixelFormat(1, 5, "categorical")], ids=["RGB", "tiles"])
def test_an_animation_draws_the_sheet_row_by_row(tmp_path: Path, pixel_format: PixelFormat) -> None:
    images = torch.randint(pixel_format.levels, (3, pixel_format.channels, 4, 8))
    pictures = frames(images, pixel_format, columns=2)
    save_animation(pictures, tmp_path / "drawing.webp")
    sheet = np.array(sample_sheet(images, pixel_format, 2))
    with Image.open(tmp_path / "drawing.webp") as animation:
        assert animation.n_frames == 5  # type: ignore[attr-defined]
        for shown in range(5):
            animation.seek(shown)
            frame = np.array(animation.convert("RGB"))
            assert animation.info["duration"] == (LAST_FRAME_MS if shown == 4 else FRAME_MS)
            drawn, rest = np.split(frame[12:108], [24 * shown])  # the first row of the sheet, magnified by 24
            assert np.array_equal(drawn, sheet[12 : 12 + 24 * shown])
            assert (rest[:, 12 : 12 + 192] == UNKNOWN_COLOUR).all()


def test_a_tall_animation_has_few_frames() -> None:
    assert len(frames(torch.zeros(1, 1, 500, 2), PixelFormat(), 1)) == 61


def test_an_animation_that_is_too_large_is_refused() -> None:
    check_frames(16, 8, 8, 16)
    with pytest.raises(ValueError, match="a WebP has at most 16383 per side"):
        check_frames(5000, 8, 8, 16)
