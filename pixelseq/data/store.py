"""Images at hand: one flat store of bytes, and views of it as training and evaluation see them.

Shapes: C colours, H rows, W columns, N images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from torch import Tensor

from pixelseq.data.degradations import Degradation
from pixelseq.model.condition import NO_LABEL, Condition
from pixelseq.model.orders import TRANSPOSED, turn, turn_back, turned_size
from pixelseq.pixel_format import PixelFormat

ORDER, TRAINING, EVALUATION, BATCHES, UNTOLD, TURNED, MOVED, DEGRADED, DEGRADED_ONCE = range(9)
"""The purposes that random numbers are drawn for by `generator`; no two of them share a stream.

Two that came before have streams of the same form, and keep them, since they made what is published. The shuffle of the
bundled digits and the columns of them are at (seed, 0, 0, ORDER), by which splits are made of other sets: of these none
are made. What pixels are drawn by (`Noise`, sequence n of image k) is at (seed, k, 0, n), where training with that seed
orders splits or batches, or crops, turns or degrades image 0: each by itself is as random as it should be, and who
wants samples that are independent of how a net was trained takes another seed.
"""
AT_A_TIME = 1024
"""The most images that are read in one piece where all are of one size."""
VALUES_AT_A_TIME = 2**24
"""The most values of them, unless one image has more."""


def generator(seed: int, epoch: int, image: int, role: int) -> np.random.Generator:
    """Makes a generator of random numbers that depend on nothing but the arguments."""
    key, counter = np.array([seed, epoch], np.uint64), np.array([0, 0, image, role], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


@dataclass(frozen=True, eq=False)
class Store:
    """Images that lie one after another in one tensor."""

    pixels: Tensor
    """uint8, flat: each image is [C, H, W]."""
    sizes: np.ndarray
    """[N, 2], the rows and columns of each image."""
    channels: int
    labels: Tensor | None = None
    """[N], int64, the label of each image, if the source has labels."""
    vectors: Tensor | None = None
    """[N, K], float32, the vector of each image, or of its text, if the source was asked for them."""
    names_file: Path | None = None
    """A file with a line of JSON per image, what the source calls it; None where it has no names."""

    @classmethod
    def of(cls, images: Sequence[Tensor], labels: Tensor | None = None) -> Store:
        """Copies images, uint8 [C, H, W] with one C for all, into a store."""
        sizes = np.array([image.shape[1:] for image in images], dtype=np.int64).reshape(-1, 2)
        return cls(torch.cat([image.flatten() for image in images]), sizes, images[0].shape[0], labels)

    @cached_property
    def offsets(self) -> np.ndarray:
        """[N + 1], the index in `pixels` where each image starts, and where the last one ends."""
        return np.concatenate([[0], np.cumsum(self.sizes.prod(1) * self.channels)])

    @cached_property
    def block(self) -> Tensor | None:
        """All images [N, C, H, W] if they are of one size, else None."""
        if len(self.sizes) == 0 or (self.sizes != self.sizes[0]).any():
            return None
        return self.pixels.view(len(self.sizes), self.channels, *self.sizes[0].tolist())

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, k: int) -> Tensor:
        return self.pixels[self.offsets[k] : self.offsets[k + 1]].view(self.channels, *self.sizes[k].tolist())


@dataclass(frozen=True, eq=False)
class View:
    """What is made of a stored image each time it is looked at."""

    table: Tensor | None = None
    """[256], the level of each stored value; None where values are levels."""
    binarize: int | None = None
    """V, the number of stored values: v becomes 1 with probability v / (V - 1), and 0 otherwise; None for no draw."""
    # A crop is an image of its own: the model starts it from a fresh state and learns how crops begin and go on, which
    # is what evaluation on crops measures and sampling then draws. Its first rows do not stand for the first rows of
    # whole images; to learn those (the ground of a map, say) train on whole images, of whatever heights.
    crop: tuple[int, int] | None = None
    flip: bool = False


@dataclass(frozen=True)
class Telling:
    """What training tells the model of each image; evaluation tells every condition, one order and no move."""

    condition: Literal["label", "vector"] | None = None
    dropout: float = 0.0
    """The share of images whose condition is not told."""
    orders: int = 1
    """The number of raster orders, of which each image is turned to one."""
    shift: int = 0
    """The most pixels that an image is moved up or down, and to the left or right."""
    border: tuple[int, ...] = ()
    """The level of each colour beside an image that is moved."""
    degradation: Degradation | None = None
    """What makes the condition image of each image: drawn anew at every use in training, once and for all otherwise."""
    pixel_format: PixelFormat = PixelFormat()
    """The format of the images, for the degradation."""


@dataclass(frozen=True, eq=False)
class Images(Sequence[Tensor]):
    """Images of levels [C, H, W], uint8, made when they are looked at.

    They look as evaluation sees them: crops in the centre, nothing mirrored, and one fixed draw of stochastic values.
    `drawn` gives them as training does.
    """

    store: Store
    indices: np.ndarray
    """[N], their indices in the store."""
    image_ids: np.ndarray
    """[N], the number of each image in its split, which its random numbers are drawn for."""
    view: View = View()
    epochs: np.ndarray | None = None
    """[N], the epoch that each image is trained on in; None for evaluation."""
    seed: int = 0
    telling: Telling = Telling()

    @classmethod
    def of(cls, store: Store, indices: np.ndarray | None = None) -> Images:
        """Makes a split of all images of a store, or of those at `indices` [N]."""
        indices = np.arange(len(store)) if indices is None else indices
        return cls(store, indices, np.arange(len(indices)))

    @property
    def channels(self) -> int:
        """C, the colours of each image."""
        return self.store.channels

    @cached_property
    def sizes(self) -> np.ndarray:
        """[N, 2], the rows and columns of each image, after any crop, turned."""
        sizes = self.store.sizes[self.indices]
        sizes = sizes if self.view.crop is None else np.minimum(sizes, self.view.crop)
        if self.telling.orders <= TRANSPOSED or (sizes[:, 0] == sizes[:, 1]).all():
            return sizes
        return np.where((self.orders & TRANSPOSED > 0)[:, None], sizes[:, ::-1], sizes)

    @cached_property
    def orders(self) -> np.ndarray:
        """[N], the raster order that each image is turned to: drawn in training, 0 in evaluation."""
        if self.telling.orders == 1 or self.epochs is None:
            return np.zeros(len(self), dtype=np.int64)
        return (self._numbers(TURNED) * self.telling.orders).astype(np.int64)

    @property
    def condition(self) -> Condition | None:
        """What the model is told of each image; None where it is told nothing.

        Raises:
            ValueError: the images have not what is to be told.
        """
        if self.telling.condition is None:
            return None
        told = self.labels if self.telling.condition == "label" else self.vectors
        if told is None:
            raise ValueError(f"the images have no {self.telling.condition}s to be told by")
        left_out = torch.from_numpy(self._numbers(UNTOLD) < self.telling.dropout)
        if self.telling.condition == "label":
            return Condition(label=told.masked_fill(left_out, NO_LABEL))
        return Condition(vector=told, vector_known=~left_out)

    def degraded(self, k: int, image: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gives the condition image of an image, turned as that is; nothing is known of one that is not to be told.

        Args:
            k: the image's place among these.
            image: the image itself, if it has been looked at.

        Returns:
            levels: uint8, [C', H, W].
            known: bool, [H, W].
        """
        telling, order = self.telling, int(self.orders[k])
        assert telling.degradation is not None
        image = turn_back(self[k] if image is None else image, order)
        epoch, role = (0, DEGRADED_ONCE) if self.epochs is None else (int(self.epochs[k]), DEGRADED)
        random = generator(self.seed, epoch, int(self.image_ids[k]), role)
        levels, known = telling.degradation(image, telling.pixel_format, random)
        if telling.dropout and self.epochs is not None:
            # The number by which a label is left out, shifted: half of the images without one are without the other.
            number = generator(self.seed, epoch, int(self.image_ids[k]), UNTOLD).random()
            known = known & bool((number + telling.dropout / 2) % 1 >= telling.dropout)
        return turn(levels, order), turn(known, order)

    @cached_property
    def moves(self) -> np.ndarray:
        """[N, 2], the pixels that each image is moved down and to the right: drawn in training, 0 in evaluation."""
        if self.telling.shift == 0 or self.epochs is None:
            return np.zeros((len(self), 2), dtype=np.int64)
        count = 2 * self.telling.shift + 1
        drawn = (self._numbers(MOVED) * count**2).astype(np.int64)
        return np.stack(np.divmod(drawn, count), 1) - self.telling.shift

    def _numbers(self, role: int) -> np.ndarray:
        """Gives a number in [0, 1) for each image as training sees it, [N]; 1 in evaluation, where nothing is drawn."""
        if self.epochs is None:
            return np.ones(len(self))
        seen = zip(self.epochs.tolist(), self.image_ids.tolist(), strict=True)
        return np.array([generator(self.seed, epoch, image, role).random() for epoch, image in seen])

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape [C, H, W] of each image, without looking at the images."""
        return [(self.channels, H, W) for H, W in self.sizes.tolist()]

    @property
    def num_values(self) -> list[int]:
        """The number of colour values of each image."""
        return [C * H * W for C, H, W in self.shapes]

    @property
    def labels(self) -> Tensor | None:
        """[N], int64, the label of each image, or None if the source has no labels."""
        return None if self.store.labels is None else self.store.labels[torch.from_numpy(self.indices)]

    @property
    def vectors(self) -> Tensor | None:
        """[N, K], float32, the vector of each image or of its text, or None if the source was not asked for them."""
        return None if self.store.vectors is None else self.store.vectors[torch.from_numpy(self.indices)]

    def read_names(self) -> list[str]:
        """Reads what the source calls each image; that is `image k`, its number in the store, where it has no names."""
        if self.store.names_file is None:
            return [f"image {k}" for k in self.indices.tolist()]
        lines = self.store.names_file.read_text().splitlines()
        return [json.loads(lines[k]) for k in self.indices.tolist()]

    def subset(self, chosen: np.ndarray) -> Images:
        """Picks some of the images by their positions [n]; each keeps its random numbers."""
        epochs = None if self.epochs is None else self.epochs[chosen]
        return replace(self, indices=self.indices[chosen], image_ids=self.image_ids[chosen], epochs=epochs)

    def drawn(self, chosen: np.ndarray, epochs: np.ndarray, seed: int) -> Images:
        """Picks some of the images as training sees them: each depends on the seed, its number and its epoch alone.

        Args:
            chosen: [n], positions among these images.
            epochs: [n], the epoch of each.
            seed: the seed of the draws.
        """
        return replace(self, indices=self.indices[chosen], image_ids=self.image_ids[chosen], epochs=epochs, seed=seed)

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, k: int) -> Tensor: ...

    @overload
    def __getitem__(self, k: slice) -> Images: ...

    def __getitem__(self, k: int | slice) -> Tensor | Images:
        if isinstance(k, slice):
            epochs = None if self.epochs is None else self.epochs[k]
            return replace(self, indices=self.indices[k], image_ids=self.image_ids[k], epochs=epochs)
        k = range(len(self))[k]
        image = self._levels(self._part(k))
        if self.telling.shift:
            down, right = self.moves[k].tolist()
            image = _moved(image, down, right, self.telling.border)
        return turn(image, int(self.orders[k]))

    def __iter__(self) -> Iterator[Tensor]:
        largest = int(self.sizes.prod(1).max(initial=1)) * self.channels
        at_a_time = max(1, min(AT_A_TIME, VALUES_AT_A_TIME // largest))
        for start in range(0, len(self), at_a_time):
            part = self[start : start + at_a_time]
            stacked = part.stacked()
            yield from (part[k] for k in range(len(part))) if stacked is None else stacked.unbind()

    def stacked(self) -> Tensor | None:
        """Gives all images [N, C, H, W] if the store has one size and nothing is drawn at random, else None."""
        block = self.store.block
        if block is None or self._random:
            return None
        # index_select copies images several times faster than an index in brackets does, and no more than the crop.
        return self._levels(_centre(block, self.view.crop).index_select(0, torch.from_numpy(self.indices)))

    @property
    def _random(self) -> bool:
        """Whether what is seen depends on random numbers."""
        moved = self.view.crop is not None or self.view.flip or self.telling.orders > 1 or self.telling.shift > 0
        return self.view.binarize is not None or (self.epochs is not None and moved)

    def _levels(self, values: Tensor) -> Tensor:
        if self.view.table is None:
            return values
        return self.view.table.index_select(0, values.flatten().int()).view(values.shape)

    def _part(self, k: int) -> Tensor:
        image, view = self.store[self.indices[k]], self.view
        training = self.epochs is not None
        if not self._random:
            return _centre(image, view.crop)
        epoch, role = (int(self.epochs[k]), TRAINING) if self.epochs is not None else (0, EVALUATION)
        random = generator(self.seed, epoch, int(self.image_ids[k]), role)
        if not training:
            image = _centre(image, view.crop)
        elif view.crop:
            (H, W), (rows, columns) = image.shape[1:], self.sizes[k].tolist()
            h, w = turned_size(rows, columns, int(self.orders[k]))
            top, left = random.integers(H - h + 1), random.integers(W - w + 1)
            image = image[:, top : top + h, left : left + w]
        if training and view.flip and random.integers(2):
            image = image.flip(2)
        if view.binarize:
            thresholds = random.integers(view.binarize - 1, size=tuple(image.shape), dtype=np.uint8)
            image = (torch.from_numpy(thresholds) < image).to(torch.uint8)
        return image


def _centre(images: Tensor, crop: tuple[int, int] | None) -> Tensor:
    """Crops the middle of images [..., H, W]."""
    if crop is None:
        return images
    H, W = images.shape[-2:]
    h, w = min(H, crop[0]), min(W, crop[1])
    top, left = (H - h) // 2, (W - w) // 2
    return images[..., top : top + h, left : left + w]


def _moved(image: Tensor, down: int, right: int, border: Sequence[int]) -> Tensor:
    """Moves an image [C, H, W]; what is beside it is of the levels [C] of the border."""
    H, W = image.shape[1:]
    moved = image.new_tensor(border)[:, None, None].expand_as(image).clone()
    to, at = _overlap(down, H), _overlap(right, W)
    come_from, along = _overlap(-down, H), _overlap(-right, W)
    moved[:, to, at] = image[:, come_from, along]
    return moved


def _overlap(move: int, size: int) -> slice:
    """Gives the places that are still inside after a move."""
    return slice(min(max(move, 0), size), max(size + min(move, 0), 0))
