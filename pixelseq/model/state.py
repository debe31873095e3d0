"""What a model remembers of the pixels it has been fed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelseq.layers import LayerState


@dataclass
class State:
    """The state of `PixelRNN.step`: O(width) memory at any height, one entry per image in every tensor of a layer.

    Made by `PixelRNN.init_state`; `step` and `feed` write it in place.
    """

    width: int
    """The columns of the images."""
    row: int
    """The row of the next pixel."""
    column: int
    """The column of the next pixel."""
    position: Tensor
    """[1], int64, the column as the layers read it: on the device, so that no step waits for the processor."""
    stepped: bool
    """Whether the next pixel's features have been computed, so that it must be fed before another step."""
    encoder: list[LayerState]
    blocks: list[LayerState]
    condition: Tensor | None = None
    """[B, F], what is added to the encoder's output at every pixel; None where nothing is told."""

    @property
    def batch(self) -> int:
        """The number of images."""
        return self.encoder[0]["window"].shape[0]

    def copy(self) -> State:
        """Makes an independent state of equal value."""
        return self._map(torch.Tensor.clone)

    def expand(self, copies: int) -> State:
        """Repeats each image `copies` times, one after the other: entry k of the new state is image k // copies."""
        return self._map(lambda tensor: tensor.repeat_interleave(copies, dim=0))

    def select(self, images: Tensor) -> State:
        """Picks the images of these indices [n], any of them repeatedly."""
        return self._map(lambda tensor: tensor.index_select(0, images))

    def copy_(self, other: State) -> None:
        """Becomes equal to a state of the same shapes, in the same memory."""
        torch._foreach_copy_(self._tensors(), other._tensors())
        self.position.copy_(other.position)
        self.row, self.column, self.stepped = other.row, other.column, other.stepped

    def _tensors(self) -> list[Tensor]:
        told = [] if self.condition is None else [self.condition]
        return told + [tensor for layer in (*self.encoder, *self.blocks) for tensor in layer.values()]

    def _map(self, function: Callable[[Tensor], Tensor]) -> State:
        encoder, blocks = (
            [{name: function(tensor) for name, tensor in layer.items()} for layer in layers]
            for layers in (self.encoder, self.blocks)
        )
        condition = None if self.condition is None else function(self.condition)
        return State(self.width, self.row, self.column, self.position.clone(), self.stepped, encoder, blocks, condition)
