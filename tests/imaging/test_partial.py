"""Partly known pictures: what the model sees of them, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelseq import ModelConfig
from pixelseq.imaging.partial import opaque, read_partial
from pixelseq.imaging.pictures import to_picture


def left(picture: Image.Image) -> torch.Tensor:
    """The first column is known."""
    return (torch.arange(picture.width) < 1).expand(picture.height, -1)


@pytest.mark.parametrize("levels", [2, 3, 7, 17, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_the_models_levels_are_read_and_filled_exactly(tmp_path: Path, channels: int, levels: int) -> None:
    image, completion = torch.randint(levels, (2, channels, 5, 3))
    to_picture(image, levels).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", ModelConfig(channels=channels, levels=levels), left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0], image[:, :, 0])
    completion[:, :, 0] = image[:, :, 0]
    filled = partial.filled(completion)
    assert filled.tobytes() == to_picture(completion, levels).tobytes()
    assert filled.mode == to_picture(image, levels).mode


def test_finer_shades_are_quantised_for_the_model_and_kept_in_the_picture(tmp_path: Path) -> None:
    values = np.array([[100, 7], [101, 7]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", ModelConfig(levels=2), left)
    assert partial.note is not None
    assert "more shades than the model's 2 levels" in partial.note
    assert partial.levels[0, :, 0].tolist() == [0, 0]
    assert np.array(partial.filled(torch.tensor([[[0, 1], [0, 0]]]))).tolist() == [[100, 255], [101, 0]]


def test_an_alpha_channel_says_what_is_known_of_a_colour_picture(tmp_path: Path) -> None:
    values = np.array([[[1, 2, 3, 255], [4, 5, 6, 0]]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", ModelConfig(channels=3, levels=256), opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels[:, 0].tolist() == [[1, 4], [2, 5], [3, 6]]
    filled = partial.filled(torch.tensor([[[1, 9]], [[2, 8]], [[3, 7]]]))
    assert np.array(filled).tolist() == [[[1, 2, 3, 255], [9, 8, 7, 255]]]
    with pytest.raises(ValueError, match="no alpha channel besides its fourth colour"):
        read_partial(tmp_path / "a.png", ModelConfig(channels=4, levels=256), opaque)
    with pytest.raises(ValueError, match=r"mode RGBA; the model has 3 channels \(mode RGB\)"):
        read_partial(tmp_path / "a.png", ModelConfig(channels=3, levels=256), left)


def test_an_alpha_channel_says_what_is_known_of_a_tile_map(tmp_path: Path) -> None:
    picture = to_picture(torch.tensor([[[1, 3]]]), 6, "categorical").convert("RGBA")
    picture.putpixel((1, 0), (1, 2, 3, 0))  # of no tile
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", ModelConfig(levels=6, pixels="categorical"), opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels.tolist() == [[[1, 0]]]


def test_tiles_are_filled_in_the_colours_of_the_palette(tmp_path: Path) -> None:
    config = ModelConfig(levels=6, pixels="categorical")
    image, completion = torch.randint(6, (2, 1, 4, 3))
    to_picture(image, 6, "categorical").save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", config, left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0].long(), image[:, :, 0])
    assert partial.filled(completion).tobytes() == to_picture(completion, 6, "categorical").tobytes()
