"""Partly known pictures: what the model sees of them, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import without_hidden_colours
from PIL import Image

from pixelseq.imaging.masks import opaque
from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.pictures import to_picture
from pixelseq.pixel_format import PixelFormat

TILES = PixelFormat(levels=6, kind="categorical")


def left(picture: Image.Image) -> torch.Tensor:
    """The first column is known."""
    return (torch.arange(picture.width) < 1).expand(picture.height, -1)


@pytest.mark.parametrize("levels", [2, 3, 7, 17, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_the_models_levels_are_read_and_filled_exactly(tmp_path: Path, channels: int, levels: int) -> None:
    pixel_format = PixelFormat(channels, levels)
    image, completion = map(without_hidden_colours, torch.randint(levels, (2, channels, 5, 3)))
    to_picture(image, pixel_format).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", pixel_format, left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0].long(), image[:, :, 0])
    completion[:, :, 0] = image[:, :, 0]
    filled = partial.filled(completion)
    assert filled.tobytes() == to_picture(completion, pixel_format).tobytes()
    assert filled.mode == to_picture(image, pixel_format).mode


def test_finer_shades_are_quantised_for_the_model_and_kept_in_the_picture(tmp_path: Path) -> None:
    values = np.array([[100, 7], [101, 7]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(levels=2), left)
    assert partial.note is not None
    assert "more shades than the model's 2 levels" in partial.note
    assert partial.levels[0, :, 0].tolist() == [0, 0]
    assert np.array(partial.filled(torch.tensor([[[0, 1], [0, 0]]]))).tolist() == [[100, 255], [101, 0]]


def test_an_alpha_channel_says_what_is_known_of_a_colour_picture(tmp_path: Path) -> None:
    values = np.array([[[1, 2, 3, 255], [4, 5, 6, 0]]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(3, 256), opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels[:, 0].tolist() == [[1, 4], [2, 5], [3, 6]]
    filled = partial.filled(torch.tensor([[[1, 9]], [[2, 8]], [[3, 7]]]))
    assert np.array(filled).tolist() == [[[1, 2, 3, 255], [9, 8, 7, 255]]]
    with pytest.raises(ValueError, match="no alpha channel besides its fourth colour"):
        read_partial(tmp_path / "a.png", PixelFormat(4, 256), opaque)
    with pytest.raises(ValueError, match=r"mode RGBA; the model has 3 channels \(mode RGB\)"):
        read_partial(tmp_path / "a.png", PixelFormat(3, 256), left)


def test_an_alpha_channel_says_what_is_known_of_a_tile_map(tmp_path: Path) -> None:
    picture = to_picture(torch.tensor([[[1, 3]]]), TILES).convert("RGBA")
    picture.putpixel((1, 0), (1, 2, 3, 0))  # of no tile
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", TILES, opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels.tolist() == [[[1, 0]]]


def test_tiles_are_filled_in_the_colours_of_the_palette(tmp_path: Path) -> None:
    image, completion = torch.randint(6, (2, 1, 4, 3))
    to_picture(image, TILES).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", TILES, left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0].long(), image[:, :, 0])
    assert partial.filled(completion).tobytes() == to_picture(completion, TILES).tobytes()


@pytest.mark.parametrize(
    ("values", "known", "levels", "filled", "note"),
    [
        (np.array([[False, True]]), left, [0, 16], [False, False], "has 2 shades and the model 17 levels"),
        (np.array([[10_000, 65535]], np.uint16), left, [2, 16], [10_000, 28672], "more shades than the model's 17"),
        (np.array([[[100, 255], [8, 0]]], np.uint8), opaque, [6, 1], [[100, 255], [112, 255]], "more shades than"),
    ],
    ids=["1", "I;16", "LA"],
)
def test_gray_pictures_of_any_depth_are_filled_in_their_own_values(
    tmp_path: Path,
    values: np.ndarray,
    known: Callable[[Image.Image], torch.Tensor],
    levels: list[int],
    filled: list[object],
    note: str,
) -> None:
    picture = Image.fromarray(values)
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(levels=17), known)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels.tolist() == [[levels]]
    assert partial.note is not None
    assert note in partial.note
    found = partial.filled(torch.tensor([[[9, 7]]]))
    assert found.mode == picture.mode
    assert np.array(found).tolist() == [filled]


def test_a_colour_that_stands_for_transparent_is_seen_white_as_in_training(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 8, 7]], dtype=np.uint8)).save(tmp_path / "a.png", transparency=7)
    partial = read_partial(tmp_path / "a.png", PixelFormat(), left)
    assert partial.levels.tolist() == [[[255, 8, 255]]]
    assert partial.note is not None
    assert "has transparent pixels: the model sees white" in partial.note
    assert np.array(partial.filled(torch.tensor([[[1, 2, 3]]]))).tolist() == [[7, 2, 3]]
    known = torch.tensor([[False, True, False]])
    assert read_partial(tmp_path / "a.png", PixelFormat(), lambda _: known).note is None
