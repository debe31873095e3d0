"""Images in three splits, and what their values mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelseq.data.store import Images
from pixelseq.data.streaming import Stream
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.trained_on import TrainedOn
from pixelseq.pixel_format import PixelFormat

FINGERPRINTED = 2**28
"""The number of bytes, from the start of a store's pixels, that a fingerprint looks at."""


@dataclass(frozen=True)
class SourceImages:
    """The images of a source in the splits that it names, and the format of their pixels."""

    name: str
    pixel_format: PixelFormat
    splits: dict[str, Images]
    """The images of each of train, validation and test that there is; those of `all`, where no split is named."""
    class_names: tuple[str, ...] = ()
    """The name of each label, if labels have names."""
    notes: tuple[str, ...] = ()
    """What was decided for the user, one line per decision."""


@dataclass(frozen=True)
class Dataset:
    """Images in three splits, and the format of their pixels."""

    name: str
    pixel_format: PixelFormat
    train: Images | Stream
    validation: Images
    test: Images
    more_tests: dict[str, Images] = field(default_factory=dict)
    """Further held-out images, by a name that says what they are."""
    class_names: tuple[str, ...] = ()
    """The name of each label, if labels have names."""
    notes: tuple[str, ...] = ()
    """What was decided for the user, one line per decision."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    """What is made of the images besides their channels and levels."""

    def describe(self) -> TrainedOn:
        """Says what a model that is trained on these images should know of them; a stream's sizes are its test's."""
        sizes = self.train.sizes if isinstance(self.train, Images) else self.test.sizes
        # Sizes that occur: the lower one of two medians.
        median, low, high = np.quantile(sizes, [0.5, 0, 1], axis=0, method="lower").tolist()
        path = Path(self.name).expanduser()
        name = path.resolve().name if path.exists() else self.name
        return TrainedOn(name, tuple(median), tuple(low), tuple(high), self.preprocessing)

    @property
    def splits(self) -> dict[str, Images]:
        """The images of each split by its name, without a stream."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: images for split, images in parts.items() if isinstance(images, Images)}

    def fingerprint(self) -> str:
        """Gives a digest of the number, sizes, pixels, labels and vectors of the images, without those of a stream."""
        splits = self.splits.values()
        digest = hashlib.sha256(str([len(images) for images in splits]).encode())
        for store in {id(images.store): images.store for images in splits}.values():
            digest.update(store.sizes.tobytes())
            digest.update(store.pixels[:FINGERPRINTED].numpy().data)
            for told in (store.labels, store.vectors):
                if told is not None:
                    digest.update(told.numpy().data)
        return digest.hexdigest()
