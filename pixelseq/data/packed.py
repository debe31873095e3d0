"""What packed files may unpack to."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The compressions that are read: with others, Python's reader does not bound what a few bytes become."""
MOST = 100
"""How many times its own size data unpack to, unless they have fewer bytes than the most pixels of a file: what is
larger is more likely meant to fill disks and memory."""
LEAST = 512
"""The bytes that an image or a line of text counts as at least: each takes time, however small it is."""


def check_unpacked(unpacked: int, images: int, packed: int, max_pixels: int) -> None:
    """Raises ValueError for packed data that would fill disks and memory, or take hours to go through: see `MOST`.

    Args:
        unpacked: the bytes that they unpack to.
        images: the number of images or lines in these.
        packed: the bytes that they are packed in.
        max_pixels: the most bytes that may come of fewer than a hundredth of them.
    """
    most = max(MOST * packed, max_pixels)
    if unpacked > most:
        raise ValueError(
            f"{packed} bytes unpack to {unpacked}; of more than {MOST} times as many, at most {max_pixels} are read: "
            "raise the limit with `max_pixels`"
        )
    if LEAST * images > most:
        raise ValueError(
            f"{packed} bytes unpack to {images} images or lines; at most {most // LEAST} are read: raise the limit "
            "with `max_pixels`"
        )


def check_members(path: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Raises ValueError for files in a .zip that are packed in other ways than are read, or in the same bytes."""
    for info in infos:
        if info.compress_type not in METHODS:
            raise ValueError(f"{info.filename} is compressed by method {info.compress_type}; only deflate is read")
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise ValueError("its files overlap")
