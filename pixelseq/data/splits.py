"""Splits: the names that stand for them, and those that are made where the source does not have all three."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from torch import Tensor

from pixelseq.data.store import ORDER, Images, Store, generator

T = TypeVar("T")

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 10_000
"""The most images of a split that is made."""
ALL = "all"
"""The name of the images of a source that names no split."""
WORDS = {
    "train": ("training", "train"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("testing", "test", "evaluation", "eval", "heldout", "holdout", "t10k"),
}
"""The words that stand for a split, as for the datasets library.

MNIST calls its 10,000 test images t10k, and Omniglot its training images images_background.
"""
ABOUT = "set|sets|split|data|dataset|images?|imgs?|pictures?|photos?|files?|labels?|x|y"
"""What is written together with such a word, before or after it: testset, trainimages, xtest."""
THINGS = "training wheels?|train stations?|train tracks?|test tubes?"
"""Things that are called by such a word, and so are classes."""
MOST_NAMED = 5
"""The most names that a note lists."""

_WORD = re.compile(rf"(?:{ABOUT})?({'|'.join(word for words in WORDS.values() for word in words)})(?:{ABOUT})?")

_BOUNDARIES = (re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"), re.compile("(?<=[A-Z]{2})(?=[a-z])"))
"""Where words begin by their letters: in xTest and MNISTTest, and in MNISTtest."""


def split_of(name: str) -> str | None:
    """Gives the split (train, validation or test) that a name or a path with / stands for, if any.

    A name stands for a split where one of its words does: `x_test`, `testset`, `val2017`. Train and validation together
    (`trainval`) stand for train, validation and test for test, and train and test for neither. Of a path the part
    nearest the root decides: whatever lies in a folder of a split is of that split.
    """
    for part in name.split("/"):
        splits = _splits_in(part)
        if splits and not {"train", "test"} <= splits:
            return next(split for split in ("train", "test", "validation") if split in splits)
    return None


@lru_cache
def _splits_in(name: str) -> frozenset[str]:
    """Gives all splits that words of a name stand for."""
    found = set()
    for boundary in _BOUNDARIES:
        own = re.sub(r"(held|hold)[-_ ]out", r"\1out", boundary.sub(" ", name).lower())
        words = " ".join(re.findall(r"t10k|[^\W\d_]+", own))
        words = words.replace("trainval", "train val").replace("images background", "train")
        words = re.sub(rf"\b(?:{THINGS})\b", " ", words)
        found |= {match[1] for word in words.split() if (match := _WORD.fullmatch(word))}
    return frozenset(split for split, names in WORDS.items() if not found.isdisjoint(names))


def named_splits(found: Iterable[str], only: str | None = None) -> tuple[dict[str, list[str]], list[str]]:
    """Sorts the splits of a source by what their names stand for.

    Several names of one split are taken together, but images for training and validation (`trainval`) are left out
    where the source has either of the two by itself.

    Args:
        found: the names of the splits.
        only: the one split to take, by its own name or by what it stands for, as if it had no name.

    Returns:
        The names of each of train, validation and test that there is, or of `ALL` where one split of another name is
        all there is; and the names that are left out.

    Raises:
        ValueError: there is no split of the name that is asked for, or there are several and none has such a name.
    """
    named = {name: split_of(name) for name in found}
    if only is not None:
        alike = [name for name, split in named.items() if split is not None and split == split_of(only)]
        if not (chosen := [only] if only in named else alike):
            raise ValueError(f"`split` is {only!r}; the splits are {', '.join(named)}")
        return {ALL: chosen}, []
    both = [name for name in named if _splits_in(name) == {"train", "validation"}]
    if any(split in ("train", "validation") for name, split in named.items() if name not in both):
        named |= dict.fromkeys(both)
    if splits := {split: names for split in WORDS if (names := [name for name in named if named[name] == split])}:
        return splits, [name for name, split in named.items() if split is None]
    if len(named) == 1:
        return {ALL: list(named)}, []
    raise ValueError(f"no split is named train, validation or test; choose one with `split`: {', '.join(named)}")


def split_notes(
    splits: Mapping[str, list[str]], left_out: Sequence[str], counts: Mapping[str, int | None]
) -> list[str]:
    """Says what was taken together and what was left out, one line each.

    Args:
        splits: the names of each split.
        left_out: the names of what is left out.
        counts: the number of images of each name, where it is known.
    """
    notes = [f"the {split} images are {' and '.join(names)}" for split, names in splits.items() if len(names) > 1]
    if left_out:
        known = [count for name in left_out if (count := counts[name]) is not None]
        total = sum(known) if len(known) == len(left_out) else None
        images = "images" if total is None else "1 image" if total == 1 else f"{total} images"
        listed = ", ".join(left_out[:MOST_NAMED]) + (", ..." if len(left_out) > MOST_NAMED else "")
        notes.append(f"left out beside {', '.join(splits)}: {images} ({listed})")
    return notes


def with_training_images(splits: dict[str, T], name: str, notes: Sequence[str] = ()) -> dict[str, T]:
    """Takes the images of a source that names no split as training images.

    Args:
        splits: what there is of `ALL`, or of train, validation and test.
        name: the name of the source, for messages.
        notes: what was decided on its splits, for messages.

    Raises:
        ValueError: there are held-out images alone.
    """
    if ALL in splits:
        return {"train": splits[ALL]}
    if "train" not in splits:
        which, why = " and ".join(splits), "".join(f" ({note})" for note in notes)
        raise ValueError(
            f"{name} has {which} images alone, and nothing is trained on those{why}; name training images train, or "
            f"choose these by `split` {' or '.join(splits)}"
        )
    return splits


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
