"""Images at hand: one flat store of bytes, and views of it as training and evaluation see them.

Shapes: C colours, H rows, W columns, N images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pixelseq.data.streaming import Stream

ORDER, TRAINING, EVALUATION = range(3)
"""What random numbers are drawn for; no two share one."""
AT_A_TIME = 1024
"""Images that are read in one piece where all are of one size."""
FINGERPRINTED = 2**28
"""Bytes of a store's pixels, the first of them, that a fingerprint looks at."""


def generator(seed: int, use: int, image: int, role: int) -> np.random.Generator:
    """Random numbers that depend on nothing but the arguments."""
    return np.random.Generator(np.random.Philox(key=[seed, use], counter=[0, 0, image, role]))


@dataclass(frozen=True, eq=False)
class Store:
    """Images one after another."""

    pixels: Tensor
    """uint8, flat: each image is [C, H, W]."""
    sizes: np.ndarray
    """[N, 2], rows and columns."""
    channels: int
    labels: Tensor | None = None
    """[N], int64."""

    @classmethod
    def of(cls, images: Sequence[Tensor], labels: Tensor | None = None) -> Store:
        """Copies images [C, H, W] of one C, uint8."""
        sizes = np.array([image.shape[1:] for image in images], dtype=np.int64).reshape(-1, 2)
        return cls(torch.cat([image.flatten() for image in images]), sizes, images[0].shape[0], labels)

    @cached_property
    def offsets(self) -> np.ndarray:
        """[N + 1], where each image starts."""
        return np.concatenate([[0], np.cumsum(self.sizes.prod(1) * self.channels)])

    @cached_property
    def block(self) -> Tensor | None:
        """All images [N, C, H, W] where they are of one size."""
        if len(self.sizes) == 0 or (self.sizes != self.sizes[0]).any():
            return None
        return self.pixels.view(len(self.sizes), self.channels, *self.sizes[0].tolist())

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, k: int) -> Tensor:
        return self.pixels[self.offsets[k] : self.offsets[k + 1]].view(self.channels, *self.sizes[k].tolist())


@dataclass(frozen=True, eq=False)
class View:
    """What is made of a stored image when it is looked at."""

    table: Tensor | None = None
    """[256], the level of each stored value; None: values are levels."""
    binarize: int | None = None
    """V: a stored v becomes 1 with probability v / (V - 1), and 0 otherwise."""
    # A crop is an image of its own: the model starts it from a fresh state and learns how crops begin and go on, which
    # is what evaluation on crops measures and sampling then draws. Its first rows do not stand for the first rows of
    # whole images; to learn those (the ground of a map, say) train on whole images, of whatever heights.
    crop: tuple[int, int] | None = None
    flip: bool = False


