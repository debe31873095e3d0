"""Tile maps as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pixelseq.imaging.text import TextMap, check_text, read_maps, save_text, to_text
from pixelseq.pixel_format import PixelFormat


def test_levels_are_written_as_their_characters(tmp_path: Path) -> None:
    text = to_text(torch.tensor([[[0, 1, 2], [2, 2, 1]]]), PixelFormat(levels=3, legend="#-ö"))
    assert text == "#-ö\nöö-\n"
    save_text(text, tmp_path / "new/map.txt")
    assert (tmp_path / "new/map.txt").read_bytes() == text.encode()


def test_formats_that_are_no_text() -> None:
    for pixel_format, message in (
        (PixelFormat(levels=2), "has no legend"),
        (PixelFormat(3, 2, legend="#-"), "the model has 3 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            check_text(pixel_format)
        with pytest.raises(ValueError, match=message):
            to_text(torch.zeros(pixel_format.channels, 2, 2), pixel_format)


def test_text_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    pixel_format = PixelFormat(levels=4, legend="z ö#")
    images = [torch.randint(4, (1, 1 + k, 3)) for k in range(3)]
    save_text("\n".join(to_text(image, pixel_format) for image in images), tmp_path / "maps.txt")
    maps = read_maps(tmp_path / "maps.txt", pixel_format.legend)
    assert [one.levels("z ö#").tolist() for one in maps] == [image.tolist() for image in images]
    assert [one.first_line for one in maps] == [1, 3, 6]


def test_unknown_tiles_may_be_any_characters() -> None:
    levels = TextMap(("#x", "?-")).levels("-#", np.array([[True, False], [False, True]]))
    assert levels.tolist() == [[[1, 0], [0, 0]]]
    with pytest.raises(ValueError, match=r"line 8, column 1: '\?' is no tile of the legend '-#'"):
        TextMap(("#x", "?-"), first_line=7).levels("-#", np.array([[True, False], [True, True]]))


def test_a_text_that_is_no_legend() -> None:
    with pytest.raises(ValueError, match="expected a text of 3 characters"):
        PixelFormat(levels=3, legend="#-")
    for legend in ("#-#", "#-\n"):
        with pytest.raises(ValueError, match="must be printable and all different"):
            PixelFormat(levels=3, legend=legend)
