"""The raster orders: the 8 symmetries of a rectangle (as the masks of Jain et al. 2020, arXiv:2006.12486, by turning).

Order k goes through the rows from the bottom if k has the bit FLIPPED, through the pixels of a row from the right if it
has MIRRORED, and column by column instead of row by row if it has TRANSPOSED. Order 0 is that of the paper. An image is
turned before a walk, which knows order 0 alone, and what the walk gives is turned back.
"""

from __future__ import annotations

import torch
from torch import Tensor

FLIPPED, MIRRORED, TRANSPOSED = 1, 2, 4
ORDERS = (1, 2, 4, 8)
"""The numbers of orders that a model can have: 0 alone, with the flipped one, with the mirrored ones, or all."""
IN_WORDS = (
    "from above",
    "from below",
    "from above, each row from the right",
    "from below, each row from the right",
    "from the left, column by column",
    "from the left, column by column, each from below",
    "from the right, column by column",
    "from the right, column by column, each from below",
)
"""Where each order comes from."""


def check_order(order: int, orders: int) -> None:
    """Raises ValueError where a model of so many orders has not learned an order."""
    if not isinstance(order, int) or not 0 <= order < orders:
        known = f"knows orders 0 to {orders - 1}" if orders > 1 else "has learned order 0 alone"
        raise ValueError(f"`order` is {order!r}; the model {known}")


def known_late(known: Tensor, order: int) -> Tensor:
    """Counts the known pixels of masks [..., H, W] that come after the first unknown one in an order: [...], int64."""
    turned = turn(known, order).flatten(-2).long()
    return turned.sum(-1) - turned.cumprod(-1).sum(-1)


def fitting_order(known: Tensor, orders: int) -> Tensor:
    """Finds for masks [..., H, W] the order in which the fewest known pixels come after the first unknown one.

    Args:
        known: bool, True where a pixel is known.
        orders: the number of orders to choose from.

    Returns:
        [...], int64; the lowest of equals.
    """
    return torch.stack([known_late(known, order) for order in range(orders)]).argmin(0)


def turn(image: Tensor, order: int) -> Tensor:
    """Turns an image, or a mask, [..., H, W], so that its pixels of `order` come in order 0."""
    image = image.flip(_flipped(order))
    return image.transpose(-2, -1) if order & TRANSPOSED else image


def turn_back(image: Tensor, order: int) -> Tensor:
    """Undoes `turn`."""
    image = image.transpose(-2, -1) if order & TRANSPOSED else image
    return image.flip(_flipped(order))


def turned_size(height: int, width: int, order: int) -> tuple[int, int]:
    """Gives the rows and columns of a turned image."""
    return (width, height) if order & TRANSPOSED else (height, width)


def _flipped(order: int) -> list[int]:
    return [axis for axis, bit in ((-2, FLIPPED), (-1, MIRRORED)) if order & bit]
