"""The Diagonal BiLSTM.

Shapes: B batch, H rows, W columns, F features in, D hidden; direction 0 from the left, 1 from the right.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.kernels import diagonal_scan, lstm_cell
from pixelseq.layers.causal_layer import CausalLayer, LayerState
from pixelseq.layers.gates import init_gates


class DiagonalBiLSTM(CausalLayer):
    """Two LSTMs that sweep the image from its upper corners (van den Oord et al. 2016, section 3.2).

    The map from the right is shifted down by a row before it is added, so that no pixel sees what stands to the right
    of it in its own row. Together the two LSTMs see the whole image up to the pixel.

    Args:
        features: F.
        hidden: D.
    """

    name = "diagonal"

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input_to_state = nn.Linear(features, 2 * 4 * hidden)
        self.state_to_state = nn.Parameter(torch.empty(2, 2, hidden, 4 * hidden))  # direction, above / beside
        init_gates(self.input_to_state.bias, self.state_to_state)

    def forward(self, x: Tensor) -> Tensor:
        gates_is = self.input_to_state(x).unflatten(-1, (2, 4 * self.hidden))
        from_left, from_right = diagonal_scan(gates_is, self.state_to_state).unbind(3)
        shifted_down = F.pad(from_right, (0, 0, 0, 0, 1, 0))[:, :-1]
        return from_left + shifted_down

    def init_state(self, batch: int, width: int) -> LayerState:
        zeros = self.state_to_state.new_zeros
        return {
            "left_row": zeros(batch, width, self.hidden),  # h from the left: this row, then the row above
            "left_hidden": zeros(batch, self.hidden),
            "left_cell": zeros(batch, self.hidden),
            "right_row": zeros(batch, width, self.hidden),  # h from the right in the row above
            "right_gates": zeros(batch, width, 4, self.hidden),  # input-to-state part, collected for `end_row`
        }

    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        left_is, right_is = self.input_to_state(x).chunk(2, dim=-1)
        above = state["left_row"].index_select(1, column)[:, 0]
        neighbours = torch.cat([above, state["left_hidden"]], dim=-1)
        gates = torch.addmm(left_is, neighbours, self.state_to_state[0].flatten(0, 1))
        hidden, cell = lstm_cell(gates, state["left_cell"])
        state["left_hidden"].copy_(hidden)
        state["left_cell"].copy_(cell)
        state["left_row"].index_copy_(1, column, hidden[:, None])
        state["right_gates"].index_copy_(1, column, right_is.unflatten(1, (1, 4, self.hidden)))
        return hidden + state["right_row"].index_select(1, column)[:, 0]

    def end_row(self, state: LayerState) -> None:
        above, beside = self.state_to_state[1]
        right_row = state["right_row"]
        gates = state["right_gates"].flatten(2) + right_row @ above
        hidden = cell = torch.zeros_like(state["left_cell"])
        for column in reversed(range(right_row.shape[1])):
            hidden, cell = lstm_cell(torch.addmm(gates[:, column], hidden, beside), cell)
            right_row[:, column] = hidden
        state["left_hidden"].zero_()
        state["left_cell"].zero_()

    def walk_weights(self) -> list[Tensor]:
        linear, gates = self.input_to_state, (2 * 4, self.hidden)
        bias, weight = linear.bias.unflatten(0, gates), linear.weight.T.unflatten(1, gates)
        return [bias, weight, self.state_to_state.unflatten(3, (4, -1))]
