"""Bundled data sets, batches and their order."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pixelseq.data import collate, load, training_batches


def test_digits_is_a_fixed_split_of_all_of_them() -> None:
    data = load("digits")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1297, 250, 250]
    assert all(image.shape == (1, 8, 8) and image.dtype == torch.uint8 for image in data.train)
    ours = torch.stack(data.train + data.validation + data.test).flatten(1)
    theirs = load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, ours.numpy())) == sorted(map(bytes, theirs))
    assert all(torch.equal(one, other) for one, other in zip(data.test, load("digits").test, strict=True))


def test_digit_columns_stack_digits_of_their_own_split() -> None:
    digits, columns = load("digits"), load("digit_columns")
    for split in ("train", "validation", "test"):
        own = {bytes(image.numpy()) for image in getattr(digits, split)}
        images = getattr(columns, split)
        assert {image.shape[1] for image in images} == {8, 16, 24, 32, 40, 48}
        pieces = {bytes(piece.numpy()) for image in images[:50] for piece in image.split(8, dim=1)}
        assert pieces <= own
    assert {image.shape[1] for image in columns.more_tests["columns_of_12"]} == {96}
    assert {image.shape[1] for image in columns.more_tests["columns_of_6"]} == {48}


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ValueError, match="no data set 'letters'; choose from digits"):
        load("letters")


def test_collate_pads_at_the_bottom() -> None:
    images = [torch.full((2, h, 3), h, dtype=torch.uint8) for h in (2, 4, 1)]
    levels, heights = collate(images)
    assert levels.shape == (3, 2, 4, 3)
    assert heights.tolist() == [2, 4, 1]
    assert levels[0, 0, :, 0].tolist() == [2, 2, 0, 0]
    with pytest.raises(ValueError, match="unlike widths"):
        collate([torch.zeros(1, 2, 3), torch.zeros(1, 2, 4)])


def test_training_batches_use_every_image_equally_often() -> None:
    batches = list(islice(training_batches(count=10, batch_size=4, seed=1), 15))
    assert all(len(batch) == 4 for batch in batches)
    assert torch.cat(batches).bincount().tolist() == [6] * 10
    flat = torch.cat(batches)
    assert sorted(flat[:10].tolist()) == list(range(10))
    assert flat[:10].tolist() != flat[10:20].tolist()
    again = torch.cat(list(islice(training_batches(10, 4, seed=1), 15)))
    assert torch.equal(flat, again)
    assert not torch.equal(flat, torch.cat(list(islice(training_batches(10, 4, seed=2), 15))))
    assert len(next(training_batches(count=3, batch_size=8, seed=0))) == 8
