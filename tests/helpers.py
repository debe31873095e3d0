"""Small models and all images of a size."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pixelseq import ModelConfig, PixelFormat, PixelRNN
from pixelseq.imaging.pictures import to_picture
from pixelseq.runtime.codec import DIGEST, to_sealed

HEADS = ["softmax", "logistic_mixture"]


PIXELS = ("channels", "levels", "kind", "legend")
"""Fields of a PixelFormat."""


def small_config(**fields: object) -> ModelConfig:
    """A small configuration, with the fields of its pixel format beside its own."""
    pixels = {"levels": 2} | {name: fields.pop(name) for name in PIXELS if name in fields}
    defaults: dict[str, object] = {"hidden": 3, "context_kernel": 3, "context_blocks": 1, "head_features": 6}
    return ModelConfig(PixelFormat(**pixels), **(defaults | fields))  # type: ignore[arg-type]


def small_model(scale: float = 1.0, **fields: object) -> PixelRNN:
    """A small model in float64 and evaluation mode; `scale` multiplies its weights, for less even distributions."""
    model = PixelRNN(small_config(**fields)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter)).mul_(scale)
    return model


def shows(path: Path, image: Tensor, pixel_format: PixelFormat) -> bool:
    """Whether a file is the picture of an image, to the last value."""
    with Image.open(path) as picture:
        return bool(np.array_equal(np.array(picture), np.array(to_picture(image, pixel_format))))


def without_hidden_colours(image: Tensor) -> Tensor:
    """An image [C, H, W] as it is read: of four channels, what is wholly transparent is black."""
    return image * (image[3:] > 0) if len(image) == 4 else image


def all_images(levels: int, channels: int, height: int, width: int) -> Tensor:
    """Every image of that size, [levels ** values, C, H, W]."""
    values = itertools.product(range(levels), repeat=channels * height * width)
    return torch.tensor(list(values)).view(-1, channels, height, width)


def resealed(text: str, **change: object) -> str:
    """A text that `to_sealed` has written, with other fields, and the digest that goes with them."""
    fields = json.loads(text)
    del fields[DIGEST]
    return to_sealed(fields | change)


def ragged(count: int, levels: int) -> list[Tensor]:
    """Images of 1 to 4 rows and 3 columns."""
    return [torch.randint(levels, (1, 1 + k % 4, 3), dtype=torch.uint8) for k in range(count)]


def shared_data(name: str) -> Path:
    """A file or folder of the development data, which lies in PIXELSEQ_SHARED_DATA or in shared/data beside or above
    the repository; skips the test where it does not."""
    above = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
    for folder in [Path(os.environ["PIXELSEQ_SHARED_DATA"])] if "PIXELSEQ_SHARED_DATA" in os.environ else above:
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"the development data has no {name} here")
