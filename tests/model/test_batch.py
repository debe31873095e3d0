"""Batches: padding at the bottom, which counts for nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pixelseq.model.batch import Batch


def test_images_are_padded_at_the_bottom() -> None:
    images = [torch.full((2, h, 3), h, dtype=torch.uint8) for h in (2, 4, 1)]
    batch = Batch.of(images)
    assert batch.levels.shape == (3, 2, 4, 3)
    assert batch.heights.tolist() == [2, 4, 1]
    assert batch.levels[0, 0, :, 0].tolist() == [2, 2, 0, 0]
    assert batch.num_values == (2 + 4 + 1) * 2 * 3
    with pytest.raises(ValueError, match="unlike widths"):
        Batch.of([torch.zeros(1, 2, 3), torch.zeros(1, 2, 4)])
    with pytest.raises(ValueError, match="unlike widths or channels"):
        Batch.of([torch.zeros(1, 2, 3), torch.zeros(3, 2, 3)])


def test_nats_below_an_image_are_not_summed() -> None:
    nats = torch.arange(12.0).view(2, 1, 3, 2)
    batch = Batch(torch.zeros(2, 1, 3, 2, dtype=torch.uint8), torch.tensor([1, 2]))
    assert batch.sum_nats(nats).tolist() == [0 + 1, 6 + 7 + 8 + 9]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 5), st.sampled_from([1, 3, 4]))
def test_every_value_is_in_a_batch_once(heights: list[int], width: int, channels: int) -> None:
    images = [torch.full((channels, height, width), 1 + k) for k, height in enumerate(heights)]
    batch = Batch.of(images)
    assert batch.num_values == sum(image.numel() for image in images)
    # What is summed of ones is the size of each image, and of the levels, their own.
    assert batch.sum_nats(torch.ones(batch.levels.shape)).tolist() == [image.numel() for image in images]
    assert batch.sum_nats(batch.levels).tolist() == [int(image.sum()) for image in images]
