"""Gradients and likelihoods on one process or many. Shapes: B batch, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from pixelseq.data import by_width, collate
from pixelseq.model.likelihood import Likelihood, image_nats, nats_of_images, values_of_images
from pixelseq.model.pixelrnn import PixelRNN

if TYPE_CHECKING:
    from accelerate import Accelerator


class ImageNats(nn.Module):
    """The model as a loss: its forward is what a data-parallel wrapper must see.

    Args:
        model: trained.
    """

    def __init__(self, model: PixelRNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, levels: Tensor, heights: Tensor) -> Tensor:
        """Nats of each image: levels [B, C, H, W], own rows [B] -> [B]."""
        return image_nats(self.model.nll(levels), heights)


def backward(accelerator: Accelerator, network: nn.Module, share: Sequence[Tensor], accumulate: int = 1) -> Tensor:
    """Adds the gradient of the mean nats a value of a batch that all processes share.

    Args:
        accelerator: of the run.
        network: an `ImageNats`, prepared by the accelerator.
        share: levels of this process's images of the batch, of any sizes; there may be none.
        accumulate: parts that the share is cut into, one after another, to need less memory.

    Returns:
        [3], float64: nats, images and values of this share.
    """
    size = max(1, -(-len(share) // accumulate))
    pieces = [share[k : k + size] for k in range(0, len(share), size)]
    parts = [collate(group) for piece in pieces for group in by_width(piece)]
    values = sum(int(heights.sum()) * levels.shape[1] * levels.shape[3] for levels, heights in parts)
    counts = torch.tensor([0, len(share), values], dtype=torch.float64, device=accelerator.device)
    all_values, all_parts = accelerator.gather(counts.new_tensor([[values, len(parts)]])).T
    # Processes average their gradients, so each scales its share to the mean over the whole batch.
    scale = accelerator.num_processes / all_values.sum()
    # Sharded weights are gathered for each part: all processes take as many, the last ones with a gradient of 0.
    channels = accelerator.unwrap_model(network).model.config.channels
    empty = torch.zeros(1, channels, 1, 1, dtype=torch.uint8), torch.tensor([0])
    parts += [empty] * (int(all_parts.max()) - len(parts))
    for k, (levels, heights) in enumerate(parts):
        last = k == len(parts) - 1
        with nullcontext() if last else accelerator.no_sync(network):
            nats = network(levels.to(accelerator.device), heights.to(accelerator.device)).sum()
            accelerator.backward(nats * scale.to(nats.dtype))
        counts[0] += nats.detach()
    return counts


def whole(model: nn.Module) -> nn.Module:
    """The model itself, or its parameters put together where each process holds a shard of them."""
    parameters = [parameter.full_tensor() for parameter in model.parameters() if isinstance(parameter, DTensor)]
    if not parameters:
        return model
    together = nn.ParameterList(parameters)
    for k, buffer in enumerate(model.buffers()):
        together.register_buffer(f"buffer_{k}", buffer)
    return together


def evaluate_shared(accelerator: Accelerator, model: PixelRNN, images: Sequence[Tensor]) -> Likelihood:
    """The exact likelihood of a set of images, each process taking its share; the same on any number of them."""
    rank, world = accelerator.process_index, accelerator.num_processes
    nats = nats_of_images(model, images, rank=rank, world=world).to(accelerator.device)
    # Every image was evaluated by one process and is 0 on the others: the sum over processes is exact.
    return Likelihood.of(accelerator.reduce(nats, reduction="sum").tolist(), values_of_images(images))


def total(accelerator: Accelerator, sums: Tensor) -> Likelihood:
    """Adds [nats, images, values], float64, over all processes, to be divided once."""
    nats, images, values = accelerator.reduce(sums.clone(), reduction="sum").tolist()
    return Likelihood(nats, int(images), int(values))