@dataclass(frozen=True, eq=False)
class Images(Sequence[Tensor]):
    """Images of levels [C, H, W], uint8, made when they are looked at.

    They are as evaluation sees them: crops in the centre, nothing mirrored, and one fixed draw of stochastic values.
    `drawn` gives them as training does.
    """

    store: Store
    places: np.ndarray
    """[N], places in the store."""
    identity: np.ndarray
    """[N], the number of each image in its split, which its random numbers are drawn for."""
    view: View = View()
    uses: np.ndarray | None = None
    """[N], how often each image was trained on before; None for evaluation."""
    seed: int = 0

    @classmethod
    def of(cls, store: Store, places: np.ndarray | None = None) -> Images:
        """A split: all of a store, or its images at `places` [N]."""
        places = np.arange(len(store)) if places is None else places
        return cls(store, places, np.arange(len(places)))

    @property
    def channels(self) -> int:
        """C."""
        return self.store.channels

    @cached_property
    def sizes(self) -> np.ndarray:
        """[N, 2], rows and columns, after any crop."""
        sizes = self.store.sizes[self.places]
        return sizes if self.view.crop is None else np.minimum(sizes, self.view.crop)

    @property
    def labels(self) -> Tensor | None:
        """[N], int64, where the source has labels."""
        return None if self.store.labels is None else self.store.labels[torch.from_numpy(self.places)]

    def subset(self, chosen: np.ndarray) -> Images:
        """Some of the images, by their positions [n]; each keeps its random numbers."""
        uses = None if self.uses is None else self.uses[chosen]
        return replace(self, places=self.places[chosen], identity=self.identity[chosen], uses=uses)

    def drawn(self, chosen: np.ndarray, uses: np.ndarray, seed: int) -> Images:
        """Some of the images as training sees them: each is a function of the seed, its number and its use.

        Args:
            chosen: [n], positions among these images.
            uses: [n], how often each was trained on before.
            seed: of the draws.
        """
        return replace(self, places=self.places[chosen], identity=self.identity[chosen], uses=uses, seed=seed)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, k: int) -> Tensor: ...

    @overload
    def __getitem__(self, k: slice) -> Images: ...

    def __getitem__(self, k: int | slice) -> Tensor | Images:
        if isinstance(k, slice):
            uses = None if self.uses is None else self.uses[k]
            return replace(self, places=self.places[k], identity=self.identity[k], uses=uses)
        return self._levels(self._part(range(len(self))[k]))

    def __iter__(self) -> Iterator[Tensor]:
        for start in range(0, len(self), AT_A_TIME):
            part = self[start : start + AT_A_TIME]
            stacked = part.stacked()
            yield from (part[k] for k in range(len(part))) if stacked is None else stacked.unbind()

    def stacked(self) -> Tensor | None:
        """All of them [N, C, H, W], where the store has one size and nothing is drawn at random; None otherwise."""
        block = self.store.block
        if block is None or self._random:
            return None
        # index_select copies whole images, several times faster than an index in brackets does.
        return self._levels(_centre(block.index_select(0, torch.from_numpy(self.places)), self.view.crop))

    @property
    def _random(self) -> bool:
        """Whether what is seen depends on random numbers."""
        moved = self.view.crop is not None or self.view.flip
        return self.view.binarize is not None or (self.uses is not None and moved)

    def _levels(self, values: Tensor) -> Tensor:
        if self.view.table is None:
            return values
        return self.view.table.index_select(0, values.flatten().int()).view(values.shape)

    def _part(self, k: int) -> Tensor:
        image, view = self.store[self.places[k]], self.view
        training = self.uses is not None
        if not self._random:
            return _centre(image, view.crop)
        use, role = (int(self.uses[k]), TRAINING) if self.uses is not None else (0, EVALUATION)
        random = generator(self.seed, use, int(self.identity[k]), role)
        if not training:
            image = _centre(image, view.crop)
        elif view.crop:
            (H, W), (h, w) = image.shape[1:], self.sizes[k]
            top, left = random.integers(H - h + 1), random.integers(W - w + 1)
            image = image[:, top : top + h, left : left + w]
        if training and view.flip and random.integers(2):
            image = image.flip(2)
        if view.binarize:
            thresholds = random.integers(view.binarize - 1, size=tuple(image.shape), dtype=np.uint8)
            image = (torch.from_numpy(thresholds) < image).to(torch.uint8)
        return image


@dataclass(frozen=True)
class Dataset:
    """Images in three splits."""

    name: str
    channels: int
    levels: int
    train: Images | Stream
    validation: Images
    test: Images
    more_tests: dict[str, Images] = field(default_factory=dict)
    """Further held-out images, by what they are."""
    class_names: tuple[str, ...] = ()
    """Name of each label, where they have names."""
    legend: str | None = None
    """A character for each level, where a legend.json beside the data gives them."""
    notes: tuple[str, ...] = ()
    """What was decided for the user, a line each."""

    def fingerprint(self) -> str:
        """Changes with the number, the sizes and the pixels of the images; those of a stream are not looked at."""
        splits = [images for images in (self.train, self.validation, self.test) if isinstance(images, Images)]
        digest = hashlib.sha256(str([len(images) for images in splits]).encode())
        for store in {id(images.store): images.store for images in splits}.values():
            digest.update(store.sizes.tobytes())
            digest.update(store.pixels[:FINGERPRINTED].numpy().data)
        return digest.hexdigest()


def _centre(images: Tensor, crop: tuple[int, int] | None) -> Tensor:
    """The middle of images [..., H, W]."""
    if crop is None:
        return images
    H, W = images.shape[-2:]
    h, w = min(H, crop[0]), min(W, crop[1])
    top, left = (H - h) // 2, (W - w) // 2
    return images[..., top : top + h, left : left + w]
