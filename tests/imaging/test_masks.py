"""Masks of what is known, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelseq.imaging.masks import (
    RULES,
    Mark,
    find_masks,
    grown,
    known_columns,
    known_rows,
    mask_of_size,
    opaque,
    outside_box,
    read_mask,
    resized,
)

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
    with pytest.raises(ValueError, match=r"the mask is 7x8 \(rows x columns\), an image 8x8; they must be of one size"):
        mask_of_size(torch.ones(7, 8).bool(), 8, 8)
    mask = torch.ones(7, 8).bool()
    assert mask_of_size(mask, 7, 8) is mask


WHITE, BLACK, RED, GRAY, CLEAR = (
    (255, 255, 255, 255),
    (0, 0, 0, 255),
    (255, 0, 0, 255),
    (128, 128, 128, 255),
    (9, 9, 9, 0),
)


@pytest.mark.parametrize(
    ("pixels", "mark", "found", "known"),
    [
        ([WHITE, BLACK, RED, GRAY], None, "black", [True, False, False, False]),
        ([WHITE, BLACK, RED, GRAY], "white", "white", [False, True, False, False]),
        ([WHITE, BLACK, CLEAR, GRAY], None, "transparent", [True, True, False, True]),
        ([WHITE, BLACK, CLEAR, GRAY], "opaque", "opaque", [False, False, True, False]),
        ([WHITE, BLACK, RED, GRAY], "coloured", "coloured", [True, True, False, True]),
        ([WHITE, BLACK, RED, CLEAR], "black", "black", [True, False, False, True]),
        ([(240, 240, 240, 255), (239, 255, 255, 255), (255, 255, 239, 255)], None, "black", [True, False, False]),
        ([(15, 15, 15, 255), (16, 0, 0, 255), (0, 0, 16, 255)], "white", "white", [True, False, False]),
        ([(0, 0, 0, 240), (0, 0, 0, 239)], "transparent", "transparent", [True, False]),
        ([(0, 0, 0, 15), (0, 0, 0, 16)], "opaque", "opaque", [True, False]),
        ([(90, 105, 90, 255), (90, 106, 90, 255)], "coloured", "coloured", [True, False]),
        ([(0, 0, 0, 254), WHITE], None, "black", [False, True]),
    ],
)
def test_what_a_mask_says(
    tmp_path: Path, pixels: list[tuple[int, ...]], mark: Mark | None, found: Mark, known: list[bool]
) -> None:
    Image.fromarray(np.array([pixels], dtype=np.uint8)).save(tmp_path / "m.png")
    mask, read_by = read_mask(tmp_path / "m.png", mark)
    assert mask.tolist() == [known]
    assert mask.dtype == torch.bool
    assert read_by == found
    assert found in RULES


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_masks_of_any_mode_say_the_same(tmp_path: Path, mode: str, kind: str) -> None:
    picture = Image.new("L", (32, 16), 255)
    picture.paste(0, (16, 0, 32, 16))
    picture.convert("L" if (mode, kind) == ("P", "jpg") else mode).save(tmp_path / f"m.{kind}")
    mask, mark = read_mask(tmp_path / f"m.{kind}")
    assert mark == "black"
    assert torch.equal(mask, known_columns(16, 16, 32))


def test_a_mask_of_16_bits_is_known_where_clearly_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300, 239 * 257, 240 * 257, 65535]], dtype=np.uint16)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png")[0].tolist() == [[False, False, False, True, True]]


def test_one_colour_of_a_mask_may_be_transparent(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(tmp_path / "m.png", transparency=255)
    mask, mark = read_mask(tmp_path / "m.png")
    assert (mask.tolist(), mark) == ([[True, False]], "transparent")


def test_masks_of_a_folder_have_the_names_of_the_pictures() -> None:
    folder, masks = Path("masks"), [Path("masks/a.png"), Path("masks/b.JPG"), Path("masks/c.png")]
    pictures = [Path("in/b.png"), Path("in/a.jpg"), Path("other/a.png")]
    found, note = find_masks(folder, masks, pictures)
    assert found == dict(zip(pictures, [masks[1], masks[0], masks[0]], strict=True))
    assert note == "masks in masks that are of none of the pictures: c.png"
    assert find_masks(folder, masks, [*pictures, Path("c.png")])[1] is None
    with pytest.raises(
        ValueError, match=r"masks has no mask of the same name for d\.png; masks in .*: b\.JPG, c\.png$"
    ):
        find_masks(folder, masks, [Path("d.png"), Path("a.png")])
    with pytest.raises(ValueError, match=r"for 0\.png, 1\.png, 2\.png, 3\.png, 4\.png and 2 others"):
        find_masks(folder, masks, [Path(f"{k}.png") for k in range(7)])
    with pytest.raises(ValueError, match=r"masks has more than one mask of the names a$"):
        find_masks(folder, [*masks, Path("masks/a.txt")], pictures)


@given(SIDES, SIDES, st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_growing_and_resizing_against_loops(H: int, W: int, pixels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(H, W, generator=generator) < 0.9
    h, w = (int(torch.randint(1, 10, (), generator=generator)) for _ in range(2))
    wider, other = grown(known, pixels), resized(known, (h, w))
    holes = [tuple(hole) for hole in (~known).nonzero().tolist()]
    for i in range(H):
        for j in range(W):
            assert wider[i, j] == all(max(abs(i - y), abs(j - x)) > pixels for y, x in holes)
    for i in range(h):
        for j in range(w):  # pixel y reaches from y / H to (y + 1) / H
            parts = [y * h < (i + 1) * H and i * H < (y + 1) * h for y, _ in holes]
            across = [x * w < (j + 1) * W and j * W < (x + 1) * w for _, x in holes]
            assert other[i, j] == (not any(a and b for a, b in zip(parts, across, strict=True)))


def test_a_mask_does_not_shrink() -> None:
    with pytest.raises(ValueError, match="`grow` is -1; it must be at least 0"):
        grown(torch.ones(2, 2).bool(), -1)


def test_masks_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png is no picture that can be read"):
        read_mask(tmp_path / "empty.png")
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.png"):
        read_mask(tmp_path / "none.png")


def test_an_alpha_channel_is_known_where_it_is_clearly_opaque() -> None:
    picture = Image.fromarray(np.array([[[9, 0], [9, 239], [9, 240], [9, 255]]], dtype=np.uint8))
    assert opaque(picture).tolist() == [[False, False, True, True]]
    with pytest.raises(ValueError, match="mode L has no alpha channel"):
        opaque(picture.convert("L"))
