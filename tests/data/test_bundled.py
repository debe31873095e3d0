"""Data sets that come with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images

from pixelseq.data import DataOptions, load


def test_digits_is_a_fixed_split_of_all_of_them() -> None:
    data = load("digits")
    assert (data.pixel_format.channels, data.pixel_format.levels) == (1, 17)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1297, 250, 250]
    assert all(image.shape == (1, 8, 8) and image.dtype == torch.uint8 for image in data.train)
    bunch = load_digits()
    theirs = {bytes(image): label for image, label in zip(bunch.data.astype(np.uint8), bunch.target, strict=True)}
    ours = [*data.train, *data.validation, *data.test]
    assert sorted(bytes(image.numpy()) for image in ours) == sorted(map(bytes, bunch.data.astype(np.uint8)))
    assert data.test.labels is not None
    for image, label in zip(data.test, data.test.labels.tolist(), strict=True):
        assert theirs[bytes(image.numpy())] == label
    assert data.class_names[3] == "3"
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


def test_digits_quantise_to_fewer_levels() -> None:
    fine, coarse = load("digits"), load(DataOptions("digits", levels=2))
    assert coarse.pixel_format.levels == 2
    assert torch.equal(coarse.test[7], (fine.test[7] > 8).to(torch.uint8))  # levels 0 to 8 of 17 are the lower half
    with pytest.raises(ValueError, match="`levels` is 32; bundled:digits has 17 shades"):
        load(DataOptions("digits", levels=32))


def test_photos_are_crops_of_parts_that_have_no_pixel_in_common() -> None:
    data = load(DataOptions("photos", crop="16x24"))
    assert (data.pixel_format.channels, data.pixel_format.levels) == (3, 256)
    assert {tuple(image.shape) for split in (data.train, data.validation, data.test) for image in split} == {
        (3, 16, 24)
    }
    first, second = (torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images)
    # Pictures of 427x640: columns 0 to 511 train, 512 to 575 validate, 576 to 639 test.
    assert torch.equal(data.validation[0], first[:, :16, 512:536])
    assert torch.equal(data.test[1], first[:, :16, 600:624])
    assert torch.equal(data.test[-1], second[:, 400:416, 600:624])
    assert len(data.train) == 2 * (427 // 16) * (512 // 24)


@pytest.mark.parametrize("flag", ["channels", "resize"])
def test_what_is_for_pictures_is_refused_for_digits(flag: str) -> None:
    options = DataOptions(channels=3) if flag == "channels" else DataOptions(resize="8x8")
    with pytest.raises(ValueError, match=f"`{flag}` is for pictures"):
        load(options)
