"""The contract of a layer: `forward` on a whole image, `step` on one pixel, the same values from both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

LayerState = dict[str, Tensor]
"""What a layer remembers between pixels: batch-first tensors of O(width) memory, features last, written in place."""


class CausalLayer(nn.Module, ABC):
    """Features to features, [B, H, W, F] -> [B, H, W, G], without looking past the own pixel in raster order."""

    name: ClassVar[str]
    """In configurations, for layers that stand in a trunk; also in the compiled walk (`kernels/pixel_walk`)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The layer on a whole image: [B, H, W, F] -> [B, H, W, G]."""

    @abstractmethod
    def init_state(self, batch: int, width: int) -> LayerState:
        """The state before the first pixel of images of `width` columns."""

    @abstractmethod
    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        """The layer on the next pixel, at `column` [1] of the current row: [B, F] -> [B, G].

        The column is a tensor on the device, so that one captured CUDA graph serves all columns.
        """

    @abstractmethod
    def end_row(self, state: LayerState) -> None:
        """Closes the current row after its last column."""

    def walk_weights(self) -> list[Tensor]:
        """The weights as the compiled walk reads them: maps [..., inputs, gates, features], biases [gates, features].

        `gates` counts the parts of the features that are padded each by itself, 1 where there is one.
        """
        raise NotImplementedError(f"{type(self).__name__} has no compiled walk")


def read_columns(tensor: Tensor, dim: int, first: Tensor, count: int) -> Tensor:
    """`count` columns along `dim` from column `first` [1] on; the processor need not know which."""
    return tensor.index_select(dim, first + torch.arange(count, device=first.device))
