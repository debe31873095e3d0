"""How alike two pictures of 8-bit shades are. Shapes: C colours, H rows, W columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelseq.imaging.levels import SHADES

WINDOW = 7
"""The side of the windows that SSIM looks through, at most."""


class Likeness(NamedTuple):
    """How alike two pictures are, or several pairs on average."""

    squared_error: float
    """The mean squared error of shades."""
    ssim: float | None
    """As of `ssim`."""

    @property
    def psnr(self) -> float:
        """The peak signal-to-noise ratio in dB: 10 log10(255^2 / the mean squared error); infinite without an error.

        Of several pairs it is that of their mean error, since one pair without any would make a mean infinite.
        """
        return math.inf if self.squared_error == 0 else 10 * math.log10((SHADES - 1) ** 2 / self.squared_error)

    def __str__(self) -> str:
        return f"PSNR {self.psnr:.2f} dB, {'no SSIM' if self.ssim is None else f'SSIM {self.ssim:.4f}'}"


def likeness(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> Likeness:
    """Measures how alike two pictures [C, H, W] are.

    Raises:
        ValueError: scikit-image is not installed.
    """
    return Likeness(float(np.square(picture.astype(np.float64) - original).mean()), ssim(picture, original))


def mean_likeness(several: Sequence[Likeness]) -> Likeness:
    """Gives the mean of the squared errors, and that of the SSIM of those that have one."""
    similar = [one.ssim for one in several if one.ssim is not None]
    error = sum(one.squared_error for one in several) / len(several)
    return Likeness(error, sum(similar) / len(similar) if similar else None)


def check_measures() -> None:
    """Raises ValueError where scikit-image, which measures, is not installed."""
    try:
        import skimage  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"measures need the package scikit-image ({error}): pip install 'pixelseq[measures]'"
        ) from error


def ssim(picture: NDArray[np.uint8], original: NDArray[np.uint8]) -> float | None:
    """Gives the structural similarity of a picture (Wang et al. 2004, Image Quality Assessment), the mean over colours.

    Args:
        picture: [C, H, W].
        original: [C, H, W].

    Returns:
        1 for two equal pictures; None for those that no window of 3x3 fits in. Where none of `WINDOW` does, it is the
        largest of an odd side.

    Raises:
        ValueError: scikit-image is not installed.
    """
    check_measures()
    from skimage.metrics import structural_similarity

    side = min(WINDOW, *picture.shape[1:])
    if side < 3:
        return None
    side -= 1 - side % 2
    return float(structural_similarity(picture, original, win_size=side, data_range=SHADES - 1, channel_axis=0))
