"""Views of stored images: crops, mirrors and stochastic pixels as pure functions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pixelseq.data import DataOptions, Dataset, Images, Store, View, load
from pixelseq.data.options import parse_size
from pixelseq.pixel_format import PixelFormat

RAMP = torch.arange(48, dtype=torch.uint8).view(1, 6, 8)


def images_of(stored: list[Tensor], view: View) -> Images:
    store = Store.of(stored)
    return Images(store, np.arange(len(store)), np.arange(len(store)), view)


def drawn(images: Images, k: int, use: int, seed: int = 0) -> Tensor:
    """Image k as training sees it."""
    return images.drawn(np.array([k]), np.array([use]), seed)[0]


def test_a_store_gives_back_images_of_any_size() -> None:
    stored = [torch.randint(9, (3, h, w), dtype=torch.uint8) for h, w in [(1, 4), (5, 2), (3, 3)]]
    images = Images.of(Store.of(stored))
    assert all(torch.equal(one, other) for one, other in zip(images, stored, strict=True))
    assert torch.equal(images[-1], stored[-1])
    assert [image.shape for image in images[1:]] == [image.shape for image in stored[1:]]
    assert images.sizes.tolist() == [[1, 4], [5, 2], [3, 3]]
    with pytest.raises(IndexError):
        images[3]


def test_evaluation_crops_in_the_centre_and_never_mirrors() -> None:
    images = images_of([RAMP, RAMP[:, :, :3]], View(crop=(4, 4), flip=True))
    assert torch.equal(images[0], RAMP[:, 1:5, 2:6])
    assert torch.equal(images[1], RAMP[:, 1:5, :3])  # narrower than the crop: its own width
    assert images.sizes.tolist() == [[4, 4], [4, 3]]
    same = images_of([RAMP, RAMP], View(crop=(4, 4), flip=True))
    assert all(torch.equal(image, RAMP[:, 1:5, 2:6]) for image in same)  # as one block


def test_training_crops_anywhere_and_again_the_same() -> None:
    images = images_of([RAMP, RAMP], View(crop=(4, 4)))
    corners = [int(drawn(images, 0, use)[0, 0, 0]) for use in range(300)]
    assert set(corners) == {8 * top + left for top in range(3) for left in range(5)}
    assert corners == [int(drawn(images, 0, use)[0, 0, 0]) for use in range(300)]
    assert corners != [int(drawn(images, 1, use)[0, 0, 0]) for use in range(300)]
    assert corners != [int(drawn(images, 0, use, seed=1)[0, 0, 0]) for use in range(300)]
    crop = drawn(images, 0, 5)
    top, left = divmod(int(crop[0, 0, 0]), 8)
    assert torch.equal(crop, RAMP[:, top : top + 4, left : left + 4])


def test_training_mirrors_half() -> None:
    images = images_of([RAMP], View(flip=True))
    mirrored = [torch.equal(drawn(images, 0, use), RAMP.flip(2)) for use in range(200)]
    assert 70 < sum(mirrored) < 130  # 4 standard deviations
    assert all(torch.equal(drawn(images, 0, use), RAMP) for use in range(200) if not mirrored[use])


def test_shades_become_the_nearest_of_fewer_levels() -> None:
    table = load(DataOptions("photos", levels=4)).test.view.table
    assert table is not None
    assert table.bincount().tolist() == [43, 85, 85, 43]  # the shades 0, 85, 170, 255 are in the middle of theirs
    assert (table.diff() >= 0).all()


def test_stochastic_pixels_follow_their_shades() -> None:
    shades = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).view(1, 1, 4)
    images = images_of([shades, shades], View(binarize=256))
    uses = torch.stack([drawn(images, 0, use) for use in range(2000)]).double().mean(0).flatten()
    assert uses[[0, 3]].tolist() == [0, 1]
    assert uses[1:3].tolist() == pytest.approx([0.2, 0.8], abs=0.04)  # 4 standard deviations
    assert torch.equal(images[0], images[0])  # one draw for evaluation
    many = images_of([shades] * 2000, View(binarize=256))
    assert torch.stack(list(many)).double().mean(0).flatten().tolist() == pytest.approx([0, 0.2, 0.8, 1], abs=0.04)
    assert not torch.equal(torch.stack(list(many[:50])), torch.stack(list(many[50:100])))
    part = many[10:20]
    assert torch.equal(part[3], many[13])


def test_stochastic_digits_are_drawn_anew() -> None:
    data = load(DataOptions("digits", binarize="stochastic"))
    assert data.pixel_format.levels == 2
    gray = load("digits")
    assert isinstance(data.train, Images)
    assert (data.train[0][gray.train[0] == 0] == 0).all()
    assert (data.train[0][gray.train[0] == 16] == 1).all()
    assert not torch.equal(drawn(data.train, 0, 0), drawn(data.train, 0, 1))
    again = load(DataOptions("digits", binarize="stochastic"))
    assert torch.equal(torch.stack(list(data.test)), torch.stack(list(again.test)))
    other = load(DataOptions("digits", binarize="stochastic"), seed=1)
    assert not torch.equal(torch.stack(list(data.test)), torch.stack(list(other.test)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"levels": 1}, "`levels` is 1; it must be from 2 to 256"),
        ({"levels": 257}, "`levels` is 257"),
        ({"channels": 2}, "`channels` is 2"),
        ({"binarize": "static"}, "`binarize` is 'static'"),
        ({"binarize": "stochastic", "levels": 4}, "`binarize` makes 2 levels"),
        ({"crop": "32"}, "`crop` is '32'; expected rows x columns"),
        ({"resize": "0x4"}, "`resize` is '0x4'"),
    ],
)
def test_options_out_of_range_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataOptions(**fields)  # type: ignore[arg-type]
    assert parse_size("3x40", "crop") == (3, 40)


def test_a_fingerprint_tells_other_images() -> None:
    def fingerprint(*images: Tensor, held_out: int = 1, labels: Tensor | None = None) -> str:
        store = Store.of(images, labels)
        train, held = Images.of(store, np.arange(len(images) - held_out)), Images.of(store, np.arange(held_out))
        return Dataset("some", PixelFormat(1, 48), train, held, held).fingerprint()

    same = fingerprint(RAMP, RAMP, RAMP)
    assert same == fingerprint(RAMP, RAMP.clone(), RAMP)
    other = RAMP.clone()
    other[0, 5, 7] = 0
    assert same != fingerprint(RAMP, other, RAMP)
    assert same != fingerprint(RAMP, RAMP)
    assert same != fingerprint(RAMP, RAMP.view(1, 8, 6), RAMP)
    assert same != fingerprint(RAMP, RAMP, RAMP, held_out=2)
    labelled = [fingerprint(RAMP, RAMP, RAMP, labels=torch.tensor(labels)) for labels in ([0, 1, 2], [0, 1, 3])]
    assert len({same, *labelled}) == 3


@pytest.mark.parametrize(("crop", "said"), [(None, True), ("8x8", False)])
def test_large_images_that_are_trained_on_whole_are_said(tmp_path: Path, crop: str | None, said: bool) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 400, 700), np.uint8))
    (note,) = [note for note in load(DataOptions(str(tmp_path / "a.npy"), crop=crop)).notes if "whole" in note] or [""]
    expected = "training takes images whole, which have up to 280,000 values (400x700 pixels): choose `crop`"
    assert note.startswith(expected) == said


def test_a_huge_picture_is_cropped_before_it_is_copied(tmp_path: Path) -> None:
    """The memory of a process, since nothing else tells what was asked for."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (2000, 2000), np.uint8)).save(tmp_path / "a.tif")
    code = """
import resource, sys
from pixelseq.data import DataOptions, load, training_batches
import datasets
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
options = DataOptions(sys.argv[1], crop="32x32")
before = peak()
data = load(options)
assert len(next(training_batches(data.train, 16, 0))) == 16
assert next(iter(data.train)).shape == next(iter(data.test)).shape == (1, 32, 32)
print((peak() - before) / 2000**2)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.tif"], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 20  # of one byte per pixel; it once held 1024 copies
