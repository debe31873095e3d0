"""What a training loop needs beside a model and data, on one process or many.

Shapes: B batch, C colours, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pixelseq.data import collate
from pixelseq.likelihood import Likelihood, evaluate, image_nats
from pixelseq.model import PixelRNN

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


def backward(accelerator: Accelerator, network: nn.Module, images: Sequence[Tensor]) -> Tensor:
    """Adds the gradient of the mean nats a value of a batch, each process taking its share of the images.

    Args:
        accelerator: of the run.
        network: an `ImageNats`, prepared by the accelerator.
        images: levels of the whole batch, the same on every process; at least one a process.

    Returns:
        [3], float64: nats, images and values of this process's share.
    """
    world = accelerator.num_processes
    share = images[accelerator.process_index :: world]
    levels, heights = collate(share)
    nats = network(levels.to(accelerator.device), heights.to(accelerator.device)).sum()
    # Processes average their gradients, so each scales its share to the mean over the whole batch.
    accelerator.backward(nats * world / sum(image.numel() for image in images))
    sums = [0, len(share), sum(image.numel() for image in share)]
    counts = torch.tensor(sums, dtype=torch.float64, device=accelerator.device)
    counts[0] = nats.detach()
    return counts


def evaluate_shared(accelerator: Accelerator, model: PixelRNN, images: Sequence[Tensor]) -> Likelihood:
    """The exact likelihood of a set of images, each process taking its share."""
    part = evaluate(model, images[accelerator.process_index :: accelerator.num_processes])
    sums = torch.tensor([part.nll_nats, part.images, part.values], dtype=torch.float64, device=accelerator.device)
    return total(accelerator, sums)


def total(accelerator: Accelerator, sums: Tensor) -> Likelihood:
    """Adds [nats, images, values], float64, over all processes, to be divided once."""
    nats, images, values = accelerator.reduce(sums.clone(), reduction="sum").tolist()
    return Likelihood(nats, int(images), int(values))


def warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """Factor of the learning rate at `step`: linear from 0 over `warmup` steps, then a cosine to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
