"""Images that go through the model together. Shapes: B batch, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pixelseq.model.condition import Condition
from pixelseq.model.inputs import Integers, as_tensor

Pair = tuple[Tensor, Tensor]
"""A condition image [C', H, W], levels, and what is known of it [H, W], bool."""


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
    padded: bool = True
    """Whether images may be lower than the batch."""

    @classmethod
    def of(
        cls,
        images: Sequence[Integers],
        condition: Condition | None = None,
        orders: Tensor | None = None,
        moves: Tensor | None = None,
        contexts: Sequence[Pair] | None = None,
    ) -> Batch:
        """Pads images to the height of the tallest.

        Args:
            images: levels, each [C, H, W], of one width, turned.
            condition: what the images are told by.
            orders: [B], the raster order of each image; None where all are in order 0.
            moves: [B, 2], the pixels that each image is moved down and to the right; None where none is moved.
            contexts: the condition image of each, of its size, turned as it is; None where none is told.

        Raises:
            TypeError: an image is neither a tensor nor an array of integers.
            ValueError: the images have unlike widths or channels.
        """
        tensors = [as_tensor(image, "an image") for image in images]
        heights = [image.shape[1] for image in tensors]
        C, _, W = tensors[0].shape
        if any((image.shape[0], image.shape[2]) != (C, W) for image in tensors):
            raise ValueError("images of unlike widths or channels cannot share a batch; group them by width")
        condition = condition or Condition()
        if contexts is not None:
            image, known = _padded([image for image, _ in contexts]), _padded([known for _, known in contexts])
            condition = replace(condition, image=image, image_known=known)
        padded = len(set(heights)) > 1
        return cls(_padded(tensors), torch.tensor(heights), condition, orders, moves, padded)

    @property
    def inside(self) -> Tensor | None:
        """[B, H, W], bool, where there is no padding; None where that is everywhere."""
        if not self.padded:
            return None
        H, W = self.levels.shape[2:]
        rows = torch.arange(H, device=self.levels.device) < self.heights[:, None]
        return rows[:, :, None].expand(-1, -1, W)

    @property
    def num_values(self) -> int:
        """The number of colour values of all images, those of the padding not counted."""
        return int(self.heights.sum()) * self.levels.shape[1] * self.levels.shape[3]

    def to(self, device: torch.device) -> Batch:
        """Moves the batch to a device."""
        orders, moves = (None if one is None else one.to(device) for one in (self.orders, self.moves))
        levels, heights, condition = self.levels.to(device), self.heights.to(device), self.condition.to(device)
        return Batch(levels, heights, condition, orders, moves, self.padded)

    def sum_nats(self, value_nats: Tensor) -> Tensor:
        """Sums the nats of each image's own rows, not those of the padding below it: [B, C, H, W] -> [B]."""
        rows = torch.arange(value_nats.shape[2], device=value_nats.device)
        inside = rows < self.heights[:, None]  # [B, H]
        return (value_nats * inside[:, None, :, None]).sum((1, 2, 3))


def _padded(images: Sequence[Tensor]) -> Tensor:
    """Stacks images or masks [..., H, W] of one width, with zeros below those that are not the tallest."""
    tallest = max(images, key=lambda image: image.shape[-2])
    stacked = tallest.new_zeros(len(images), *tallest.shape)
    for k, image in enumerate(images):
        stacked[k, ..., : image.shape[-2], :] = image
    return stacked
