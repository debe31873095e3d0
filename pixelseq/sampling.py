"""Raster-order sampling, and the walk over pixels that completion shares.

Shapes: N images, C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.model import PixelRNN
from pixelseq.state import State


@dataclass(frozen=True)
class Draw:
    """How a level is drawn from its distribution.

    Args:
        temperature: > 0; log-probabilities are divided by it. 1 samples from the model.
        top_p: in (0, 1]; only the fewest likeliest levels that hold this probability are drawn (Holtzman et al. 2020).

    Raises:
        ValueError: out of range.
    """

    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1")

    def __call__(self, log_probs: Tensor, uniform: Tensor) -> Tensor:
        """The level at which the cumulative probability passes `uniform`: [N, V], [N] in [0, 1) -> [N]."""
        log_probs = log_probs.double()
        probs = ((log_probs - log_probs.amax(-1, keepdim=True)) / self.temperature).softmax(-1)
        if self.top_p < 1:
            ordered, order = probs.sort(dim=-1, descending=True, stable=True)
            before = ordered.cumsum(-1) - ordered
            kept = ordered.masked_fill(before >= self.top_p, 0)
            probs = torch.zeros_like(probs).scatter(-1, order, kept)
        cumulative = probs.cumsum(-1)
        return (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)


class Noise:
    """Uniform numbers, a function of (seed, image, position) alone: image k is the same in any batch.

    Args:
        seed: a whole number, or a generator that one is drawn from.
        images: indices of the images in the whole request.
        device: where the numbers go.

    Raises:
        ValueError: a seed below 0.
    """

    def __init__(self, seed: int | torch.Generator, images: range, device: torch.device) -> None:
        if isinstance(seed, torch.Generator):
            seed = int(torch.randint(2**63 - 1, (), generator=seed, device=seed.device))
        if not isinstance(seed, int) or not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}; it must be a whole number of at least 0 and below 2**64")
        self.streams = [np.random.Philox(key=np.array([seed, k], dtype=np.uint64)) for k in images]
        self.device = device

    def row(self, width: int, channels: int) -> Tensor:
        """The next row's numbers [N, W, C], float64 in [0, 1 - 2**-52]."""
        bits = np.stack([stream.random_raw(width * channels) for stream in self.streams])
        uniform = (bits >> np.uint64(12)) * 2.0**-52
        return torch.from_numpy(uniform).view(len(self.streams), width, channels).to(self.device)


@torch.no_grad()
def walk_row(
    model: PixelRNN,
    state: State,
    draw: Draw,
    uniform: Tensor,
    given: Tensor | None = None,
    known: Tensor | None = None,
) -> Tensor:
    """Draws the next row of each image, pixel by pixel; known pixels are fed as given.

    Args:
        model: the model of `state`.
        state: at the start of a row; written in place.
        draw: how levels are drawn.
        uniform: [N, W, C], the row's random numbers.
        given: [N, C, W], levels, used where known.
        known: [N, W], bool.

    Returns:
        [N, C, W], levels.
    """
    N, W, C = uniform.shape
    row = torch.empty(N, W, C, dtype=torch.long, device=uniform.device)
    known_to_all = [False] * W if known is None else known.all(dim=0).tolist()
    for column in range(W):
        pixel = row[:, column]
        features = model.step(state)
        for c in range(C):
            if given is not None and known_to_all[column]:
                pixel[:, c] = given[:, c, column]
                continue
            drawn = draw(model.pixel_log_probs(features, pixel[:, :c]), uniform[:, column, c])
            if given is not None and known is not None:
                drawn = torch.where(known[:, column], given[:, c, column], drawn)
            pixel[:, c] = drawn
        model.feed(state, pixel)
    return row.transpose(1, 2)


def stream(
    model: PixelRNN,
    num: int,
    width: int,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    *,
    first: int = 0,
) -> Iterator[Tensor]:
    """Samples images that never end, row by row, with a state of constant size.

    Args:
        model: the distribution.
        num: N, number of images.
        width: W, their columns.
        seed: image k depends on the seed and k alone.
        temperature: see `Draw`.
        top_p: see `Draw`.
        first: index k of the first image, for a request that is made in parts.

    Returns:
        An endless iterator of rows [N, C, W], levels.

    Raises:
        ValueError: an argument out of range; at the call, not at the first row.
    """
    if num < 1:
        raise ValueError(f"num is {num}; at least 1 image must be asked for")
    draw = Draw(temperature, top_p)
    state = model.init_state(num, width)
    noise = Noise(seed, range(first, first + num), model.device)

    def rows() -> Iterator[Tensor]:
        while True:
            yield walk_row(model, state, draw, noise.row(width, model.config.channels))

    return rows()


def sample(
    model: PixelRNN,
    num: int,
    height: int,
    width: int,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    progress: bool = False,
    *,
    first: int = 0,
) -> Tensor:
    """Samples images in raster order, of any height and width.

    Args:
        model: the distribution.
        num: N, number of images.
        height: H, rows.
        width: W, columns.
        seed: image k depends on the seed and k alone, up to float rounding between batch sizes.
        temperature: see `Draw`.
        top_p: see `Draw`.
        progress: show a bar.
        first: index k of the first image, for a request that is made in parts.

    Returns:
        [N, C, H, W], levels.

    Raises:
        ValueError: an argument out of range.
    """
    if height < 1:
        raise ValueError(f"height is {height}; it must be at least 1")
    rows = stream(model, num, width, seed, temperature, top_p, first=first)
    bar = tqdm(islice(rows, height), total=height, desc="sampling", unit="row", disable=not progress)
    return torch.stack(list(bar), dim=2)
