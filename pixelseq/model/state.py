"""What a model remembers of the pixels it has been fed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelseq.layers import LayerState
from pixelseq.model.condition_rows import ConditionRows


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
    """[B, 1 or W + 1, F], what is added to the encoder's output at each column of the row, or at all alike; None where
    nothing is told."""
    condition_rows: ConditionRows | None = None
    """What `condition` is in the rows to come; None where it is the same in all."""

    @property
    def batch(self) -> int:
        """The number of images."""
        return self.encoder[0]["window"].shape[0]

    def copy(self) -> State:
        """Makes an independent state of equal value."""
        return self._map(torch.Tensor.clone, self.condition_rows)

    def expand(self, copies: int) -> State:
        """Repeats each image `copies` times, one after the other: entry k of the new state is image k // copies."""
        return self.select(torch.arange(self.batch, device=self.position.device).repeat_interleave(copies))

    def select(self, images: Tensor) -> State:
        """Picks the images of these indices [n], any of them repeatedly."""
        rows = None if self.condition_rows is None else self.condition_rows.select(images)
        return self._map(lambda tensor: tensor.index_select(0, images), rows)

    def copy_(self, other: State) -> None:
        """Becomes equal to a state of the same shapes, in the same memory, but for the condition of rows to come."""
        torch._foreach_copy_(self._tensors(), other._tensors())
        self.position.copy_(other.position)
        self.row, self.column, self.stepped = other.row, other.column, other.stepped

    def take_condition(self) -> None:
        """Takes up the condition of the current row, before its first pixel.

        Raises:
            ValueError: the condition images have no such row.
        """
        if self.condition_rows is not None and self.column == 0:
            self.condition = self.condition_rows.row(self.row)

    def _tensors(self) -> list[Tensor]:
        told = [] if self.condition is None else [self.condition]
        return told + [tensor for layer in (*self.encoder, *self.blocks) for tensor in layer.values()]

    def _map(self, function: Callable[[Tensor], Tensor], rows: ConditionRows | None) -> State:
        encoder, blocks = (
            [{name: function(tensor) for name, tensor in layer.items()} for layer in layers]
            for layers in (self.encoder, self.blocks)
        )
        condition = None if self.condition is None else function(self.condition)
        position = self.position.clone()
        return State(self.width, self.row, self.column, position, self.stepped, encoder, blocks, condition, rows)
