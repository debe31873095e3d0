"""Masked convolution and the residual PixelCNN block built on it.

Shapes: B batch, H rows, W columns, F features in, G features out, K kernel width, R kernel rows.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.layers.causal_layer import CausalLayer, LayerState, read_columns

MaskType = Literal["A", "B"]


class MaskedConv(CausalLayer):
    """A convolution that sees only earlier pixels, and with mask B its own too (van den Oord et al. 2016, fig. 4).

    The kernel has no rows below its centre; the mask hides the right of the centre row, and with mask A the centre.
    The mask multiplies the weight where the weight is used; the parameter itself is never written.

    Args:
        in_features: F.
        out_features: G.
        kernel: K, odd.
        mask_type: "A" hides the centre, "B" keeps it.
        rows: R, kernel rows down to the centre; K // 2 + 1 for a square kernel cut at its centre, 1 for one row.
    """

    mask: Tensor

    def __init__(
        self, in_features: int, out_features: int, kernel: int, mask_type: MaskType, rows: int | None = None
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; it must be odd")
        self.kernel = kernel
        self.rows = kernel // 2 + 1 if rows is None else rows
        mask = torch.ones(self.rows, kernel)
        last = kernel // 2 + (mask_type == "B")  # what the last row sees
        mask[-1, last:] = 0
        self.register_buffer("mask", mask, persistent=False)
        self.weight = nn.Parameter(torch.empty(out_features, in_features, self.rows, kernel))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.normal_(self.weight, std=1 / math.sqrt(max(1, (self.rows - 1) * kernel + last) * in_features))

    @property
    def masked_parameters(self) -> int:
        """The number of entries of the weight that the mask hides."""
        return int((self.mask == 0).sum()) * self.weight.shape[0] * self.weight.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        side = self.kernel // 2
        padded = F.pad(x.movedim(-1, 1), (side, side, self.rows - 1, 0))
        return F.conv2d(padded, self.weight * self.mask, self.bias).movedim(1, -1)

    def init_state(self, batch: int, width: int) -> LayerState:
        # The kernel's rows of the input, zeros outside the image and where no pixel has been written yet.
        shape = (batch, self.rows, width + 2 * (self.kernel // 2), self.weight.shape[1])
        return {"window": self.weight.new_zeros(shape)}

    def write(self, x: Tensor, state: LayerState, column: Tensor) -> None:
        """Enters the input [B, F] at `column` [1] of the current row."""
        state["window"][:, -1].index_copy_(1, column + self.kernel // 2, x[:, None])

    def read(self, state: LayerState, column: Tensor) -> Tensor:
        """Gives the output [B, G] at `column` [1] of the current row, from what has been written."""
        window = read_columns(state["window"], 2, column, self.kernel)
        weight = (self.weight * self.mask).permute(0, 2, 3, 1).flatten(1)  # [G, R * K * F]
        return F.linear(window.flatten(1), weight, self.bias)

    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        self.write(x, state, column)
        return self.read(state, column)

    def end_row(self, state: LayerState) -> None:
        window = state["window"]
        window[:, :-1] = window[:, 1:].clone()
        window[:, -1] = 0

    def walk_weights(self, gates: int = 1) -> list[Tensor]:
        """Gives the bias [gates, G'] and the taps that the mask lets through, row after row, [taps, F, gates, G'].

        G' is G / gates, the features of one gate.
        """
        taps = [self.weight[:, :, row, : int(self.mask[row].sum())] for row in range(self.rows)]
        weight = torch.cat(taps, dim=2).permute(2, 1, 0)
        return [self.bias.unflatten(0, (gates, -1)), weight.unflatten(2, (gates, -1))]


class ConvBlock(CausalLayer):
    """The hidden layers of a PixelCNN block: 1x1, then 3x3 mask B, F = 2h -> h (van den Oord et al. 2016, fig. 5).

    Args:
        features: F.
        hidden: h.
    """

    name = "conv"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(features, hidden)
        self.conv = MaskedConv(hidden, hidden, kernel=3, mask_type="B")

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(F.relu(self.reduce(F.relu(x)))))

    def init_state(self, batch: int, width: int) -> LayerState:
        return self.conv.init_state(batch, width)

    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        return F.relu(self.conv.step(F.relu(self.reduce(F.relu(x))), state, column))

    def end_row(self, state: LayerState) -> None:
        self.conv.end_row(state)

    def walk_weights(self) -> list[Tensor]:
        return [self.reduce.bias[None], self.reduce.weight.T[:, None], *self.conv.walk_weights()]
