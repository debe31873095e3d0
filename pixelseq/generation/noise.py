"""The random numbers that pixels are drawn by. Shapes: N images, C colours, W columns."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pixelseq.model.inputs import whole_number

MAX_SEQUENCES = 2**20
"""The most sequences of random numbers that are drawn at once: each takes a kilobyte."""
Seed = int | np.integer | torch.Generator | None
"""A whole number, a generator that one is drawn from, or None for another one at every call."""


def whole_seed(seed: Seed) -> int:
    """Gives a seed as a whole number.

    Raises:
        ValueError: the seed is out of range.
    """
    if seed is None:
        return secrets.randbits(64)  # not torch's own generator, which starts with one seed in every process
    if isinstance(seed, torch.Generator):
        return int(torch.randint(2**63 - 1, (), generator=seed, device=seed.device))
    return whole_number(seed, "seed", least=0, bits=64)


def image_range(first_index: int, count: int) -> range:
    """Gives the indices of `count` images of a request.

    Raises:
        ValueError: there are no such images.
    """
    first_index = whole_number(first_index, "first_index", least=0, bits=64)
    if first_index + count > 2**64:
        raise ValueError(f"`first_index` is {first_index}, for {count} images; indices are below 2**64")
    return range(first_index, first_index + count)


class Noise:
    """Uniform numbers that depend on (seed, image, position) alone: image k is the same in any batch.

    Args:
        seed: the seed.
        images: indices of the images in the whole request.
        device: the device of the numbers.
        sequences: which of each image's independent sequences to take; the first one draws its pixels.

    Raises:
        ValueError: the seed is out of range, or there are too many sequences.
    """

    def __init__(
        self,
        seed: Seed,
        images: Sequence[int],
        device: torch.device,
        sequences: range = range(1),
    ) -> None:
        key = whole_seed(seed)
        if (count := len(images) * len(sequences)) > MAX_SEQUENCES:
            raise ValueError(
                f"{count} images or particles are too many at once; at most {MAX_SEQUENCES} can be drawn together"
            )
        self.streams = [
            np.random.Philox(key=np.array([key, k], dtype=np.uint64), counter=np.array([0, 0, 0, n], dtype=np.uint64))
            for k in images
            for n in sequences
        ]
        self.device = device

    def row(self, width: int, channels: int) -> Tensor:
        """Gives the next row, float64 [N, W, C] in [0, 1 - 2**-52], an image's sequences side by side in N."""
        bits = np.stack([stream.random_raw(width * channels) for stream in self.streams])
        uniform = (bits >> np.uint64(12)) * 2.0**-52
        return torch.from_numpy(uniform).view(len(self.streams), width, channels).to(self.device)
