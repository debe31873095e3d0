"""Masks of what is known, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelseq.imaging.masks import known_columns, known_rows, mask_of_size, opaque, outside_box, read_mask
from pixelseq.imaging.pictures import to_picture
from pixelseq.pixel_format import PixelFormat

SIDES = st.integers(1, 9)


def test_masks_by_hand() -> None:
    assert known_rows(1, 2, 3).tolist() == [[True] * 3, [False] * 3]
    assert known_columns(1, 2, 3).tolist() == [[True, False, False]] * 2
    assert outside_box("1,0,1,2", 2, 3).tolist() == [[True] * 3, [False, False, True]]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(SIDES, SIDES, st.data())
def test_masks_against_loops(H: int, W: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(0, H)), data.draw(st.integers(0, W))
    y, x = data.draw(st.integers(0, H - 1)), data.draw(st.integers(0, W - 1))
    h, w = data.draw(st.integers(1, H - y)), data.draw(st.integers(1, W - x))
    first_rows, first_columns = known_rows(rows, H, W), known_columns(columns, H, W)
    outside = outside_box(f"{y},{x},{h},{w}", H, W)
    for mask in (first_rows, first_columns, outside):
        assert mask.dtype == torch.bool
        assert mask.shape == (H, W)
    for i in range(H):
        for j in range(W):
            assert first_rows[i, j] == (i < rows)
            assert first_columns[i, j] == (j < columns)
            assert outside[i, j] == (not (y <= i < y + h and x <= j < x + w))


def test_what_is_no_mask_of_an_image() -> None:
    for count in (9, -1):
        with pytest.raises(ValueError, match=f"`known_rows` is {count}; an image has 8 rows"):
            known_rows(count, 8, 5)
        with pytest.raises(ValueError, match=f"`known_cols` is {count}; an image has 8 columns"):
            known_columns(count, 5, 8)
    for box in ("1,2,3", "", "1,2,3,4,5", "1,2,3,x", "1,2,3,4.5"):
        with pytest.raises(ValueError, match=f"`box` is {box}; expected four whole numbers y,x,h,w such as 2,3,4,5"):
            outside_box(box, 8, 8)
    with pytest.raises(ValueError, match="`box` is 1,2,3,7: rows 1 to 3, columns 2 to 8; an image is 8x9"):
        outside_box("1,2,3,7", 9, 8)
    for box in ("-1,2,3,4", "1,-2,3,4", "1,2,0,4", "1,2,3,0", "1,2,8,4"):
        with pytest.raises(ValueError, match=f"`box` is {box}: rows"):
            outside_box(box, 8, 8)
    with pytest.raises(ValueError, match="the mask is 8x7 pixels, an image 8x8; they must be of one size"):
        mask_of_size(torch.ones(7, 8).bool(), 8, 8)
    mask = torch.ones(7, 8).bool()
    assert mask_of_size(mask, 7, 8) is mask


def test_a_mask_is_white_where_known(tmp_path: Path) -> None:
    to_picture(torch.tensor([[[0, 1], [1, 0]]]), PixelFormat(levels=2)).convert("RGB").save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, True], [True, False]]
    Image.fromarray(np.array([[127, 128]], dtype=np.uint8)).save(tmp_path / "gray.png")
    assert read_mask(tmp_path / "gray.png").tolist() == [[False, True]]
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bits.png")
    assert read_mask(tmp_path / "bits.png").tolist() == [[False, True]]


def test_a_mask_of_16_bits_is_white_from_its_middle(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300, 32767, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, False, False, True, True]]


def test_a_transparent_pixel_of_a_mask_counts_by_its_colour(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[0, 0], [0, 255], [255, 0]]], dtype=np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, False, True]]
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(tmp_path / "key.png", transparency=0)
    assert read_mask(tmp_path / "key.png").tolist() == [[False, True]]


def test_masks_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png is no picture that can be read"):
        read_mask(tmp_path / "empty.png")
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.png"):
        read_mask(tmp_path / "none.png")


def test_an_alpha_channel_is_known_where_it_is_opaque() -> None:
    picture = Image.fromarray(np.array([[[9, 0], [9, 127], [9, 128], [9, 255]]], dtype=np.uint8))
    assert opaque(picture).tolist() == [[False, False, True, True]]
    with pytest.raises(ValueError, match="mode L has no alpha channel"):
        opaque(picture.convert("L"))
