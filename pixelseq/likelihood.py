"""Likelihoods of whole images: nats, bits/dim, exact sums over ragged batches.

Shapes: B batch, C colours, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelseq.data import collate
from pixelseq.model import PixelRNN

MOST_PIXELS = 2**16
"""Pixels of a batch that is evaluated, with its padding, where it has more than one image."""


@dataclass(frozen=True)
class Likelihood:
    """Exact sums over a set of images."""

    nll_nats: float
    """Negative log-likelihood, nats, summed over all values of all images."""
    images: int
    values: int
    """Colour values of all images."""

    @property
    def nats_per_image(self) -> float:
        """Mean nats an image."""
        return self.nll_nats / self.images

    @property
    def bits_per_dim(self) -> float:
        """Bits a colour value."""
        return self.nll_nats / (math.log(2) * self.values)


def image_nats(value_nats: Tensor, heights: Tensor) -> Tensor:
    """Sums the nats of each image's own rows, not those of the padding below it.

    Args:
        value_nats: [B, C, H, W], from `PixelRNN.nll`.
        heights: [B], rows of each image.

    Returns:
        [B], in the dtype of `value_nats`.
    """
    rows = torch.arange(value_nats.shape[2], device=value_nats.device)
    inside = rows < heights[:, None]  # [B, H]
    return (value_nats * inside[:, None, :, None]).sum((1, 2, 3))


@torch.no_grad()
def evaluate(model: PixelRNN, images: Sequence[Tensor], batch_size: int = 64) -> Likelihood:
    """The likelihood of a set of images of any sizes.

    Args:
        model: evaluated with dropout off; its mode is restored.
        images: levels, each [C, H, W].
        batch_size: images at a time, fewer where they are large; the result does not depend on it beyond rounding.

    Returns:
        Sums in float64.

    Raises:
        ValueError: a batch size below 1, or as `PixelRNN.nll`.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    was_training = model.training
    total = 0.0
    shapes = [tuple(image.shape) for image in images]
    try:
        model.eval()
        for batch in _batches(shapes, batch_size):
            levels, heights = collate([images[k] for k in batch])
            value_nats = model.nll(levels.to(model.device))
            total += float(image_nats(value_nats.double(), heights.to(model.device)).sum())
    finally:
        model.train(was_training)
    return Likelihood(total, len(images), sum(math.prod(shape) for shape in shapes))


def _batches(shapes: Sequence[tuple[int, ...]], batch_size: int) -> Iterator[list[int]]:
    """Positions of images of one width and like heights, so that there is little padding."""
    batch: list[int] = []
    for k in sorted(range(len(shapes)), key=lambda k: (shapes[k][2], shapes[k][1])):
        _, H, W = shapes[k]
        full = len(batch) == batch_size or (len(batch) + 1) * H * W > MOST_PIXELS
        if batch and (full or shapes[batch[0]][2] != W):
            yield batch
            batch = []
        batch.append(k)
    if batch:
        yield batch
