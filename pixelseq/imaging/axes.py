"""Which axes of an array are images, channels, rows and columns: one rule for whatever holds integers.

N images, C channels, H rows, W columns. An axis of channels has 1, 3 or 4 of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

CHANNELS = (1, 3, 4)
ONE_IMAGE = ("HW", "HWC", "CHW")
"""The orders of the axes of one image."""
IMAGES = ("NHW", "NHWC", "NCHW")
"""The orders of the axes of several images."""


def find_order(shape: Sequence[int], channels: int | None = None, orders: Sequence[str] = ONE_IMAGE) -> str:
    """Finds the order of the axes of an array by its shape.

    Args:
        shape: the sizes of the axes.
        channels: C, where the user says so.
        orders: the orders that are possible.

    Returns:
        One of `orders`.

    Raises:
        ValueError: no order fits the shape, or several do by which its images are not the same.
    """
    if 0 in shape:
        raise ValueError(f"its shape is {list(shape)}; every side must be at least 1")
    allowed = CHANNELS if channels is None else (channels,)
    found: dict[str, str] = {}
    for order in orders:
        if len(order) == len(shape) and _size(order, shape, "C") in allowed:
            # Where axes of 1 stand changes nothing.
            key = "".join(letter for letter in order if _size(order, shape, letter) > 1)
            found.setdefault(key, order)
    if not found:
        expected = ", ".join(f"[{', '.join(order)}]" for order in orders)
        named = "1, 3 or 4" if channels is None else f"{channels}, as `channels` says,"
        raise ValueError(f"its shape is {list(shape)}; expected one of {expected}, with {named} for C")
    if len(found) > 1:
        readings = dict.fromkeys(_describe(order, shape) for order in found.values())
        orders = " or ".join(f"[{', '.join(order)}]" for order in found.values())
        if len(readings) == 1:
            raise ValueError(f"its shape is {list(shape)}, which can be {orders}: store its axes in another order")
        raise ValueError(
            f"its shape is {list(shape)}, which can be {' or '.join(readings)}: say which with `channels`, or store "
            "its axes in another order"
        )
    (order,) = found.values()
    return order


def channels_first(image: NDArray, order: str) -> NDArray:
    """Gives a view [C, H, W] of an image whose axes are in one of the orders `ONE_IMAGE`."""
    return image[None] if order == "HW" else image.transpose([order.index(letter) for letter in "CHW"])


def _size(order: str, shape: Sequence[int], letter: str) -> int:
    return shape[order.index(letter)] if letter in order else 1


def _describe(order: str, shape: Sequence[int]) -> str:
    N, H, W, C = (_size(order, shape, letter) for letter in "NHWC")
    return f"{N} image{'s' * (N > 1)} of {H}x{W} in {C} channel{'s' * (C > 1)}"
