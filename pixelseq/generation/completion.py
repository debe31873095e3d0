"""Completes partial images. Shapes: B images, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.generation.engine import Stretch
from pixelseq.generation.noise import Noise, Seed, image_range, whole_seed
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.particles import Particles
from pixelseq.generation.walkers import start_walk
from pixelseq.model.condition import Condition, check_size
from pixelseq.model.config import MASK, ModelConfig
from pixelseq.model.inputs import Bools, Integers, as_tensor, whole_number
from pixelseq.model.orders import check_order, fitting_order, turn, turn_back
from pixelseq.model.pixelrnn import PixelRNN


def complete(
    model: PixelRNN,
    images: Integers,
    known: Bools,
    num: int = 1,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    progress: bool = False,
    *,
    particles: int = 1,
    condition: Condition | None = None,
    order: int | Literal["auto"] = "auto",
    first_index: int = 0,
) -> Tensor:
    """Fills the unknown pixels of images: known ones are kept, unknown ones sampled in a raster order.

    With 1 particle each unknown pixel is drawn given everything before it, known or drawn. Where all unknown pixels
    come after the known ones this samples the exact conditional p(unknown | known); known pixels further on have no
    influence on the draw. With K particles they have: K images are drawn at once, weighted by the probability of each
    known pixel that is passed, and one of them is left at the end. As K grows the completions become samples of the
    exact conditional under any mask; time and memory grow alike.

    A model that was trained on the degradation "mask" is told which pixels are known, and what they are, as its
    condition image: they count on all sides with 1 particle already, as far as it has learned that.

    Args:
        model: the distribution of images.
        images: [B, C, H, W], levels, as a tensor or a NumPy array; what stands at unknown pixels has no influence.
        known: [B, H, W], [B, 1, H, W] or, for all images alike, [H, W]; bool, True = keep.
        num: the number of completions per image, which are independent: each has particles of its own.
        seed: completion n of image b depends on the seed and k = first_index + b * num + n alone; what it draws before
            any known pixel, or with 1 particle, is drawn as sample k would be. None draws a seed at every call.
        options: how levels are drawn.
        progress: whether to show a bar.
        particles: K; more than 1 only with the model's own distribution (no temperature, top_k or top_p).
        condition: what the images are told by, of B images or of one for all; None tells nothing.
        order: the raster order; "auto" takes for each image the one in which the fewest known pixels come after the
            first unknown one, the lowest of equals.
        first_index: the index of the first completion, for a request that is made in parts.

    Returns:
        [B, num, C, H, W], levels.

    Raises:
        TypeError: images or masks are neither tensors nor NumPy arrays of integers or bools.
        ValueError: an argument is out of range, the mask has another size or type, the model cannot be told the
            condition, or has not learned the order.
    """
    num, particles = whole_number(num, "num"), whole_number(particles, "particles")
    if particles > 1 and options != SamplingOptions():
        raise ValueError(
            f"`particles` is {particles} with temperature {options.temperature}, top_k {options.top_k} and top_p "
            f"{options.top_p}; the particles' weights are of the model's own distribution: leave those at 1, 0 and 1, "
            "or take 1 particle"
        )
    images, known = _checked(model, images, known)
    wanted = image_range(first_index, len(images) * num)
    completed = images[:, None].repeat(1, num, 1, 1, 1)
    seed = whole_seed(seed)
    condition = with_what_is_known(model.config, images, known, condition)
    for part in _parts(model, images, known, condition, order):
        indices = [wanted[b * num + n] for b in part.chosen.tolist() for n in range(num)]
        levels, _ = _walk(model, part, indices, seed, options, particles, particles > 1, progress)
        completed[part.chosen] = turn_back(levels.movedim(-1, 1), part.order).unflatten(0, (-1, num))
    return completed


def log_known(
    model: PixelRNN,
    images: Integers,
    known: Bools,
    particles: int,
    seed: Seed = 0,
    progress: bool = False,
    *,
    condition: Condition | None = None,
    order: int | Literal["auto"] = "auto",
    first_index: int = 0,
) -> Tensor:
    """Estimates log p(known pixels) in a raster order, the unknown ones summed out.

    The estimate of p is unbiased for any number of particles (Doucet and Johansen 2009, section 3.5), that of log p
    therefore too low on average, the less so the more particles there are. Known pixels that come before all unknown
    ones are counted exactly.

    Args:
        model: the distribution of images.
        images: as in `complete`.
        known: as in `complete`.
        particles: K, the particles per image.
        seed: the estimate of image b depends on the seed and first_index + b alone; None draws a seed at every call.
        progress: whether to show a bar.
        condition: what the images are told by, as in `complete`; nothing is added to it, so that a model that was
            trained on the degradation "mask" is not told what it is asked for.
        order: as in `complete`.
        first_index: the index of the first image, for a request that is made in parts.

    Returns:
        [B], float64, nats; 0 where nothing is known.

    Raises:
        TypeError: images or masks are neither tensors nor NumPy arrays of integers or bools.
        ValueError: an argument is out of range, the mask has another size or type, the model cannot be told the
            condition, or has not learned the order.
    """
    particles = whole_number(particles, "particles")
    images, known = _checked(model, images, known)
    wanted = image_range(first_index, len(images))
    log_p = torch.zeros(len(images), dtype=torch.float64, device=model.device)
    seed = whole_seed(seed)
    for part in _parts(model, images, known, condition, order):
        indices = [wanted[b] for b in part.chosen.tolist()]
        log_p[part.chosen] = _walk(model, part, indices, seed, SamplingOptions(), particles, True, progress)[1]
    return log_p


def with_what_is_known(
    config: ModelConfig, images: Tensor, known: Tensor, condition: Condition | None
) -> Condition | None:
    """Adds to a condition the images and what is known of them, for a model that has learned to complete by that.

    Args:
        config: the configuration of the model.
        images: [B, C, H, W], levels.
        known: [B, H, W], bool.
        condition: what else the images are told by; one with images of its own stays as it is.
    """
    if config.context is None or config.context.degradation != MASK:
        return condition
    if condition is not None and condition.image is not None:
        return condition
    else_told = (condition or Condition()).for_images(len(images))
    return replace(else_told, image=images, image_known=known)


def _checked(model: PixelRNN, images: Integers, known: Bools) -> tuple[Tensor, Tensor]:
    """Gives images [B, C, H, W], int64, 0 where unknown, and masks [B, H, W], on the model's device.

    Raises:
        ValueError: images and masks do not fit each other or the model.
    """
    images = as_tensor(images, "images").to(model.device)
    known = as_tensor(known, "known").to(model.device)
    if images.ndim != 4:
        raise ValueError(f"images are {list(images.shape)}; expected [batch, channels, height, width]")
    B, _, H, W = images.shape
    if known.dtype != torch.bool:
        raise ValueError(f"known is {known.dtype}; expected bool, True = keep")
    if known.shape not in ((H, W), (B, H, W), (B, 1, H, W)):
        raise ValueError(f"known is {list(known.shape)}; the images ask for {[H, W]}, {[B, H, W]} or {[B, 1, H, W]}")
    known = (known[:, 0] if known.ndim == 4 else known).expand(B, H, W)
    images = torch.where(known[:, None], images, torch.zeros_like(images))
    model.check_images(images)
    return images.long(), known


class _Part(NamedTuple):
    """The images of a request that are completed in one order."""

    order: int
    chosen: Tensor
    """[N], the indices of the images."""
    images: Tensor
    """[N, H, W, C], levels, turned."""
    known: Tensor
    """[N, H, W], bool, turned."""
    condition: Condition | None


def _parts(
    model: PixelRNN, images: Tensor, known: Tensor, condition: Condition | None, order: int | Literal["auto"]
) -> Iterator[_Part]:
    """Sorts images [B, C, H, W] by the orders that they are completed in."""
    B = len(images)
    if order == "auto":
        best = fitting_order(known, model.config.orders)
    else:
        check_order(order, model.config.orders)
        best = torch.full((B,), order, device=images.device)
    if condition is not None:
        condition = condition.for_images(B)
        check_size(condition, *images.shape[2:])
    for k in best.unique().tolist():
        chosen = (best == k).nonzero()[:, 0]
        turned = turn(images[chosen], k).movedim(1, -1).contiguous()
        told = None if condition is None else condition.select(chosen)
        yield _Part(k, chosen, turned, turn(known[chosen], k), told)


def _walk(
    model: PixelRNN,
    part: _Part,
    indices: Sequence[int],
    seed: int,
    options: SamplingOptions,
    particles: int,
    scored: bool,
    progress: bool,
) -> tuple[Tensor, Tensor]:
    """Walks copies of images, one per index; gives completions [N, H, W, C] and, where scored, log p(known) [N].

    Rows that are known in all images are walked once per image, not once per copy. From there to the last row with
    known pixels there are particles; after it each completion goes on alone.
    """
    images, known = part.images, part.known
    B, H, W, C = images.shape
    num = len(indices) // B
    noise = Noise(seed, indices, model.device, range(particles))  # particle 0 draws as a sample does
    resampling = Noise(seed, indices, model.device, range(particles, particles + 1))
    given_rows = int(known.all(2).all(0).long().cumprod(0).sum())
    weighed_rows = int(known.any(2).any(0).nonzero().max()) + 1 if scored and known.any() else given_rows
    rows = iter(tqdm(range(H), desc="completing", unit="row", disable=not progress))

    walker = start_walk(model, B, W, part.condition, part.order)
    log_p = torch.zeros(B, dtype=torch.float64, device=model.device)
    for i in islice(rows, given_rows):
        uniform, _ = noise.row(W, C)[:: num * particles], resampling.row(W + 1, 1)  # row i has its own, in any batch
        log_p -= walker.walk(Stretch(uniform, options, images[:, i], known[:, i], scored))[1].sum((1, 2))

    copies = torch.arange(B, device=model.device).repeat_interleave(num)
    walker, levels, known, log_p = walker.select(copies), images[copies], known[copies], log_p[copies]
    if weighed_rows > given_rows:
        population = Particles(walker, levels, known, particles)
        for i in islice(rows, weighed_rows - given_rows):
            population.walk_row(i, noise.row(W, C), resampling.row(W + 1, 1)[:, :, 0])
        alone = torch.arange(B * num, device=model.device) * particles
        walker, levels = population.walker.select(alone), population.levels[alone]
        log_p += population.log_known

    for i in rows:
        stretch = Stretch(noise.row(W, C)[::particles], options, levels[:, i], known[:, i])
        levels[:, i] = walker.walk(stretch)[0]
    return levels, log_p
