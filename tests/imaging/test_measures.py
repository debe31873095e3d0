"""PSNR and SSIM of pictures whose likeness is known beforehand."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from pixelseq.imaging.measures import Likeness, likeness, mean_likeness, ssim

RANDOM = np.random.default_rng(0).integers(253, size=(3, 9, 8)).astype(np.uint8)


def flat(shade: int, height: int = 8, width: int = 9) -> np.ndarray:
    return np.full((1, height, width), shade, np.uint8)


def test_the_psnr_of_known_errors() -> None:
    assert likeness(flat(0), flat(255)).psnr == 0
    assert likeness(RANDOM + 1, RANDOM).psnr == pytest.approx(20 * math.log10(255))
    half = RANDOM.copy()
    half[:, :, ::2] += 1  # an error of 1 in half of the values
    assert likeness(half, RANDOM).psnr == pytest.approx(20 * math.log10(255) + 10 * math.log10(2))
    assert likeness(RANDOM, RANDOM).psnr == math.inf


def test_the_ssim_of_flat_pictures_is_that_of_their_means() -> None:
    """Wang et al. 2004, equation 6: without variance the luminance term alone is left."""
    a, b, c1 = 100, 150, (0.01 * 255) ** 2
    for size in ((8, 9), (3, 3), (4, 20)):
        expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
        assert ssim(flat(a, *size), flat(b, *size)) == pytest.approx(expected)


def test_equal_pictures_are_wholly_alike_in_windows_that_fit() -> None:
    for size in ((9, 8), (3, 8), (9, 4)):
        part = RANDOM[:, : size[0], : size[1]]
        assert ssim(part, part) == pytest.approx(1)
        assert ssim(part, 255 - part) < 0.5
    assert ssim(RANDOM[:, :2], RANDOM[:, :2]) is None


def test_a_mean_is_over_those_that_have_a_measure() -> None:
    few, many, equal = (likeness(one + add, one) for one, add in ((RANDOM[:, :2], 1), (RANDOM, 3), (RANDOM, 0)))
    assert few == Likeness(1, None)
    assert many.squared_error == 9
    assert mean_likeness([few, many]) == Likeness(5, many.ssim)
    assert mean_likeness([few, few]) == few
    assert str(few) == "PSNR 48.13 dB, no SSIM"
    assert mean_likeness([equal, many]).psnr == pytest.approx(many.psnr + 10 * math.log10(2))
    assert str(equal) == "PSNR inf dB, SSIM 1.0000"


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(
        ValueError, match=r"measures need the package scikit-image .*pip install 'pixelseq\[measures\]'"
    ):
        ssim(RANDOM, RANDOM)
