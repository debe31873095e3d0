"""Images in three splits, and what their values mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pixelseq.data.store import Images
from pixelseq.data.streaming import Stream
from pixelseq.pixel_format import PixelFormat

FINGERPRINTED = 2**28
"""Bytes of a store's pixels, the first of them, that a fingerprint looks at."""


@dataclass(frozen=True)
class Dataset:
    """Images in three splits."""

    name: str
    pixel_format: PixelFormat
    train: Images | Stream
    validation: Images
    test: Images
    more_tests: dict[str, Images] = field(default_factory=dict)
    """Further held-out images, by what they are."""
    class_names: tuple[str, ...] = ()
    """Name of each label, where they have names."""
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
