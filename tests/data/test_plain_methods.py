"""Plain methods restore exactly what they are made for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pixelseq import PixelFormat
from pixelseq.data.degradations import Degradation
from pixelseq.data.plain_methods import AS_IT_IS, enlarged, in_mean_colour, inpainted, median, plainly_restored

RAMP = np.stack([np.arange(9)[:, None] * 10 + np.arange(11), np.arange(9)[:, None] + np.arange(11) * 20]).astype(
    np.uint8
)
"""[2, 9, 11], linear in rows and columns."""


def test_a_hole_in_a_ramp_is_filled_with_the_ramp() -> None:
    known = np.ones((9, 11), dtype=bool)
    known[3:6, 4:8] = False
    assert np.array_equal(inpainted(RAMP * known, known), RAMP)


def test_where_nothing_is_known_all_is_gray() -> None:
    assert (inpainted(RAMP, np.zeros((9, 11), dtype=bool)) == 128).all()


def test_a_median_takes_single_values_out_of_each_colour() -> None:
    values = np.stack([np.full((6, 5), shade, np.uint8) for shade in (10, 200, 90)])
    noisy = values.copy()
    noisy[0, 0, 0], noisy[1, 3, 2], noisy[2, 5, 1] = 255, 0, 7
    assert np.array_equal(median(noisy), values)


@pytest.mark.parametrize(("size", "factor"), [((8, 6), 2), ((7, 5), 2), ((9, 11), 4)])
def test_a_flat_picture_stays_flat_in_its_size_when_enlarged(size: tuple[int, int], factor: int) -> None:
    values = np.stack([np.full(size, shade, np.uint8) for shade in (3, 250)])
    assert np.array_equal(enlarged(values, factor), values)


def test_enlarging_is_smooth_between_the_means_of_boxes() -> None:
    boxes = np.repeat(np.array([0, 0, 100, 100], np.uint8), 2)[None, None].repeat(4, axis=1)
    ((row, *_),) = enlarged(boxes, 2)
    assert row[0] == 0
    assert row[-1] == 100
    assert 0 < row[3] < 50 < row[4] < 100
    assert row[3] + row[4] == 100


def test_a_picture_of_one_colour_is_coloured_exactly() -> None:
    gray = np.arange(50, 62, dtype=np.uint8).reshape(1, 3, 4)
    tinted = np.concatenate([gray + 30, gray - 20, gray, np.full_like(gray, 99)])
    assert np.array_equal(in_mean_colour(gray, tinted), tinted)
    assert np.array_equal(in_mean_colour(gray, tinted[:3]), tinted[:3])


@pytest.mark.parametrize(
    ("degradation", "method"),
    [
        ("lowres:2", "bicubic"),
        ("noise:0.2", "median"),
        ("mask", "biharmonic"),
        ("gray", "the original's mean colour"),
        ("posterize:2", AS_IT_IS),
        ("gray+posterize:2", AS_IT_IS),
        ("gray+lowres:2", "bicubic"),
        ("lowres:2+noise:0.1+mask", "biharmonic, median, bicubic"),
        ("edges", None),
    ],
)
def test_degradations_have_methods_whose_result_is_a_picture_like_the_original(
    degradation: str, method: str | None
) -> None:
    pixel_format, steps = PixelFormat(3, 8), Degradation.parse(degradation)
    original = torch.randint(8, (3, 9, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    given, known = steps(original, pixel_format, np.random.default_rng(0))
    found = plainly_restored(degradation, given, known, steps.format_of(pixel_format), original, pixel_format)
    if method is None:
        assert found is None
        return
    assert found is not None
    assert found[0] == method
    assert found[1].shape == original.shape
    assert found[1].dtype == np.uint8
    if method == AS_IT_IS and "gray" in degradation:
        assert np.array_equal(found[1], (given * 255).numpy().repeat(3, axis=0))


def test_levels_without_an_order_have_no_plain_method() -> None:
    tiles, image, known = PixelFormat(1, 3, "categorical"), torch.zeros(1, 4, 4).byte(), torch.ones(4, 4).bool()
    assert plainly_restored("mask", image, known, tiles, image, tiles) is None


def test_gray_is_opaque_in_rgba() -> None:
    rgba, gray = PixelFormat(4, 4), PixelFormat(1, 2)
    original = torch.zeros(4, 3, 3).byte()
    found = plainly_restored("gray+posterize:2", original[:1], torch.ones(3, 3).bool(), gray, original, rgba)
    assert found is not None
    assert found[1][:, 0, 0].tolist() == [0, 0, 0, 255]
