"""Images in three splits, and what their values mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pixelseq.data.store import Images
from pixelseq.data.streaming import Stream
from pixelseq.pixel_format import PixelFormat

FINGERPRINTED = 2**28
"""The number of bytes, from the start of a store's pixels, that a fingerprint looks at."""


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

    def fingerprint(self) -> str:
        """Gives a digest of the number, the sizes and the pixels of the images, without those of a stream."""
        splits = [images for images in (self.train, self.validation, self.test) if isinstance(images, Images)]
        digest = hashlib.sha256(str([len(images) for images in splits]).encode())
        for store in {id(images.store): images.store for images in splits}.values():
            digest.update(store.sizes.tobytes())
            digest.update(store.pixels[:FINGERPRINTED].numpy().data)
        return digest.hexdigest()
