"""What a data set says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelseq.data import DataOptions, load
from pixelseq.imaging.preprocessing import Preprocessing


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve pictures of three sizes."""
    for k in range(12):
        Image.new("L", [(6, 9), (6, 5), (7, 5)][k % 3], k).save(tmp_path / f"{k}.png")
    return tmp_path


def test_sizes_are_those_of_the_training_images(pictures: Path) -> None:
    trained_on = load(str(pictures)).describe()
    assert trained_on.data == pictures.name  # without the folders above it
    assert (trained_on.size, trained_on.smallest, trained_on.largest) == ((5, 6), (5, 6), (9, 7))
    assert trained_on.preprocessing == Preprocessing()


def test_preprocessing_is_what_was_asked_for(pictures: Path) -> None:
    options = DataOptions(str(pictures), resize="8x10", crop="4x6", binarize="stochastic")
    trained_on = load(options).describe()
    assert trained_on.size == trained_on.smallest == trained_on.largest == (4, 6)
    assert trained_on.preprocessing == Preprocessing((8, 10), (4, 6), binarize=True)


def test_bundled_sets_keep_their_names() -> None:
    trained_on = load("digit_columns").describe()
    assert (trained_on.data, trained_on.smallest, trained_on.largest) == ("digit_columns", (8, 8), (48, 8))
    assert trained_on.size[0] in np.arange(8, 49, 8)
