"""What plain methods, which have learned nothing, make of degraded images: what a model is compared with.

Shapes: C colours, H rows, W columns, F the factor of lowres.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixelseq.data.degradations import shrunk
from pixelseq.imaging.levels import SHADES, shades
from pixelseq.imaging.measures import check_measures
from pixelseq.pixel_format import PixelFormat

MEDIAN = 3
"""The side of the box whose median a noisy value becomes."""
AS_IT_IS = "as it is"
"""The method that shows what is left of an image, its gray in all colours."""

Shades = NDArray[np.uint8]
"""[C, H, W], of 8 bits."""


def plainly_restored(
    degradation: str,
    given: Tensor,
    known: Tensor,
    given_format: PixelFormat,
    original: Tensor,
    pixel_format: PixelFormat,
) -> tuple[str, Shades] | None:
    """Restores an image by the plain method of each degradation, the last one first.

    mask: biharmonic inpainting; noise: the median of 3x3 values of a colour; lowres: bicubic enlargement of the small
    picture; posterize: its shades as they are. gray by itself: red, green and blue are the gray and what they differ
    from it on average over this original, which no method could know; transparency is its own mean. gray together with
    others is gray in all colours.

    Args:
        degradation: its text, such as lowres:2 or gray+posterize:4.
        given: levels [C', H, W], what is left of the original.
        known: bool [H, W], what is known of that.
        given_format: the format of what is left.
        original: levels [C, H, W].
        pixel_format: the format of the original.

    Returns:
        The name of the method, and what it makes; None where there is no plain method: for edges, and for levels
        without an order.

    Raises:
        ValueError: scikit-image is not installed.
    """
    parts = [part.partition(":")[::2] for part in degradation.split("+")]
    if not pixel_format.ordered or "edges" in dict(parts):
        return None
    values = shades(given_format.levels)[given.long()].numpy()
    target = shades(pixel_format.levels)[original.long()].numpy()
    methods = []
    for name, number in reversed(parts):
        match name:
            case "mask":
                values, method = inpainted(values, known.numpy()), "biharmonic"
            case "noise":
                values, method = median(values), "median"
            case "lowres":
                values, method = enlarged(values, int(number)), "bicubic"
            case "gray" if len(parts) == 1:
                values, method = in_mean_colour(values, target), "the original's mean colour"
            case _:
                continue
        methods.append(method)
    return ", ".join(methods) or AS_IT_IS, _in_colours(values, len(target))


def inpainted(values: Shades, known: NDArray[np.bool_]) -> Shades:
    """Fills what is unknown biharmonically from what is known (Damelin and Hoang 2018); with middle gray if nothing is.

    Args:
        values: [C, H, W].
        known: [H, W].

    Raises:
        ValueError: scikit-image is not installed.
    """
    check_measures()
    from skimage.restoration import inpaint_biharmonic

    if not known.any():
        return np.full_like(values, SHADES // 2)
    filled = inpaint_biharmonic(values, ~known, channel_axis=0)  # float64, 0 to 1
    return np.where(known, values, _rounded(filled * (SHADES - 1)))


def median(values: Shades) -> Shades:
    """Gives the median of the box of `MEDIAN` x `MEDIAN` values around each value [C, H, W] of one colour.

    Raises:
        ValueError: scikit-image, which brings SciPy, is not installed.
    """
    check_measures()
    from scipy.ndimage import median_filter

    found: Shades = median_filter(values, (1, MEDIAN, MEDIAN), mode="nearest")
    return found


def enlarged(values: Shades, factor: int) -> Shades:
    """Makes a picture of the means of FxF boxes of values [C, H, W], and enlarges it bicubically to what it was."""
    _, H, W = values.shape
    small = shrunk(torch.from_numpy(values), factor).numpy()
    size = (small.shape[2] * factor, small.shape[1] * factor)
    large = [Image.fromarray(colour).resize(size, Image.Resampling.BICUBIC) for colour in small]
    return np.stack([np.asarray(colour)[:H, :W] for colour in large])


def in_mean_colour(gray: Shades, original: Shades) -> Shades:
    """Gives gray values [1, H, W] the mean colour of an original [3 or 4, H, W], and its mean transparency."""
    means = original.mean((1, 2), keepdims=True)
    coloured = gray + (means[:3] - gray.mean())
    return _rounded(np.concatenate([coloured, np.broadcast_to(means[3:], (len(means[3:]), *gray.shape[1:]))]))


def _in_colours(values: Shades, channels: int) -> Shades:
    """Gives values [C', H, W] as a picture of so many colours; what was gray is opaque."""
    if len(values) == channels:
        return values
    colours = np.repeat(values[:1], channels, axis=0)
    colours[3:] = SHADES - 1
    return colours


def _rounded(values: NDArray[np.floating]) -> Shades:
    return values.clip(0, SHADES - 1).round().astype(np.uint8)
