"""Samples images in raster order. Shapes: N images, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.generation.engine import Stretch
from pixelseq.generation.fixed_point import fixed_point
from pixelseq.generation.noise import Noise, Seed, image_range
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.walkers import start_walk
from pixelseq.model.inputs import whole_number
from pixelseq.model.pixelrnn import PixelRNN


def stream(
    model: PixelRNN,
    num: int,
    width: int,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    *,
    first_index: int = 0,
) -> Iterator[Tensor]:
    """Samples images that never end, row by row, with a state of constant size.

    Args:
        model: the distribution of images.
        num: N, the number of images.
        width: W, the columns of each image.
        seed: image k depends on the seed and k alone; None draws a seed at every call.
        options: how levels are drawn.
        first_index: the index k of the first image, for a request that is made in parts.

    Returns:
        An endless iterator of rows [N, C, W], levels.

    Raises:
        ValueError: an argument is out of range; raised at the call, not at the first row.
    """
    num, width = whole_number(num, "num"), whole_number(width, "width")
    noise = Noise(seed, image_range(first_index, num), model.device)
    walker = start_walk(model, num, width)

    def rows() -> Iterator[Tensor]:
        while True:
            levels, _ = walker.walk(Stretch(noise.row(width, model.config.pixel_format.channels), options))
            yield levels.transpose(1, 2)

    return rows()


def sample(
    model: PixelRNN,
    num: int,
    height: int,
    width: int,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    progress: bool = False,
    *,
    first_index: int = 0,
    method: Literal["raster", "fixed_point"] = "raster",
) -> Tensor:
    """Samples images of any height and width.

    Args:
        model: the distribution of images.
        num: N, the number of images.
        height: H, rows.
        width: W, columns.
        seed: image k depends on the seed and k alone; None draws a seed at every call.
        options: how levels are drawn.
        progress: whether to show a bar.
        first_index: the index k of the first image, for a request that is made in parts.
        method: "raster" draws pixel after pixel; "fixed_point" finds the same images by passes over whole ones
            (see `fixed_point`), unless rounding, which differs, decides a draw.

    Returns:
        [N, C, H, W], levels.

    Raises:
        ValueError: an argument is out of range.
    """
    height = whole_number(height, "height")
    if method == "fixed_point":
        num, width = whole_number(num, "num"), whole_number(width, "width")
        noise = Noise(seed, image_range(first_index, num), model.device)
        return fixed_point(model, height, width, noise, options, progress)[0]
    if method != "raster":
        raise ValueError(f"`method` is {method!r}; choose raster or fixed_point")
    rows = stream(model, num, width, seed, options, first_index=first_index)
    bar = tqdm(islice(rows, height), total=height, desc="sampling", unit="row", disable=not progress)
    return torch.stack(list(bar), dim=2)
