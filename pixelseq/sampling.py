"""Raster-order sampling. Shapes: N images, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.draw import Draw, Noise
from pixelseq.model import PixelRNN
from pixelseq.walker import start_walk


def stream(
    model: PixelRNN,
    num: int,
    width: int,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
    top_k: int = 0,
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
        top_k: see `Draw`.
        top_p: see `Draw`.
        first: index k of the first image, for a request that is made in parts.

    Returns:
        An endless iterator of rows [N, C, W], levels.

    Raises:
        ValueError: an argument out of range; at the call, not at the first row.
    """
    if num < 1:
        raise ValueError(f"num is {num}; at least 1 image must be asked for")
    draw = Draw(temperature, top_k, top_p)
    walker = start_walk(model, num, width)
    noise = Noise(seed, range(first, first + num), model.device)

    def rows() -> Iterator[Tensor]:
        while True:
            yield walker.walk(noise.row(width, model.config.channels), draw)[0]

    return rows()


def sample(
    model: PixelRNN,
    num: int,
    height: int,
    width: int,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
    top_k: int = 0,
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
        seed: image k depends on the seed and k alone.
        temperature: see `Draw`.
        top_k: see `Draw`.
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
    rows = stream(model, num, width, seed, temperature, top_k, top_p, first=first)
    bar = tqdm(islice(rows, height), total=height, desc="sampling", unit="row", disable=not progress)
    return torch.stack(list(bar), dim=2)
