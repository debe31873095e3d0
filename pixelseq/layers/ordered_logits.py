"""The last map of a head, to logits or to the numbers of a mixture. V levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ExactLinear(nn.Linear):
    """A linear map outside autocast, with outputs of at least float32: bfloat16 cannot tell 256 levels apart."""

    def weight_and_bias(self) -> tuple[Tensor, Tensor]:
        """Gives the weight [outputs, inputs] and the bias [outputs] of the map."""
        return self.weight, self.bias

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.weight_and_bias()
            y = F.linear(x.to(weight.dtype), weight, bias)
        return y.to(torch.promote_types(y.dtype, torch.float32))


class OrderedLogits(ExactLinear):
    """Logits of ordered levels, as sums of cosines over them; any distribution has such logits.

    With one weight per level each is learned alone, though what holds for a level nearly holds for its neighbours. Here
    the weights are coefficients of cosines, and cosine k is 1 + 1/l_k high, l_k being the k-th eigenvalue of the second
    difference over levels: an optimiser that moves all coefficients alike moves the second differences of the logits
    alike, and so the logits smoothly. A new map starts as an `nn.Linear` does.

    Args:
        features: the number of inputs.
        levels: V.
    """

    cosines: Tensor

    def __init__(self, features: int, levels: int) -> None:
        super().__init__(features, levels)
        k = torch.arange(levels, dtype=torch.float64)
        basis = (math.pi / levels * (k[:, None] + 0.5) * k).cos() * math.sqrt(2 / levels)  # [V, V], orthonormal
        basis[:, 0] /= math.sqrt(2)
        height = 1 + (2 * (math.pi / 2 / levels * k).sin()) ** -2
        height[0] = torch.inf
        with torch.no_grad():
            self.weight.copy_(basis.T @ self.weight.double() / height[:, None])
            self.bias.copy_(basis.T @ self.bias.double() / height)
        # The constant changes no distribution; its gradient would be rounding alone, which optimisers may blow up.
        height[0] = 0
        self.register_buffer("cosines", (basis * height).to(self.weight.dtype), persistent=False)

    def weight_and_bias(self) -> tuple[Tensor, Tensor]:
        coefficients = torch.cat([self.weight, self.bias[:, None]], dim=1).to(self.cosines.dtype)
        with torch.autocast(coefficients.device.type, enabled=False):
            weight, bias = self._sums(coefficients).split([self.in_features, 1], dim=1)
        return weight, bias[:, 0]

    def _sums(self, coefficients: Tensor) -> Tensor:
        if torch.compiler.is_compiling():  # there is no thread to set
            return self.cosines @ coefficients
        with _one_thread():  # several would share out a sum, and round it by their number: images would depend on it
            return self.cosines @ coefficients


@contextmanager
def _one_thread() -> Iterator[None]:
    """Has torch compute on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
