"""The residual connection around every layer of the trunk, and stacks of such blocks."""

from __future__ import annotations

from collections.abc import Iterator

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

    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        return x + self.project(self.layer.step(x, state, column))

    def end_row(self, state: LayerState) -> None:
        self.layer.end_row(state)


class ResidualStack(nn.ModuleList):
    """A sequence of residual blocks; its state is the list of theirs."""

    def __iter__(self) -> Iterator[ResidualBlock]:
        return super().__iter__()  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        """Applies the blocks one after the other: [B, H, W, 2h] -> [B, H, W, 2h]."""
        for block in self:
            x = block(x)
        return x

    def init_state(self, batch: int, width: int) -> list[LayerState]:
        """Makes the states of all blocks; see `CausalLayer.init_state`."""
        return [block.init_state(batch, width) for block in self]

    def step(self, x: Tensor, states: list[LayerState], column: Tensor) -> Tensor:
        """Applies the blocks to the next pixel; see `CausalLayer.step`."""
        for block, state in zip(self, states, strict=True):
            x = block.step(x, state, column)
        return x

    def end_row(self, states: list[LayerState]) -> None:
        """Closes the current row of all blocks; see `CausalLayer.end_row`."""
        for block, state in zip(self, states, strict=True):
            block.end_row(state)
