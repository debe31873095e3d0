"""The contract of a layer: `forward` on a whole image, `step` on one pixel, the same values from both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

LayerState = dict[str, Tensor]
"""What a layer remembers between pixels: batch-first tensors of O(width) memory, features last, written in place."""


class CausalLayer(nn.Module, ABC):
    """A layer, [B, H, W, F] -> [B, H, W, G], whose output at a pixel depends on no later pixel in raster order."""

    name: ClassVar[str]
    """The name of a layer of the trunk, in configurations and in the compiled walk (`kernels/pixel_walk`)."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Applies the layer to a whole image: [B, H, W, F] -> [B, H, W, G]."""

    @abstractmethod
    def init_state(self, batch: int, width: int) -> LayerState:
        """Makes the state before the first pixel of images of `width` columns."""

    @abstractmethod
    def step(self, x: Tensor, state: LayerState, column: Tensor) -> Tensor:
        """Applies the layer to the next pixel, at `column` [1] of the current row: [B, F] -> [B, G].

        The column is a tensor on the device, so that one captured CUDA graph serves all columns.
        """

    @abstractmethod
    def end_row(self, state: LayerState) -> None:
        """Closes the current row after its last column."""

    def walk_weights(self) -> list[Tensor]:
        """Gives the weights for the compiled walk: maps [..., inputs, gates, features] and biases [gates, features].

        `gates` is the number of parts of the features that are padded separately, such as an LSTM's 4 gates, or 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has no compiled walk")


def read_columns(tensor: Tensor, dim: int, first: Tensor, count: int) -> Tensor:
    """Reads `count` columns along `dim` from column `first` [1] on; the processor need not know which."""
    return tensor.index_select(dim, first + torch.arange(count, device=first.device))
