"""The Row LSTM. Shapes: B batch, H rows, W columns, F features in, D hidden, K = 3 kernel width."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.kernels import lstm_cell, row_scan
from pixelseq.layers.causal_layer import CausalLayer, LayerState, read_columns
from pixelseq.layers.gates import init_gates
from pixelseq.layers.masked_conv import MaskedConv

KERNEL = 3


class RowLSTM(CausalLayer):
    """An LSTM that runs down the image, all columns of a row at once (van den Oord et al. 2016, section 3.1).

    Its context is a triangle above the pixel, one column wider on each side with each row.

    Args:
        features: F.
        hidden: D.
    """

    name = "row"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input_to_state = MaskedConv(features, 4 * hidden, kernel=KERNEL, mask_type="B", rows=1)
        self.state_to_state = nn.Parameter(torch.empty(KERNEL, hidden, 4 * hidden))
        init_gates(self.input_to_state.bias, self.state_to_state)

    def forward(self, x: Tensor) -> Tensor:
        return row_scan(self.input_to_state(x), self.state_to_state)

    def init_state(self, batch: int, width: int) -> LayerState:
        zeros = self.state_to_state.new_zeros
        return {
            **self.input_to_state.init_state(batch, width),
            "hidden_above": zeros(batch, width + 2 * (KERNEL // 2), self.hidden),
            "hidden_row": zeros(batch, width, self.hidden),
            "cell": zeros(batch, width, self.hidden),  # the row above from `column` on, this row before it
        }

    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        gates_is = self.input_to_state.step(x, state, column)
        above = read_columns(state["hidden_above"], 1, column, KERNEL).flatten(1)
        gates = torch.addmm(gates_is, above, self.state_to_state.flatten(0, 1))
        hidden, cell = lstm_cell(gates, state["cell"].index_select(1, column)[:, 0])
        state["hidden_row"].index_copy_(1, column, hidden[:, None])
        state["cell"].index_copy_(1, column, cell[:, None])
        return hidden

    def end_row(self, state: LayerState) -> None:
        self.input_to_state.end_row(state)
        side = KERNEL // 2
        state["hidden_above"].copy_(F.pad(state["hidden_row"], (0, 0, side, side)))

    def walk_weights(self) -> list[Tensor]:
        return [*self.input_to_state.walk_weights(gates=4), self.state_to_state.unflatten(2, (4, -1))]
