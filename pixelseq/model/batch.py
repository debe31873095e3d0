"""Images that go through the model together. Shapes: B batch, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pixelseq.model.condition import Condition
from pixelseq.model.inputs import Integers, as_tensor


@dataclass(frozen=True)
class Batch:
    """Images of one width, turned to order 0 and padded at the bottom: rows below never influence rows above."""

    levels: Tensor
    """[B, C, H, W], integers."""
    heights: Tensor
    """[B], the rows of each image, without the padding."""
    condition: Condition = field(default_factory=Condition)
    """What the images are told by."""
    orders: Tensor | None = None
    """[B], the raster order of each image; None where all are in order 0."""
    moves: Tensor | None = None
    """[B, 2], the pixels that each image is moved down and to the right; None where none is moved."""

    @classmethod
    def of(
        cls,
        images: Sequence[Integers],
        condition: Condition | None = None,
        orders: Tensor | None = None,
        moves: Tensor | None = None,
    ) -> Batch:
        """Pads images to the height of the tallest.

        Args:
            images: levels, each [C, H, W], of one width, turned.
            condition: what the images are told by.
            orders: [B], the raster order of each image; None where all are in order 0.
            moves: [B, 2], the pixels that each image is moved down and to the right; None where none is moved.

        Raises:
            TypeError: an image is neither a tensor nor an array of integers.
            ValueError: the images have unlike widths or channels.
        """
        tensors = [as_tensor(image, "an image") for image in images]
        heights = [image.shape[1] for image in tensors]
        C, _, W = tensors[0].shape
        if any((image.shape[0], image.shape[2]) != (C, W) for image in tensors):
            raise ValueError("images of unlike widths or channels cannot share a batch; group them by width")
        levels = tensors[0].new_zeros(len(tensors), C, max(heights), W)
        for k, image in enumerate(tensors):
            levels[k, :, : heights[k]] = image
        return cls(levels, torch.tensor(heights), condition or Condition(), orders, moves)

    @property
    def num_values(self) -> int:
        """The number of colour values of all images, those of the padding not counted."""
        return int(self.heights.sum()) * self.levels.shape[1] * self.levels.shape[3]

    def to(self, device: torch.device) -> Batch:
        """Moves the batch to a device."""
        orders, moves = (None if one is None else one.to(device) for one in (self.orders, self.moves))
        return Batch(self.levels.to(device), self.heights.to(device), self.condition.to(device), orders, moves)

    def sum_nats(self, value_nats: Tensor) -> Tensor:
        """Sums the nats of each image's own rows, not those of the padding below it: [B, C, H, W] -> [B]."""
        rows = torch.arange(value_nats.shape[2], device=value_nats.device)
        inside = rows < self.heights[:, None]  # [B, H]
        return (value_nats * inside[:, None, :, None]).sum((1, 2, 3))
