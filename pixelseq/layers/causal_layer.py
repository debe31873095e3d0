"""The contract of a layer: `forward` on a whole image, `step` on one pixel, the same values from both."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

LayerState = dict[str, Tensor]
"""What a layer remembers between pixels: batch-first tensors of O(width) memory, written in place."""


class CausalLayer(nn.Module, ABC):
    """Features to features, [B, H, W, F] -> [B, H, W, G], without looking past the own pixel in raster order."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The layer on a whole image: [B, H, W, F] -> [B, H, W, G]."""

    @abstractmethod
    def init_state(self, batch: int, width: int) -> LayerState:
        """The state before the first pixel of images of `width` columns."""

    @abstractmethod
    def step(self, x: Tensor, state: LayerState, column: int) -> Tensor:
        """The layer on the next pixel, at `column` of the current row: [B, F] -> [B, G]."""

    @abstractmethod
    def end_row(self, state: LayerState) -> None:
        """Closes the current row after its last column."""
