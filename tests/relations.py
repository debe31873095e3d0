"""Which earlier positions an output may see, written down from the definitions, and what a Jacobian shows.

A relation is a bool matrix [outputs, inputs] over the positions of an H x W image in raster order.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def relation(height: int, width: int, sees: Callable[[int, int, int, int], bool]) -> Tensor:
    """The relation in which the output at (i, j) sees the input at (y, x) where sees(i, j, y, x)."""
    positions = [(i, j) for i in range(height) for j in range(width)]
    return torch.tensor([[sees(i, j, y, x) for y, x in positions] for i, j in positions])


def mask_a(kernel: int) -> Callable[[int, int, int, int], bool]:
    s = kernel // 2
    return lambda i, j, y, x: abs(x - j) <= s and (i - s <= y < i or (y == i and x < j))


def mask_b(kernel: int) -> Callable[[int, int, int, int], bool]:
    s = kernel // 2
    return lambda i, j, y, x: abs(x - j) <= s and (i - s <= y < i or (y == i and x <= j))


def row_lstm(i: int, j: int, y: int, x: int) -> bool:
    """A triangle: one column wider on each side with each row, and the left tap of the input-to-state map."""
    return y <= i and j - (i - y) - 1 <= x <= j + (i - y)


def diagonal_bilstm(i: int, j: int, y: int, x: int) -> bool:
    """Everything up to the own pixel."""
    return y < i or (y == i and x <= j)


BLOCKS = {"row": row_lstm, "diagonal": diagonal_bilstm, "conv": mask_b(3)}


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """What the outputs of `outer` see through `inner`."""
    return (outer.double() @ inner.double()) > 0


def residual(inner: Tensor) -> Tensor:
    """A layer around which its input passes."""
    return inner | torch.eye(len(inner), dtype=torch.bool)


def reached(function: Callable[[Tensor], Tensor], shape: tuple[int, ...], tries: int = 8) -> Tensor:
    """Which outputs see which inputs: where the float64 Jacobian of [1, H, W, F] -> [1, H', W', G] is not zero.

    Taken over some random points: a ReLU can hide a dependency at one; a forbidden one may show at none.
    """
    found = torch.tensor(False)
    for _ in range(tries):
        point = torch.randn(shape, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(function, point)
        assert isinstance(jacobian, Tensor)
        pairs = (jacobian != 0)[0, :, :, :, 0].any(-1).any(2)  # [H', W', H, W]
        found = found | pairs.flatten(2).flatten(0, 1)
    return found
