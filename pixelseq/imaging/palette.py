"""A colour for each level of images whose levels have no order, such as tile maps."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

GAP_COLOUR = (192, 192, 192)
"""What lies between the pictures of a sheet: neither white nor black pictures vanish in it."""
PAPER_COLOUR = (255, 255, 255)
UNKNOWN_COLOUR = (64, 96, 176)
"""What a partial image shows where it is not known."""
STEP = 17
"""Colours are chosen from all whose red, green and blue are multiples of this."""
LIGHTNESS = (0.25, 0.95)
"""The range of OKLab lightness: dark and light colours outside it look alike."""
MAX_CHROMA = 0.15
"""The OKLab chroma: large areas of stronger colours are hard to look at."""
LIGHTNESS_WEIGHT = 2.0
"""The weight of lightness against hue: what differs in lightness too can be told apart by everyone."""


@cache
def palette(levels: int) -> NDArray[np.uint8]:
    """Gives each level the colour that looks least like those before it.

    A level's colour does not depend on how many levels follow it, and differs from paper and from unknown pixels.

    Args:
        levels: V, at most 256.

    Returns:
        [V, 3], red, green and blue.
    """
    grid = np.arange(0, 256, STEP)
    candidates = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = oklab(candidates)
    inside = (lab[:, 0] > LIGHTNESS[0]) & (lab[:, 0] < LIGHTNESS[1]) & (np.hypot(lab[:, 1], lab[:, 2]) < MAX_CHROMA)
    weights = np.array([LIGHTNESS_WEIGHT, 1, 1])
    candidates, points = candidates[inside], lab[inside] * weights
    taken = oklab(np.array([PAPER_COLOUR, UNKNOWN_COLOUR])) * weights
    distance = np.linalg.norm(points[:, None] - taken, axis=-1).min(axis=1)  # to the closest colour taken
    chosen = []
    for _ in range(levels):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=-1))
    return candidates[chosen].astype(np.uint8)


def find_colours(colours: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Finds colours in a table.

    Args:
        colours: [K, ...], K values per colour.
        table: [K, N], N colours.

    Returns:
        [...], the place of each colour in the table, or any place where the table lacks it.
    """
    digits = 256 ** np.arange(len(table))
    wanted, numbers = np.tensordot(digits, colours, 1), digits @ table
    order = numbers.argsort(kind="stable")
    return order[np.searchsorted(numbers, wanted, sorter=order).clip(max=len(order) - 1)]


def oklab(colours: NDArray[np.integer]) -> NDArray[np.float64]:
    """Converts colours to a space in which distances are about as seen.

    Ottosson (2020), A perceptual color space for image processing.

    Args:
        colours: sRGB [N, 3], 0 to 255.

    Returns:
        [N, 3]: lightness from 0 to 1, green to red, blue to yellow.
    """
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ _CONES.T) @ _OPPONENTS.T


_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
