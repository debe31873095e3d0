"""The files of a decoded source: what was seen while it was decoded, and the digests by which damage is found.

A folder holds facts.json and its digest, and for each split pixels.u8 (the images one after another, each [C, H, W]),
sizes.npy, labels.npy, vectors.npy, and names.jsonl with what the source calls each image.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pixelseq.data.store import Store

FACTS, DIGEST = "facts.json", "facts.sha256"
PIXELS, SIZES, LABELS, VECTORS, NAMES = "pixels.u8", "sizes.npy", "labels.npy", "vectors.npy", "names.jsonl"
READ_AT_ONCE = 2**30
"""The most bytes of a file that are read into memory, and whose digest is that of all of them; a larger one is
memory-mapped, and its digest is that of its length and of some pieces."""
PIECES, PIECE = 256, 2**16
"""The number of these pieces, evenly spread, and the bytes of each."""


@dataclass
class Facts:
    """What was seen while a source was decoded."""

    channels: int = 0
    pictures: bool = True
    """Whether the images are pictures, whose values are shades, rather than grids of levels."""
    bilevel: bool = True
    """Whether all images are 1-bit pictures."""
    largest: int = 0
    """The largest value of all grids."""
    in_bytes: bool = True
    """Whether all grids are of 8-bit integers from 0 on, as shades are."""
    bad: list[str] = field(default_factory=list)
    """The pictures that cannot be decoded, each with its name and the reason."""
    class_names: tuple[str, ...] = ()
    legend: str = ""
    """The character of each level, where the images are text maps."""
    splits: list[str] = field(default_factory=list)
    split_notes: list[str] = field(default_factory=list)
    """What was decided on the splits of the source, one line per decision."""
    named: list[list[str | int]] = field(default_factory=list)
    """The stamps of the files that rows of tables name."""
    notes: list[str] = field(default_factory=list)
    """What was decided of the pictures' depths and frames, one line per decision."""
    white: float | None = None
    """The value that is white in pictures of more than 8 bits, where they decide it."""
    sha256: dict[str, str] = field(default_factory=dict)
    """The digest of each file of the splits, by its path below the folder."""


def write_facts(folder: Path, name: str, facts: Facts) -> None:
    """Writes facts.json, the last file of a folder, with the digests of the others.

    Args:
        folder: the folder.
        name: the name that it will have.
        facts: what was seen; the digests are added.
    """
    paths = [path for split in facts.splits for path in sorted((folder / split).iterdir())]
    facts.sha256 = {path.relative_to(folder).as_posix(): _digest(path) for path in paths}
    content = json.dumps(dataclasses.asdict(facts)).encode()
    (folder / FACTS).write_bytes(content)
    (folder / DIGEST).write_bytes(_digest_of_facts(name, content))


def read_facts(folder: Path) -> Facts:
    """Reads facts.json.

    Raises:
        OSError: it is missing or cannot be read.
        ValueError: it is not what was written for the folder of this name.
    """
    content = (folder / FACTS).read_bytes()
    if (folder / DIGEST).read_bytes() != _digest_of_facts(folder.name, content):
        raise ValueError(f"{FACTS} is not what was written")
    return Facts(**json.loads(content))


def check_files(folder: Path) -> Facts:
    """Reads facts.json, and compares the other files of its folder with their digests.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: a file is not what was written.
    """
    facts = read_facts(folder)
    for name, digest in facts.sha256.items():
        if _digest(folder / name) != digest:
            raise ValueError(f"{name} is not what was written")
    return facts


def read_stores(folder: Path, facts: Facts) -> dict[str, Store]:
    """Reads the images of each split of a folder whose files have been checked."""
    return {split: _read(folder / split, facts) for split in facts.splits}


def _digest_of_facts(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + content).hexdigest().encode()


def _digest(path: Path) -> str:
    """Gives a digest of a file and its length; of a large one it looks at some pieces."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= READ_AT_ONCE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(str(size).encode())
        for start in np.linspace(0, max(0, size - PIECE), PIECES, dtype=np.int64).tolist():
            file.seek(start)
            digest.update(file.read(PIECE))
    return digest.hexdigest()


def _read(folder: Path, facts: Facts) -> Store:
    path, sizes = folder / PIXELS, np.load(folder / SIZES, allow_pickle=False)
    size = path.stat().st_size
    if size > READ_AT_ONCE:
        pixels = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
    else:
        pixels = torch.from_numpy(np.fromfile(path, np.uint8))
    labels, vectors = (
        torch.from_numpy(np.load(folder / name, allow_pickle=False))
        if f"{folder.name}/{name}" in facts.sha256
        else None
        for name in (LABELS, VECTORS)
    )
    return Store(pixels, sizes, facts.channels, labels, vectors, folder / NAMES)
