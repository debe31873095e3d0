"""The one quantiser: levels to the shades they look like, and shades to the nearest levels. V levels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHADES = 256
"""The values of an 8-bit colour."""


def shades(levels: int, top: int = SHADES - 1) -> Tensor:
    """Gives the shade that each level looks like: round(top * v / (V - 1)).

    Args:
        levels: V.
        top: the highest shade; black is 0.

    Returns:
        [V], uint8, or int32 where a shade takes more bits.
    """
    return (torch.arange(levels) * (top / (levels - 1))).round().to(torch.uint8 if top < SHADES else torch.int32)


def quantise(values: NDArray[np.integer], levels: int, top: int = SHADES - 1) -> NDArray[np.uint8]:
    """Gives the level whose shade is nearest, the lower one of two.

    The nearest level, unlike one of V equal bins, undoes `shades` for every V: training and completion then see what
    the model draws as it was drawn.

    Args:
        values: shades from 0 to `top`, of any shape.
        levels: V, at most 256.
        top: the highest shade, at most 65535.

    Returns:
        uint8, of the shape of `values`.
    """
    return ((values.astype(np.int32) * (2 * (levels - 1)) + top - 1) // (2 * top)).astype(np.uint8)


def level_of_shade(levels: int, top: int = SHADES - 1) -> Tensor:
    """Gives `quantise` as a table [256], uint8; shades beyond `top` are as `top`."""
    return torch.from_numpy(quantise(np.arange(SHADES).clip(max=top), levels, top))
