"""Draws pictures of what a model has learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from pixelseq.data.dataset import Dataset
from pixelseq.data.store import Images
from pixelseq.generation.completion import complete
from pixelseq.generation.requests import redraw
from pixelseq.generation.sampling import sample
from pixelseq.imaging.pictures import completion_sheet, redrawn_sheet, sample_sheet
from pixelseq.model.condition import Condition
from pixelseq.model.config import MASK, ModelConfig
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.pixel_format import PixelFormat

SAMPLED_PIXELS = 128 * 128
"""The most pixels of a sampled image: they are drawn one after another."""
COMPLETED_PIXELS = 64 * 64
"""The most pixels of a completed image: images are completed one after another."""
COLUMNS = 8
LABELS = 64
"""The most labels of which samples are drawn."""
REDRAWN = 6
"""The images that are drawn given each condition image."""
PICTURES = ("samples", "tall", "completions", "redrawn")
"""The names of the pictures; in a run's folder each is a .png."""


def draw_pictures(model: PixelRNN, data: Dataset, tall_height: int, seed: int) -> dict[str, Image.Image]:
    """Draws what a model has learned, by name.

    Sheets of samples as large as the largest image and of taller samples: a model that knows labels draws a row of
    samples of each; one that knows vectors or texts draws a row for each of some test images. Completions of the lower
    halves of these images, and a model that knows condition images draws them given theirs; of samples and completions
    then only what it has learned to draw by itself, or by what is known.

    Args:
        model: the model to draw from.
        data: gives the sizes and the test images; very large ones are cut.
        tall_height: the rows of the taller samples.
        seed: the seed of all draws.
    """
    test, context = data.test[:: -(-len(data.test) // 8)], model.config.context
    pictures: dict[str, Image.Image] = {}
    if context is None or model.config.condition_dropout:
        pictures |= _samples(model, data, test, tall_height, seed)
    if context is None or context.degradation == MASK:
        pictures["completions"] = _completions(model, test, seed)
    if context is not None and test.telling.degradation is not None:
        pictures["redrawn"] = _redrawn(model, context.pixel_format, test, seed)
    return pictures


def _samples(model: PixelRNN, data: Dataset, test: Images, tall_height: int, seed: int) -> dict[str, Image.Image]:
    pixel_format = model.config.pixel_format
    sizes = data.train.sizes if isinstance(data.train, Images) else data.test.sizes
    H, W = _capped(sizes.max(0).tolist(), SAMPLED_PIXELS)
    num = 64 if H * W <= SAMPLED_PIXELS // 4 else 16
    shown, names = _shown(model.config, test)
    turns = 0 if shown is None else shown.batch or 0
    num = COLUMNS * turns or num
    samples = sample(model, num, H, W, seed, condition=shown and shown.select(torch.arange(num) % turns))
    told = shown and shown.select(torch.arange(16) % turns)
    tall = sample(model, 16, _capped((tall_height, W), SAMPLED_PIXELS)[0], W, seed, condition=told)
    return {
        "samples": sample_sheet(samples, pixel_format, columns=COLUMNS, names=names),
        "tall": sample_sheet(tall, pixel_format, columns=16),
    }


def _completions(model: PixelRNN, test: Images, seed: int) -> Image.Image:
    originals = [_cut(image) for image in test]
    masks = [(torch.arange(h) < h // 2)[:, None].expand(-1, w) for _, h, w in (image.shape for image in originals)]
    completions = [
        complete(model, image[None], mask, num=8, seed=seed, condition=_told(test, k), first_index=8 * k)[0]
        for k, (image, mask) in enumerate(zip(originals, masks, strict=True))
    ]
    return completion_sheet(originals, masks, completions, model.config.pixel_format)


def _redrawn(model: PixelRNN, given_format: PixelFormat, test: Images, seed: int) -> Image.Image:
    originals = list(test)
    degraded = [test.degraded(k, image) for k, image in enumerate(originals)]
    pairs = [(_cut(image), _cut(mask)) for image, mask in degraded]
    drawn = redraw(model, pairs, REDRAWN, seed, condition=test.condition)
    given, known = zip(*pairs, strict=True)
    return redrawn_sheet(
        given, known, given_format, drawn, [_cut(image) for image in originals], model.config.pixel_format
    )


def _told(test: Images, k: int) -> Condition | None:
    """Gives what else than a condition image test image k tells."""
    return test.condition and test.condition.select(torch.tensor([k]))


def _cut(image: Tensor) -> Tensor:
    """Cuts an image or a mask [..., H, W] to what is completed."""
    h, w = _capped(image.shape[-2:], COMPLETED_PIXELS)
    return image[..., :h, :w]


def _shown(config: ModelConfig, test: Images) -> tuple[Condition | None, list[str]]:
    """Gives what samples take turns to be told, and its names; nothing for a model that knows no conditions."""
    if config.classes:
        count = min(config.classes, LABELS)
        names = [config.class_names[k] if config.class_names else str(k) for k in range(count)]
        return Condition(label=torch.arange(count)), names
    return test.condition, [] if test.condition is None else test.read_names()


def _capped(size: Sequence[int], pixels: int) -> tuple[int, int]:
    """Cuts a size to at most `pixels`: no more columns than a square has, and as many rows as then find room."""
    height, width = size
    width = min(width, math.isqrt(pixels))
    return min(height, pixels // width), width
