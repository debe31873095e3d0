"""Makes training, validation and test images where the source does not have all three."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from torch import Tensor

from pixelseq.data.store import ORDER, Images, Store, generator

T = TypeVar("T")

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 10_000
"""The most images of a split that is made."""
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}


def split_of(name: str) -> str | None:
    """Gives the split (train, validation or test) that the name of a file, an array or a split contains, if any."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for word in words for split, names in SPLITS.items() if word in names), None)


def named_splits(found: dict[str, T], only: str | None) -> tuple[dict[str, T], list[str]]:
    """Picks the splits that are train, validation and test by their names; gives the names of the others, too.

    Args:
        found: the splits of the source.
        only: the one split to take, as training images.

    Raises:
        ValueError: there is no split of that name, or none that can be training images.
    """
    if only is not None:
        if only not in found:
            raise ValueError(f"`split` is {only!r}; the splits are {', '.join(found)}")
        return {"train": found[only]}, []
    if len(found) == 1:
        return {"train": next(iter(found.values()))}, []
    named = {split: name for name in reversed(found) if (split := split_of(name))}
    if "train" not in named:
        raise ValueError(f"no split is named train; choose one with `split`: {', '.join(found)}")
    return {split: found[name] for split, name in named.items()}, sorted(found.keys() - named.values())


def with_all_splits(splits: dict[str, Images], seed: int) -> tuple[dict[str, Images], list[str]]:
    """Makes the held-out splits that are missing of training images; gives a note that says so, too.

    Args:
        splits: train, and perhaps validation and test.
        seed: the seed of the choice.

    Raises:
        ValueError: there are too few images.
    """
    missing = [split for split in ("validation", "test") if split not in splits]
    train, count = splits["train"], len(splits["train"])
    if not missing:
        return splits, []
    if count <= len(missing):
        raise ValueError(f"{count} images are too few for the splits train, {', '.join(missing)}; add images")
    part = min(MAX_HELD_OUT, max(1, round(HELD_OUT_SHARE * count)))
    order = generator(seed, 0, 0, ORDER).permutation(count)
    made = dict(splits)
    for k, split in enumerate(missing):
        made[split] = Images.of(train.store, np.sort(order[k * part : (k + 1) * part]))
    made["train"] = Images.of(train.store, np.sort(order[len(missing) * part :]))
    each = " for each" if len(missing) > 1 else ""
    note = f"no {' or '.join(missing)} images: {part} of {count} training images are held out{each} (seed {seed})"
    return made, [note]


def cut(pictures: Sequence[Tensor], crop: tuple[int, int]) -> dict[str, Images]:
    """Cuts large pictures into splits that have no pixel in common.

    The first part of each picture is for training, to be cropped at random; the tiles of two bands across its longer
    side are for validation and test.

    Args:
        pictures: stored values, each [C, H, W].
        crop: the rows and columns of crops and tiles.

    Raises:
        ValueError: a picture is too small for this.
    """
    parts: dict[str, list[Tensor]] = {"train": [], "validation": [], "test": []}
    for picture in pictures:
        axis = 1 if picture.shape[1] >= picture.shape[2] else 2
        length, side = picture.shape[axis], crop[axis - 1]
        held = max(side, round(HELD_OUT_SHARE * length))
        if length - 2 * held < side or picture.shape[3 - axis] < crop[2 - axis]:
            raise ValueError(
                f"an image of {picture.shape[1]}x{picture.shape[2]} is too small to train and test on crops of "
                f"{crop[0]}x{crop[1]}; choose smaller ones with `crop`, or give more images"
            )
        train, *bands = picture.split([length - 2 * held, held, held], dim=axis)
        parts["train"].append(train)
        for split, band in zip(("validation", "test"), bands, strict=True):
            parts[split] += [tile for row in _tiles(band, crop[0], 1) for tile in _tiles(row, crop[1], 2)]
    tiles = [image.shape[1] // crop[0] * (image.shape[2] // crop[1]) for image in parts["train"]]
    splits = {split: Images.of(Store.of(images)) for split, images in parts.items()}
    # An epoch takes as many crops as there are tiles.
    splits["train"] = Images.of(splits["train"].store, np.repeat(np.arange(len(tiles)), tiles))
    return splits


def _tiles(image: Tensor, side: int, axis: int) -> list[Tensor]:
    return [tile for tile in image.split(side, dim=axis) if tile.shape[axis] == side]
