"""What parts of images are erased, as people would: boxes, half planes, strokes, pixels. Shapes: H rows, W columns."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

_FINE = 64
"""The parts of a pixel in which the path of a stroke is reckoned."""
_HEADINGS = np.arange(16) * (np.pi / 8)
_COMPASS = np.rint(_FINE * np.stack([np.sin(_HEADINGS), np.cos(_HEADINGS)])).astype(np.int64)
"""[2, 16], a step of one pixel down and to the right in each of 16 directions; none is rounded from nearly a half."""

Unknown = NDArray[np.bool_]
"""[H, W], True where a pixel is unknown."""
Kind = Callable[[int, int, np.random.Generator], Unknown]
"""A kind of masks: draws one of H rows and W columns."""


def draw_unknown(H: int, W: int, random: np.random.Generator) -> Unknown:
    """Draws what is unknown of an image: the kind of mask by `MASK_SHARES`, then the mask.

    At least one pixel is unknown; all of them can be. Any pixel can be known, unless it is the only one.
    """
    kinds = list(MASK_SHARES)
    return kinds[bisect(list(accumulate(MASK_SHARES.values())), random.random())](H, W, random)


def boxes(H: int, W: int, random: np.random.Generator) -> Unknown:
    """Draws one to three boxes of any sides, anywhere."""
    unknown = np.zeros((H, W), dtype=bool)
    for _ in range(random.integers(1, 4)):
        h, w = random.integers(1, (H + 1, W + 1)).tolist()
        top, left = random.integers(0, (H - h + 1, W - w + 1)).tolist()
        unknown[top : top + h, left : left + w] = True
    return unknown


def half_plane(H: int, W: int, random: np.random.Generator) -> Unknown:
    """Draws all that is on one side of a line: in half of the cases an upright or level one, else an oblique one."""
    sign = 1 - 2 * random.integers(2, size=2)
    slope = random.integers(1, 17, size=2) if random.integers(2) else np.eye(2, dtype=np.int64)[random.integers(2)]
    down, right = (sign * slope).tolist()
    place = down * np.arange(H)[:, None] + right * np.arange(W)
    return place >= random.integers(place.min(), place.max() + 1)


def strokes(H: int, W: int, random: np.random.Generator) -> Unknown:
    """Draws one to four strokes of a round brush, up to a sixth of the shorter side wide, that wander about."""
    side = min(H, W)
    margin = widest = max(side // 6, 1)  # brushes near the border stay within the margin
    unknown = np.zeros((H + 2 * margin, W + 2 * margin), dtype=bool)
    row = W + 2 * margin
    for _ in range(random.integers(1, 5)):
        width = int(random.integers(1, widest + 1))
        step = max(width // 4, 1)
        straight = max(side // 16 // step, 1)
        count = 1 + int(random.integers(side // 2, 2 * side + 1)) // step
        turns = random.integers(-1, 2, size=-(-count // straight)).cumsum().repeat(straight)[:count]
        path = (step * _COMPASS[:, (random.integers(16) + turns) % 16]).cumsum(1)  # [2, count]
        # The middle of the stroke is anywhere in the image; what leads out of the image is cut off.
        path += (random.integers((_FINE * H, _FINE * W)) - path[:, count // 2])[:, None]
        y, x = path // _FINE
        near = (y >= -(margin // 2)) & (y < H + margin // 2) & (x >= -(margin // 2)) & (x < W + margin // 2)
        middles = (y[near] + margin) * row + x[near] + margin
        unknown.reshape(-1)[middles[:, None] + _brush(width).T @ (row, 1)] = True
    return unknown[margin:-margin, margin:-margin]


@lru_cache(maxsize=16)
def _brush(width: int) -> NDArray[np.int64]:
    """Gives the pixels of a round brush, [2, pixels]: how far each is down and to the right of the middle one."""
    offsets = 2 * np.arange(width) - (width - 1)  # in halves of a pixel, as is `width` for the radius
    return np.stack(np.nonzero(offsets[:, None] ** 2 + offsets**2 <= width**2)) - (width - 1) // 2


def scattered(H: int, W: int, random: np.random.Generator) -> Unknown:
    """Draws pixels each by itself, with a probability that is drawn from 0.05 to 0.95; one pixel if that gives none."""
    unknown = random.random((H, W)) < 0.05 + 0.9 * random.random()
    if not unknown.any():
        unknown.flat[random.integers(H * W)] = True
    return unknown


MASK_SHARES: dict[Kind, float] = {
    boxes: 0.3,
    half_plane: 0.3,
    strokes: 0.2,
    scattered: 0.2,
}
"""The kinds of masks, and the share of each."""
