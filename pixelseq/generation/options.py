"""Draws of levels: from which part of the distribution, and by which random numbers.

Shapes: N images, C colours, W columns, V levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """How a level is drawn from its distribution.

    Args:
        temperature: >= 0; log-probabilities are divided by it. 1 samples from the model, 0 takes the likeliest level.
        top_k: >= 0; only so many of the likeliest levels are drawn (Fan et al. 2018). 0 for all.
        top_p: in (0, 1]; only the fewest likeliest levels that hold this probability are drawn (Holtzman et al. 2020).

    Raises:
        ValueError: out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; it must be at least 0")
        if not isinstance(self.top_k, int) or self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; it must be a whole number of at least 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1")

    def __call__(self, log_probs: Tensor, uniform: Tensor) -> Tensor:
        """The level at which the cumulative probability passes `uniform`: [N, V], [N] in [0, 1) -> [N]."""
        log_probs = log_probs.double()
        if self.temperature == 0:
            return log_probs.argmax(-1)
        probs = ((log_probs - log_probs.amax(-1, keepdim=True)) / self.temperature).softmax(-1)
        if self.top_p < 1 or self.top_k > 0:
            ordered, order = probs.sort(dim=-1, descending=True, stable=True)
            dropped = ordered.cumsum(-1) - ordered >= self.top_p
            if self.top_k > 0:
                dropped[:, self.top_k :] = True
            probs = probs.masked_fill(dropped.gather(-1, order.argsort(-1)), 0)
        cumulative = probs.cumsum(-1)
        return (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)


def whole_seed(seed: int | torch.Generator) -> int:
    """The seed, or one drawn from a generator.

    Raises:
        ValueError: out of range.
    """
    if isinstance(seed, torch.Generator):
        seed = int(torch.randint(2**63 - 1, (), generator=seed, device=seed.device))
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; it must be a whole number of at least 0 and below 2**64")
    return seed


class Noise:
    """Uniform numbers, a function of (seed, image, position) alone: image k is the same in any batch.

    Args:
        seed: a whole number, or a generator that one is drawn from.
        images: indices of the images in the whole request.
        device: where the numbers go.
        sequences: which of each image's independent sequences; the first draws its pixels.

    Raises:
        ValueError: a seed or an index out of range.
    """

    def __init__(
        self,
        seed: int | torch.Generator,
        images: range,
        device: torch.device,
        sequences: range = range(1),
    ) -> None:
        key = whole_seed(seed)
        if images.start < 0:
            raise ValueError(f"the first image is {images.start}; it must be at least 0")
        self.streams = [
            np.random.Philox(key=np.array([key, k], dtype=np.uint64), counter=np.array([0, 0, 0, n], dtype=np.uint64))
            for k in images
            for n in sequences
        ]
        self.device = device

    def row(self, width: int, channels: int) -> Tensor:
        """The next row's numbers [N, W, C], float64 in [0, 1 - 2**-52], an image's sequences side by side in N."""
        bits = np.stack([stream.random_raw(width * channels) for stream in self.streams])
        uniform = (bits >> np.uint64(12)) * 2.0**-52
        return torch.from_numpy(uniform).view(len(self.streams), width, channels).to(self.device)
