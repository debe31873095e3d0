"""Which axes are images, channels, rows and columns: one rule, and a refusal where it leaves two."""

from __future__ import annotations

import numpy as np
import pytest

from pixelseq.imaging.axes import IMAGES, ONE_IMAGE, channels_first, find_order

ANY = (*IMAGES, *ONE_IMAGE)
"""The orders of the axes of an array of which nothing else is known."""
AMBIGUOUS = "say which with `channels`, or store its axes in another order"


@pytest.mark.parametrize(
    ("shape", "channels", "found"),
    [
        ((20, 16), None, "HW"),
        ((9, 28, 28), None, "NHW"),
        ((1, 28, 28), None, "NHW"),  # or [C, H, W], which is the same image
        ((48, 64, 3), None, AMBIGUOUS),
        ((48, 64, 3), 3, "HWC"),
        ((48, 64, 3), 1, "NHW"),
        ((3, 48, 64), 3, "CHW"),
        ((3, 48, 64), None, AMBIGUOUS),
        ((48, 64, 1), None, AMBIGUOUS),
        ((48, 64, 1), 1, AMBIGUOUS),  # 48 images of 64x1 or one of 48x64
        ((9, 28, 28, 1), None, "NHWC"),
        ((9, 1, 28, 28), None, "NCHW"),
        ((9, 28, 20, 3), None, "NHWC"),
        ((9, 3, 28, 20), None, "NCHW"),
        ((9, 28, 28, 4), None, "NHWC"),
        ((30, 3, 20, 4), None, AMBIGUOUS),
        ((30, 3, 20, 4), 3, "NCHW"),
        ((30, 3, 20, 4), 4, "NHWC"),
        ((30, 3, 20, 3), 3, AMBIGUOUS),
        ((30, 1, 20, 4), 1, "NCHW"),
        ((30, 1, 1, 1), None, "NHWC"),
        ((9, 2, 28, 28), None, "with 1, 3 or 4 for C"),
        ((9, 28, 28, 3), 4, "with 4, as `channels` says, for C"),
        ((9, 28, 28, 3, 1), None, "expected one of"),
        ((9,), None, "expected one of"),
        ((9, 0, 28), None, r"\[9, 0, 28\]; every side must be at least 1"),
    ],
)
def test_axes_of_an_array(shape: tuple[int, ...], channels: int | None, found: str) -> None:
    if found in ANY:
        assert find_order(shape, channels, ANY) == found
    else:
        with pytest.raises(ValueError, match=found):
            find_order(shape, channels, ANY)


@pytest.mark.parametrize(
    ("shape", "channels", "found"),
    [
        ((20, 16), None, "HW"),
        ((20, 16, 3), None, "HWC"),
        ((20, 16, 1), None, "HWC"),
        ((3, 20, 16), None, "CHW"),
        ((1, 20, 16), None, "CHW"),
        ((4, 20, 3), None, AMBIGUOUS),
        ((4, 20, 3), 3, "HWC"),
        ((4, 20, 3), 4, "CHW"),
        ((5, 20, 16), None, "with 1, 3 or 4 for C"),
        ((20, 16), 3, "with 3, as `channels` says, for C"),
    ],
)
def test_axes_of_one_image(shape: tuple[int, ...], channels: int | None, found: str) -> None:
    if found in ONE_IMAGE:
        assert find_order(shape, channels) == found
    else:
        with pytest.raises(ValueError, match=found):
            find_order(shape, channels)


def test_a_refusal_names_the_readings() -> None:
    with pytest.raises(ValueError, match="30 images of 3x20 in 4 channels or 30 images of 20x4 in 3 channels: say"):
        find_order((30, 3, 20, 4), orders=ANY)
    with pytest.raises(ValueError, match="48 images of 64x3 in 1 channel or 1 image of 48x64 in 3 channels: say"):
        find_order((48, 64, 3), orders=ANY)


@pytest.mark.parametrize("order", ONE_IMAGE)
def test_channels_come_first(order: str) -> None:
    image = np.arange(12).reshape(1, 3, 4) if order == "HW" else np.arange(60).reshape(5, 3, 4)
    stored = image[0] if order == "HW" else image.transpose(["CHW".index(letter) for letter in order])
    np.testing.assert_array_equal(channels_first(stored, order), image)
