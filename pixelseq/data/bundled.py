"""Data sets that come with scikit-learn: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pixelseq.data.decoding import Tally
from pixelseq.data.options import DataOptions
from pixelseq.data.store import Images, Store

DIGIT_LEVELS = 17
DIGIT_SPLITS = {"train": 1297, "validation": 250, "test": 250}
COLUMN_DIGITS = range(1, 7)
"""The numbers of digits that a column of `digit_columns` can have."""
TRAINING_COLUMNS = 20_000
HELD_OUT_COLUMNS = 250
PHOTOS = ("china.jpg", "flower.jpg")


def digits() -> dict[str, Images]:
    """Gives the 1797 handwritten digits, 8x8 pixels of 17 levels (UCI, Alpaydin and Kaynak 1998), in a fixed split."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    levels, labels = torch.from_numpy(bunch.images.astype(np.uint8)), torch.from_numpy(bunch.target.astype(np.int64))
    store = Store(levels.flatten(), np.full((len(levels), 2), levels.shape[1]), 1, labels)
    # The file is ordered by writer; a fixed shuffle gives the splits the same writers.
    order = np.random.Generator(np.random.Philox(key=[0, 0])).permutation(len(levels))
    ends = np.cumsum(list(DIGIT_SPLITS.values()))[:-1]
    return {name: Images.of(store, part) for name, part in zip(DIGIT_SPLITS, np.split(order, ends), strict=True)}


def digit_columns() -> tuple[dict[str, Images], dict[str, Images]]:
    """Gives the digits in columns of 1 to 6, which are 8 to 48 rows tall, and further test sets by name."""
    single = {split: list(images) for split, images in digits().items()}
    least, most = COLUMN_DIGITS.start, COLUMN_DIGITS.stop - 1
    splits = {
        "train": _stack(single["train"], TRAINING_COLUMNS, least, most, seed=0),
        "validation": _stack(single["validation"], HELD_OUT_COLUMNS, least, most, seed=1),
        "test": _stack(single["test"], HELD_OUT_COLUMNS, least, most, seed=2),
    }
    more = {f"columns_of_{n}": _stack(single["test"], HELD_OUT_COLUMNS, n, n, seed=n) for n in (most, 2 * most)}
    return splits, more


def photos(options: DataOptions) -> list[Tensor]:
    """Gives scikit-learn's two photographs, 427x640 pixels (CC BY, credited in its package)."""
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    tally = Tally()
    decoded = [frame.pixels for name in PHOTOS for frame in tally.decode(folder / name, options)]
    return [torch.from_numpy(np.ascontiguousarray(pixels)) for pixels in decoded]


def _stack(digits: Sequence[Tensor], count: int, least: int, most: int, seed: int) -> Images:
    random = np.random.Generator(np.random.Philox(key=[seed, 0]))
    lengths = random.integers(least, most + 1, size=count)
    return Images.of(
        Store.of([torch.cat([digits[k] for k in random.integers(len(digits), size=n)], 1) for n in lengths])
    )
