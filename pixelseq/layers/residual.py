"""The residual connection around every layer of the trunk."""

from __future__ import annotations

from torch import Tensor, nn

from pixelseq.layers.causal_layer import CausalLayer, LayerState


class ResidualBlock(CausalLayer):
    """x + 1x1(layer(x)): the layer's h hidden features, mapped back to 2h (van den Oord et al. 2016, figure 5).

    Args:
        layer: maps 2h features to h.
        hidden: h.
        dropout: share of the layer's features dropped in training; `step` never drops.
    """

    def __init__(self, layer: CausalLayer, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layer = layer
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(hidden, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.dropout(self.layer(x)))

    def init_state(self, batch: int, width: int) -> LayerState:
        return self.layer.init_state(batch, width)

    def step(self, x: Tensor, state: LayerState, column: int) -> Tensor:
        return x + self.project(self.layer.step(x, state, column))

    def end_row(self, state: LayerState) -> None:
        self.layer.end_row(state)
