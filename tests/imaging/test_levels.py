"""One quantiser: what a model draws reads back as drawn, and training and completion see the same levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import without_hidden_colours
from PIL import Image

from pixelseq.imaging.levels import level_of_shade, quantise, shades
from pixelseq.imaging.masks import known_rows
from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.pictures import read_image, to_picture
from pixelseq.imaging.read import decode_picture
from pixelseq.pixel_format import PixelFormat

ALL_LEVELS = range(2, 257)


def trained_on(path: Path, pixel_format: PixelFormat) -> np.ndarray:
    """The levels [C, H, W] that training sees."""
    return quantise(decode_picture(path, pixel_format.channels)[0], pixel_format.levels)


def completed_from(path: Path, pixel_format: PixelFormat) -> np.ndarray:
    """The levels [C, H, W] that completion sees."""
    return read_partial(path, pixel_format, lambda picture: known_rows(1, picture.height, picture.width)).levels.numpy()


def test_shades_span_black_to_white() -> None:
    assert shades(2).tolist() == [0, 255]
    assert shades(4).tolist() == [0, 85, 170, 255]
    assert shades(256).tolist() == list(range(256))
    assert shades(17, 16).tolist() == list(range(17))
    assert shades(3, 1).tolist() == [0, 0, 1]
    assert shades(3, 65535).tolist() == [0, 32768, 65535]


def test_levels_of_shades_by_hand() -> None:
    assert quantise(np.array([[0, 127], [128, 255]]), 2).tolist() == [[0, 0], [1, 1]]
    assert quantise(np.array([0, 63, 64, 191, 192, 255]), 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert quantise(np.arange(17), 3, top=16).tolist() == [0] * 5 + [1] * 8 + [2] * 4  # 4 and 12 lie in the middle
    assert quantise(np.array([0, 32767, 32768, 65535], dtype=np.uint16), 256, top=65535).tolist() == [0, 127, 128, 255]
    assert quantise(np.array([0, 1]), 256, top=1).tolist() == [0, 255]


@pytest.mark.parametrize("top", [1, 16, 255])
def test_the_level_is_the_nearest_one(top: int) -> None:
    values = np.arange(top + 1)
    for V in ALL_LEVELS:
        distance = abs(values[:, None] * (V - 1) - np.arange(V) * top)  # in units of 1 / (V - 1) shades: exact
        found = quantise(values, V, top)
        assert found.dtype == np.uint8
        assert np.array_equal(distance[values, found], distance.min(axis=1)), V


@pytest.mark.parametrize("top", [255, 65535])
def test_shades_of_any_number_of_levels_are_those_levels_again(top: int) -> None:
    for V in ALL_LEVELS:
        assert np.array_equal(quantise(shades(V, top).numpy(), V, top), np.arange(V)), V


def test_sixteen_bit_shades_of_any_number_of_levels_are_read_as_those_levels(tmp_path: Path) -> None:
    for V in ALL_LEVELS:
        path, pixel_format = tmp_path / f"{V}.png", PixelFormat(levels=V)
        Image.fromarray(shades(V, 65535).numpy().astype(np.uint16)[None]).save(path)
        assert np.array_equal(trained_on(path, pixel_format), np.arange(V)[None, None]), V
        assert np.array_equal(completed_from(path, pixel_format), np.arange(V)[None, None]), V


@pytest.mark.parametrize("top", [1, 16, 200, 255])
def test_the_table_is_the_quantiser(top: int) -> None:
    for V in ALL_LEVELS:
        table = level_of_shade(V, top)
        assert table.dtype == torch.uint8
        assert np.array_equal(table[: top + 1], quantise(np.arange(top + 1), V, top)), V
        assert (table[top:] == V - 1).all(), V


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_a_model_draws_is_read_as_drawn_by_training_and_completion(tmp_path: Path, channels: int) -> None:
    for V in ALL_LEVELS:
        path, pixel_format = tmp_path / f"{V}.png", PixelFormat(channels, V)
        image = without_hidden_colours(torch.arange(channels * 90).view(channels, 9, 10) % V)  # every level
        to_picture(image, pixel_format).save(path)
        assert np.array_equal(trained_on(path, pixel_format), image), V
        assert np.array_equal(completed_from(path, pixel_format), image), V
        assert np.array_equal(read_image(path, pixel_format), image), V


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "png"), ("RGB", "png"), ("I;16", "png"), ("L", "jpg"), ("RGB", "jpg")]
)
def test_training_and_completion_see_a_photograph_alike(tmp_path: Path, mode: str, kind: str) -> None:
    smooth = np.add.outer(np.linspace(0, 0.7, 48), np.linspace(0, 0.3, 64) ** 2)[..., None] * [1, 0.9, 0.8]
    noisy = (smooth + np.random.default_rng(0).normal(0, 0.05, smooth.shape)).clip(0, 1)
    if mode == "I;16":
        picture = Image.fromarray((noisy[..., 0] * 65535).astype(np.uint16))
    else:
        picture = Image.fromarray((noisy * 255).astype(np.uint8)).convert(mode)
    path = tmp_path / f"photo.{kind}"
    picture.save(path)
    for V in (2, 3, 4, 16, 17, 64, 255, 256):
        pixel_format = PixelFormat(3 if mode == "RGB" else 1, V)
        seen = trained_on(path, pixel_format)
        assert (seen != completed_from(path, pixel_format)).mean() == 0
        assert len(np.unique(seen)) > V // 2
