"""Makes batches of images, and orders them for training.

Shapes: B batch, C colours, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from pixelseq.data.store import BATCHES, Images, generator
from pixelseq.data.streaming import Stream
from pixelseq.model.batch import Batch
from pixelseq.model.condition import Condition
from pixelseq.model.inputs import whole_number


def batches_by_width(images: Sequence[Tensor]) -> list[Batch]:
    """Groups images into batches, one per width, in the order of the first image of each.

    Args:
        images: levels, each [C, H, W], with one C for all.
    """
    condition, orders, moves, degraded = None, None, None, False
    if isinstance(images, Images):
        condition, orders, moves = images.condition, images.orders, images.moves
        degraded = images.telling.degradation is not None
        if not degraded and (stacked := images.stacked()) is not None:
            heights = torch.full((len(images),), stacked.shape[2])
            return [Batch(stacked, heights, condition or Condition())] if len(images) else []
    levels = list(images)
    contexts = None
    if isinstance(images, Images) and degraded:
        contexts = [images.degraded(k, image) for k, image in enumerate(levels)]
    groups: dict[int, list[int]] = {}
    for k, image in enumerate(levels):
        groups.setdefault(image.shape[2], []).append(k)
    return [
        Batch.of(
            [levels[k] for k in group],
            None if condition is None else condition.select(torch.tensor(group)),
            None if orders is None else torch.from_numpy(orders[group]),
            None if moves is None else torch.from_numpy(moves[group]),
            None if contexts is None else [contexts[k] for k in group],
        )
        for group in groups.values()
    ]


def training_batches(
    images: Images | Stream,
    batch_size: int,
    seed: int,
    batch_pixels: int | None = None,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Images]:
    """Gives endless batches, as training sees the images; every image is used equally often.

    Batches depend on the seed alone, not on the number of processes. Each process takes its share of every batch, which
    is empty where a batch has fewer images than there are processes. Where widths vary, images of one width lie
    together.
    Only batches of a `Stream` depend on the number of processes, since each reads its own part.

    Args:
        images: the images to train on.
        batch_size: images per batch, over all processes.
        seed: the seed of the order and of all draws.
        batch_pixels: the most pixels per batch (but at least one image), instead of `batch_size`.
        start: the number of batches to skip, as after a stop.
        rank: the number of this process, from 0.
        world: the number of processes.

    Raises:
        ValueError: there are no images, a size is below 1, or the seed is out of range.
    """
    seed = whole_number(seed, "seed", least=0, bits=64)
    size = batch_size if batch_pixels is None else batch_pixels
    if size < 1:
        raise ValueError(f"the batch size is {size}; it must be at least 1")
    if isinstance(images, Stream):
        if batch_pixels is not None:
            raise ValueError("a stream has no batches of `batch_pixels`; use `batch_size`")
        # Nothing tells where in a stream a batch begins: those before it are read again.
        yield from islice(images.batches(batch_size, seed, rank, world), start, None)
        return
    if len(images) < 1:
        raise ValueError("there are no training images")
    costs = np.ones(len(images), int) if batch_pixels is None else images.sizes.prod(1)

    def widths(epoch: int) -> np.ndarray:
        return images.drawn(np.arange(len(images)), np.full(len(images), epoch), seed).sizes[:, 1]

    for batch in islice(_plan(costs, widths, size, seed), start, None):
        positions, epochs = batch[:, rank::world]
        yield images.drawn(positions, epochs, seed)


def _plan(costs: np.ndarray, widths: Callable[[int], np.ndarray], budget: int, seed: int) -> Iterator[np.ndarray]:
    """Plans batches [2, n], image positions and epochs; an epoch's last share a batch with the first of the next."""
    waiting = np.empty((2, 0), dtype=np.int64)
    for epoch in count():
        _, group = np.unique(widths(epoch), return_inverse=True)
        groups = group.max() + 1
        random = generator(seed, epoch, 0, BATCHES)
        order = random.permutation(len(costs))
        if groups > 1:
            order = order[np.argsort(random.permutation(groups)[group[order]], kind="stable")]
        epochs = np.concatenate([waiting, [order, np.full(len(order), epoch)]], axis=1)
        *full, waiting = np.split(epochs, _cuts(costs[epochs[0]], budget), axis=1)
        if groups > 1:
            full = [full[k] for k in random.permutation(len(full))]
        yield from full


def _cuts(costs: np.ndarray, budget: int) -> list[int]:
    """Gives the start of each batch but the first; a batch costs at most the budget, or has one image."""
    cuts, spent = [], 0
    for k, cost in enumerate(costs.tolist()):
        if spent and spent + cost > budget:
            cuts.append(k)
            spent = 0
        spent += cost
    return cuts
