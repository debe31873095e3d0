"""Samples images in raster order. Shapes: N images, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Literal

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.generation.engine import Stretch
from pixelseq.generation.fixed_point import fixed_point
from pixelseq.generation.noise import Noise, Seed, image_range
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.walkers import start_walk
from pixelseq.model.condition import Condition, check_size
from pixelseq.model.inputs import whole_number
from pixelseq.model.orders import check_order, turn_back, turned_size
from pixelseq.model.pixelrnn import PixelRNN


def stream(
    model: PixelRNN,
    num: int,
    width: int,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    *,
    condition: Condition | None = None,
    guidance: float = 0.0,
    first_index: int = 0,
) -> Iterator[Tensor]:
    """Samples images row by row, which never end unless condition images do, with a state of constant size.

    Args:
        model: the distribution of images.
        num: N, the number of images.
        width: W, the columns of each image.
        seed: image k depends on the seed and k alone; None draws a seed at every call.
        options: how levels are drawn.
        condition: what the images are told by, of N images or of one for all; None tells nothing.
        guidance: draws as if the condition were told 1 + `guidance` times as strongly (see `guided`), for a model that
            was trained with condition_dropout.
        first_index: the index k of the first image, for a request that is made in parts.

    Returns:
        An iterator of rows [N, C, W], levels, which ends with the condition images, or never where there are none.

    Raises:
        ValueError: an argument is out of range, or the model cannot be told the condition; raised at the call, not at
            the first row.
    """
    return _stream(model, num, width, seed, options, condition, 0, guidance, first_index)


def _stream(
    model: PixelRNN,
    num: int,
    width: int,
    seed: Seed,
    options: SamplingOptions,
    condition: Condition | None,
    order: int,
    guidance: float,
    first_index: int,
) -> Iterator[Tensor]:
    """Streams turned images."""
    num, width = whole_number(num, "num"), whole_number(width, "width")
    noise = Noise(seed, image_range(first_index, num), model.device)
    walker = start_walk(model, num, width, condition, order, guidance)

    size = None if condition is None else condition.image_size
    told = None if size is None else turned_size(*size, order)

    def rows() -> Iterator[Tensor]:
        for _ in count() if told is None else range(told[0]):
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
    condition: Condition | None = None,
    order: int = 0,
    guidance: float = 0.0,
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
        condition: as in `stream`.
        order: the raster order that pixels are drawn in, 0 to `orders` - 1 of the model's configuration.
        guidance: as in `stream`.
        first_index: the index k of the first image, for a request that is made in parts.
        method: "raster" draws pixel after pixel; "fixed_point" finds the same images by passes over whole ones
            (see `fixed_point`), unless rounding, which differs, decides a draw.

    Returns:
        [N, C, H, W], levels.

    Raises:
        ValueError: an argument is out of range, or the model cannot be told the condition.
    """
    if method not in ("raster", "fixed_point"):
        raise ValueError(f"`method` is {method!r}; choose raster or fixed_point")
    num, height, width = whole_number(num, "num"), whole_number(height, "height"), whole_number(width, "width")
    check_order(order, model.config.orders)
    check_size(condition, height, width)
    H, W = turned_size(height, width, order)
    if method == "fixed_point":
        noise = Noise(seed, image_range(first_index, num), model.device)
        turned, _ = fixed_point(model, H, W, noise, options, progress, condition, order, guidance)
    else:
        rows = _stream(model, num, W, seed, options, condition, order, guidance, first_index)
        bar = tqdm(islice(rows, H), total=H, desc="sampling", unit="row", disable=not progress)
        turned = torch.stack(list(bar), dim=2)
    return turn_back(turned, order)
