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


def check_unpacked(unpacked: int, packed: int, max_pixels: int) -> None:
    """Raises ValueError for packed data that would fill disks and memory: see `MOST`."""
    if unpacked > max(MOST * packed, max_pixels):
        raise ValueError(
            f"{packed} bytes unpack to {unpacked}; of more than {MOST} times as many, at most {max_pixels} are read: "
            "raise the limit with `max_pixels`"
        )


def check_members(path: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Raises ValueError for files in a .zip that are packed in other ways than are read, or in the same bytes."""
    for info in infos:
        if info.compress_type not in METHODS:
            raise ValueError(f"{info.filename} is compressed by method {info.compress_type}; only deflate is read")
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise ValueError("its files overlap")
