"""Data sets as lists of images, and images as batches.

An image is a tensor of levels [C, H, W], uint8. Shapes: B batch, C colours, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

DIGIT_SPLITS = {"train": 1297, "validation": 250, "test": 250}
COLUMN_DIGITS = range(1, 7)
"""Digits of a column in `digit_columns`."""
TRAINING_COLUMNS = 20_000
HELD_OUT_COLUMNS = 250


@dataclass(frozen=True)
class Dataset:
    """Images of one width, in three splits."""

    name: str
    channels: int
    levels: int
    train: list[Tensor]
    validation: list[Tensor]
    test: list[Tensor]
    more_tests: dict[str, list[Tensor]] = field(default_factory=dict)
    """Further held-out images, by what they are."""


def load(name: str) -> Dataset:
    """A bundled data set by its name.

    Args:
        name: "digits", scikit-learn's 1797 handwritten digits of 8x8 pixels and 17 levels (UCI, Alpaydin and Kaynak
            1998); "digit_columns", the same stacked in columns of 1 to 6, of 8 to 48 rows.

    Raises:
        ValueError: no such data set.
    """
    digits = _digits()
    if name == "digits":
        return Dataset(name, 1, 17, digits["train"], digits["validation"], digits["test"])
    if name == "digit_columns":
        lengths = (COLUMN_DIGITS.start, COLUMN_DIGITS.stop - 1)
        return Dataset(
            name,
            1,
            17,
            train=_stack_columns(digits["train"], TRAINING_COLUMNS, *lengths, seed=0),
            validation=_stack_columns(digits["validation"], HELD_OUT_COLUMNS, *lengths, seed=1),
            test=_stack_columns(digits["test"], HELD_OUT_COLUMNS, *lengths, seed=2),
            more_tests={
                f"columns_of_{n}": _stack_columns(digits["test"], HELD_OUT_COLUMNS, n, n, seed=n)
                for n in (COLUMN_DIGITS.stop - 1, 2 * (COLUMN_DIGITS.stop - 1))
            },
        )
    raise ValueError(f"no data set {name!r}; choose from digits, digit_columns")


def collate(images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pads images at the bottom to the height of the tallest: rows below never influence rows above.

    Args:
        images: levels, each [C, H, W], of one width.

    Returns:
        levels: [B, C, H, W].
        heights: [B], rows of each image.

    Raises:
        ValueError: unlike widths or channels.
    """
    heights = [image.shape[1] for image in images]
    C, _, W = images[0].shape
    if any((image.shape[0], image.shape[2]) != (C, W) for image in images):
        raise ValueError("images of unlike widths or channels cannot share a batch; group them by width")
    levels = images[0].new_zeros(len(images), C, max(heights), W)
    for k, image in enumerate(images):
        levels[k, :, : heights[k]] = image
    return levels, torch.tensor(heights)


def training_batches(count: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Endless batches of image indices [batch_size]: a fresh permutation an epoch, a function of the seed alone.

    The last indices of an epoch share a batch with the first of the next, so every image is used equally often.

    Raises:
        ValueError: no images.
    """
    if count < 1:
        raise ValueError("there are no training images")
    pending = torch.empty(0, dtype=torch.long)
    epoch = 0
    while True:
        while len(pending) < batch_size:
            order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)
            pending = torch.cat([pending, torch.from_numpy(order)])
            epoch += 1
        yield pending[:batch_size]
        pending = pending[batch_size:]


def _digits() -> dict[str, list[Tensor]]:
    from sklearn.datasets import load_digits

    levels = torch.from_numpy(load_digits().images.astype(np.uint8)).unsqueeze(1)  # [1797, 1, 8, 8]
    # The file is ordered by writer; a fixed shuffle gives the splits the same writers.
    order = np.random.Generator(np.random.Philox(key=[0, 0])).permutation(len(levels))
    parts = levels[torch.from_numpy(order)].split(list(DIGIT_SPLITS.values()))
    return {name: list(part) for name, part in zip(DIGIT_SPLITS, parts, strict=True)}


def _stack_columns(digits: list[Tensor], count: int, least: int, most: int, seed: int) -> list[Tensor]:
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    lengths = random.integers(least, most + 1, size=count)
    return [torch.cat([digits[k] for k in random.integers(len(digits), size=n)], dim=1) for n in lengths]
