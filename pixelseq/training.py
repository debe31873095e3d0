"""What a training loop needs beside a model and data."""

from __future__ import annotations

import math

from torch import Tensor, nn

from pixelseq.likelihood import image_nats
from pixelseq.model import PixelRNN


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


def warmup_cosine(step: int, warmup: int, steps: int) -> float:
    """Factor of the learning rate at `step`: linear from 0 over `warmup` steps, then a cosine to 0 at `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))
