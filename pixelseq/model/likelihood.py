"""Likelihoods of whole images: nats, bits/dim, exact sums over ragged batches.

Shapes: B batch, C colours, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelseq.model.batch import Batch, Pair
from pixelseq.model.condition import Condition
from pixelseq.model.inputs import Integers, as_tensor, whole_number
from pixelseq.model.orders import turn, turned_size
from pixelseq.model.pixelrnn import PixelRNN

MAX_PIXELS = 2**16
"""The most pixels, padding included, of a batch of several images that is evaluated."""


@dataclass(frozen=True)
class Likelihood:
    """The likelihood of a set of images, as exact sums."""

    nll_nats: float
    """The negative log-likelihood in nats, summed over all values of all images."""
    images: int
    values: int
    """The number of colour values of all images."""
    nats_error: float | None = None
    """The standard error of `nats_per_image`, as of a mean over a sample of images; a single image has none."""
    bits_error: float | None = None
    """The standard error of `bits_per_dim`."""

    @property
    def nats_per_image(self) -> float:
        """The mean nats per image."""
        return self.nll_nats / self.images

    @property
    def bits_per_dim(self) -> float:
        """The mean bits per colour value."""
        return self.nll_nats / (math.log(2) * self.values)

    @classmethod
    def of(cls, nats: Sequence[float], values: Sequence[int]) -> Likelihood:
        """Sums the nats and counts the colour values of images; their order changes nothing."""
        n, total, count = len(nats), math.fsum(nats), sum(values)
        nats_error = bits_error = None
        if n > 1:
            mean, rate = total / n, total / count
            nats_error = math.sqrt(math.fsum((x - mean) ** 2 for x in nats) / (n * (n - 1)))
            # A ratio of two sums, linearised (Cochran 1977, Sampling Techniques, section 6.4).
            squares = math.fsum((x - rate * v) ** 2 for x, v in zip(nats, values, strict=True))
            bits_error = math.sqrt(squares * n / (n - 1)) / (math.log(2) * count)
        return cls(total, n, count, nats_error, bits_error)


def evaluate(
    model: PixelRNN, images: Sequence[Integers], batch_size: int = 64, condition: Condition | None = None
) -> Likelihood:
    """Computes the likelihood of a set of images of any sizes: that of `PixelRNN.log_prob`.

    Args:
        model: the model, evaluated with dropout off; its mode is restored.
        images: levels, each [C, H, W].
        batch_size: images at a time, fewer where they are large; the result does not depend on it beyond rounding.
        condition: what the images are told by, of all images or of one for all.

    Returns:
        Sums in float64.

    Raises:
        ValueError: the batch size is out of range, or for the reasons of `PixelRNN.nll`.
    """
    # Some sequences know the shapes of images that are only made when they are looked at.
    shapes = getattr(images, "shapes", None) or [tuple(image.shape) for image in images]
    nats = mean_over_orders(nats_of_images(model, images, shapes, batch_size, condition))
    return Likelihood.of(nats.tolist(), [math.prod(shape) for shape in shapes])


def mean_over_orders(nats: Tensor) -> Tensor:
    """Gives the nats [N] of the mean of the distributions in all orders, from the nats [orders, N] in each."""
    return math.log(len(nats)) - (-nats).logsumexp(0)


@torch.no_grad()
def nats_of_images(
    model: PixelRNN,
    images: Sequence[Integers],
    shapes: Sequence[tuple[int, ...]],
    batch_size: int = 64,
    condition: Condition | None = None,
    rank: int = 0,
    world: int = 1,
    context_of: Callable[[int], Pair] | None = None,
) -> Tensor:
    """Computes the nats of each image in each order; of several processes, each takes its share of the batches.

    Batches are the same for any number of processes, and so is every image's result, to the last bit where each process
    uses as many threads: the products of a whole image may round by the number of threads that share them.

    Args:
        model: as in `evaluate`.
        images: as in `evaluate`.
        shapes: [C, H, W] of each image, which may be known without looking at the images.
        batch_size: as in `evaluate`.
        condition: as in `evaluate`.
        rank: the number of this process, from 0.
        world: the number of processes.
        context_of: gives the condition image of an image by its index, where the condition itself has none.

    Returns:
        [orders, N], float64, nats; 0 for the images of other processes.

    Raises:
        ValueError: for the reasons of `evaluate`.
    """
    batch_size = whole_number(batch_size, "batch_size", bits=63)
    told = (condition or Condition()).for_images(len(images))
    if context_of is None:
        told.check(model.config)
        context_of = None if told.image is None else told.context_of
    told = told.without_image()
    was_training = model.training
    nats = torch.zeros(model.config.orders, len(images), dtype=torch.float64)
    try:
        model.eval()
        for order in range(model.config.orders):
            turned = [(C, *turned_size(H, W, order)) for C, H, W in shapes]
            for indices in list(_batches(turned, batch_size))[rank::world]:
                levels = [turn(as_tensor(images[k], "an image"), order) for k in indices]
                orders = torch.full((len(indices),), order)
                pairs = None
                if context_of is not None:
                    pairs = [_turned(context_of(k), shapes[k][1:], order) for k in indices]
                batch = Batch.of(levels, told.select(torch.tensor(indices)), orders, contexts=pairs)
                model.check_images(batch.levels)
                batch.condition.check(model.config)
                batch = batch.to(model.device)
                nats[order, indices] = batch.sum_nats(model.checked_nll(batch).double()).cpu()
    finally:
        model.train(was_training)
    return nats


def _batches(shapes: Sequence[tuple[int, ...]], batch_size: int) -> Iterator[list[int]]:
    """Gives batches of indices of images of one width and similar heights, so that there is little padding."""
    batch: list[int] = []
    for k in sorted(range(len(shapes)), key=lambda k: (shapes[k][2], shapes[k][1])):
        _, H, W = shapes[k]
        full = len(batch) == batch_size or (len(batch) + 1) * H * W > MAX_PIXELS
        if batch and (full or shapes[batch[0]][2] != W):
            yield batch
            batch = []
        batch.append(k)
    if batch:
        yield batch


def _turned(pair: Pair, size: tuple[int, ...], order: int) -> Pair:
    """Turns a condition image and what is known of it; raises ValueError where the image itself has another size."""
    image, known = pair
    if tuple(image.shape[1:]) != size:
        (h, w), (H, W) = image.shape[1:], size
        raise ValueError(f"a condition image is {h}x{w} (rows x columns); the image is {H}x{W}")
    return turn(image, order), turn(known, order)
