"""Computes gradients and likelihoods on one process or many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pixelseq.data.batches import batches_by_width
from pixelseq.data.store import Images
from pixelseq.model.batch import Batch
from pixelseq.model.condition import Condition
from pixelseq.model.likelihood import Likelihood, mean_over_orders, nats_of_images
from pixelseq.model.pixelrnn import PixelRNN

if TYPE_CHECKING:
    from accelerate import Accelerator


class ImageNats(nn.Module):
    """The model as a loss, whose forward a data-parallel wrapper must see.

    Where training moves images, the model is told by how much (distribution augmentation, Jun et al. 2020, Distribution
    Augmentation for Generative Modeling, section 3). The features of no move are always zero, and those of the others
    are weights of the training alone.

    Args:
        model: the model that is trained.
        shift: the most pixels that images are moved.
    """

    def __init__(self, model: PixelRNN, shift: int = 0) -> None:
        super().__init__()
        self.model, self.shift = model, shift
        self.moves = None
        if shift:
            count = (2 * shift + 1) ** 2
            self.moves = nn.Embedding(count, model.config.features, padding_idx=count // 2, device=model.device)
            nn.init.zeros_(self.moves.weight)

    def forward(self, batch: Batch) -> Tensor:
        """Gives the nats [B] of the images of a batch whose levels and condition have been checked."""
        return batch.sum_nats(self.model.checked_nll(batch, self._features(batch)))

    def _features(self, batch: Batch) -> Tensor | None:
        """Gives the features [B, 1, 1, F] of how the images were moved."""
        if self.moves is None:
            return None
        down, right = (batch.levels.new_zeros(len(batch.levels), 2).long() if batch.moves is None else batch.moves).T
        return self.moves((down + self.shift) * (2 * self.shift + 1) + right + self.shift)[:, None, None]


def backward(
    accelerator: Accelerator,
    network: nn.Module,
    share: Sequence[Tensor],
    accumulate: int = 1,
    told: Sequence[float] = (),
) -> tuple[Tensor, list[float]]:
    """Adds the gradient of the mean nats per value of a batch that all processes share.

    The processes tell each other all that they must know in one gather. If the loss of one is not finite, the gradient
    is finite on none.

    Args:
        accelerator: the run's accelerator.
        network: an `ImageNats`, prepared by the accelerator.
        share: this process's images of the batch, as levels of any sizes; there may be none.
        accumulate: the number of parts of the share that are taken one after another, to need less memory.
        told: what this process tells the others, such as that it is to stop.

    Returns:
        sums: [3], float64: nats, images and values of this share.
        told: the largest that any process has told of each.

    Raises:
        ValueError: an image has levels that the model does not have.
    """
    model = accelerator.unwrap_model(network).model
    size = max(1, -(-len(share) // accumulate))
    pieces = [share[k : k + size] for k in range(0, len(share), size)]
    parts = [batch for piece in pieces for batch in batches_by_width(piece)]
    for batch in parts:
        model.check_images(batch.levels)  # still on the CPU
        batch.condition.check(model.config)
    values = sum(batch.num_values for batch in parts)
    ours = torch.tensor([[values, len(parts), *told]], dtype=torch.float64, device=accelerator.device)
    all_values, all_parts, *all_told = accelerator.gather(ours).T.tolist()
    # Processes average their gradients, so each scales its share to the mean over the whole batch.
    scale = accelerator.num_processes / sum(all_values)
    # Sharded weights are gathered for each part: all processes take as many, the last ones with a gradient of 0.
    empty = torch.zeros(1, model.config.pixel_format.channels, 1, 1, dtype=torch.uint8), torch.tensor([0])
    parts += [Batch(*empty)] * (int(max(all_parts)) - len(parts))
    nats = torch.zeros((), dtype=torch.float64, device=accelerator.device)
    for k, batch in enumerate(parts):
        with nullcontext() if k == len(parts) - 1 else accelerator.no_sync(network):
            part = network(batch.to(accelerator.device)).sum()
            # 0 times what is not finite is NaN, and so are the gradients that it scales.
            accelerator.backward(part * (scale + 0 * part.detach()))
        nats += part.detach()
    sums = torch.stack([nats, *nats.new_tensor([len(share), values])])
    return sums, [max(column) for column in all_told]


def evaluate_shared(accelerator: Accelerator, model: PixelRNN, images: Images) -> Likelihood:
    """Computes the exact likelihood of a set of images, of which each process takes its share.

    The result is the same on any number of processes, as `nats_of_images` says.
    """
    nats = mean_over_orders(nats_shared(accelerator, model, images))
    return Likelihood.of(nats.tolist(), images.num_values)


def nats_shared(
    accelerator: Accelerator, model: PixelRNN, images: Images, condition: Condition | None = None
) -> Tensor:
    """Computes for all processes the nats of images in each order; each process takes its share of the images.

    Args:
        accelerator: the run's accelerator.
        model: the model.
        images: the images.
        condition: what the model is told of them, by default what they tell themselves.

    Returns:
        [orders, N], float64.
    """
    rank, world = accelerator.process_index, accelerator.num_processes
    told = images.condition if condition is None else condition
    context_of = None if images.telling.degradation is None else images.degraded
    nats = nats_of_images(model, images, images.shapes, condition=told, rank=rank, world=world, context_of=context_of)
    # Every image was evaluated by one process and is 0 on the others: the sum over processes is exact.
    return accelerator.reduce(nats.to(accelerator.device), reduction="sum").cpu()


def sum_over_processes(accelerator: Accelerator, sums: Tensor) -> Likelihood:
    """Adds [nats, images, values], float64, over all processes, to be divided once."""
    nats, images, values = accelerator.reduce(sums.clone(), reduction="sum").tolist()
    return Likelihood(nats, int(images), int(values))
