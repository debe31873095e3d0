"""Draws pictures of what a model has learned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image

from pixelseq.data.dataset import Dataset
from pixelseq.data.store import Images
from pixelseq.generation.completion import complete
from pixelseq.generation.sampling import sample
from pixelseq.imaging.pictures import completion_sheet, sample_sheet
from pixelseq.model.condition import Condition
from pixelseq.model.config import ModelConfig
from pixelseq.model.pixelrnn import PixelRNN

SAMPLED_PIXELS = 128 * 128
"""The most pixels of a sampled image: they are drawn one after another."""
COMPLETED_PIXELS = 64 * 64
"""The most pixels of a completed image: images are completed one after another."""
COLUMNS = 8
LABELS = 64
"""The most labels of which samples are drawn."""
PICTURES = ("samples", "tall", "completions")
"""The names of the pictures; in a run's folder each is a .png."""


def draw_pictures(model: PixelRNN, data: Dataset, tall_height: int, seed: int) -> dict[str, Image.Image]:
    """Draws sheets of samples as large as the largest image, of taller samples, and of completions of test images.

    The lower halves of test images are completed. A model that knows labels draws a row of samples of each; one that
    knows vectors or texts draws a row for each of the images whose completions are shown.

    Args:
        model: the model to draw from.
        data: gives the sizes and the test images; very large ones are cut.
        tall_height: the rows of the taller samples.
        seed: the seed of all draws.
    """
    pixel_format = model.config.pixel_format
    sizes = data.train.sizes if isinstance(data.train, Images) else data.test.sizes
    H, W = _capped(sizes.max(0).tolist(), SAMPLED_PIXELS)
    num = 64 if H * W <= SAMPLED_PIXELS // 4 else 16
    test = data.test[:: -(-len(data.test) // 8)]
    shown, names = _shown(model.config, test)
    turns = 0 if shown is None else shown.batch or 0
    num = COLUMNS * turns or num
    samples = sample(model, num, H, W, seed, condition=shown and shown.select(torch.arange(num) % turns))
    told = shown and shown.select(torch.arange(16) % turns)
    tall = sample(model, 16, _capped((tall_height, W), SAMPLED_PIXELS)[0], W, seed, condition=told)
    originals = []
    for image in test:
        h, w = _capped(image.shape[1:], COMPLETED_PIXELS)
        originals.append(image[:, :h, :w])
    masks = [(torch.arange(h) < h // 2)[:, None].expand(-1, w) for _, h, w in (image.shape for image in originals)]
    conditions = [
        None if test.condition is None else test.condition.select(torch.tensor([k])) for k in range(len(test))
    ]
    completions = [
        complete(model, image[None], mask, num=8, seed=seed, condition=told, first_index=8 * k)[0]
        for k, (image, mask, told) in enumerate(zip(originals, masks, conditions, strict=True))
    ]
    sheets = [
        sample_sheet(samples, pixel_format, columns=COLUMNS, names=names),
        sample_sheet(tall, pixel_format, columns=16),
        completion_sheet(originals, masks, completions, pixel_format),
    ]
    return dict(zip(PICTURES, sheets, strict=True))


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
