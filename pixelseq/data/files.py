"""Finds files below folders, and notes their state."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import NamedTuple

from pixelseq.imaging.read import SUFFIXES
from pixelseq.imaging.signatures import LONGEST, begins_a_picture

HIDDEN = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""What systems leave in folders beside the files whose names begin with a dot, in small letters."""


class Listing(NamedTuple):
    """The files below a folder."""

    files: list[Path]
    """The files in order, but hidden ones."""
    notes: list[str]
    """What was not followed, one line per kind."""


def is_hidden(name: str) -> bool:
    """Tells whether a file or folder of that name is no part of the data."""
    return name.startswith(".") or name.lower() in HIDDEN


def files_below(folder: Path, deep: bool = True) -> Listing:
    """Lists the files below a folder but hidden ones; folders behind links are followed, each folder once.

    Args:
        folder: the folder.
        deep: whether to list the files of folders in it, too.

    Raises:
        OSError: a folder may not be read.
    """
    files: list[Path] = []
    broken: list[Path] = []
    repeated: list[Path] = []
    seen: set[str] = set()
    # Folders behind links come last: what lies below the folder itself keeps its own name.
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        here = (folders or links).popleft()
        if (real := os.path.realpath(here)) in seen:
            repeated.append(here)
            continue
        seen.add(real)
        for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
            path, is_link = here / entry.name, entry.is_symlink()
            if is_hidden(entry.name):
                continue
            if path.is_dir() if is_link else entry.is_dir():
                if deep:
                    (links if is_link else folders).append(path)
            elif path.is_file() if is_link else entry.is_file():
                files.append(path)
            elif is_link:
                broken.append(path)
    notes = [
        f"{what}: {len(paths)}, such as {paths[0]}"
        for what, paths in (
            ("folders that links lead to again are read once", repeated),
            ("links that lead to no file are left out", broken),
        )
        if paths
    ]
    return Listing(sorted(files), notes)


def is_picture(file: Path) -> bool:
    """Tells whether a file is taken for a picture: by its ending, or by its first bytes where that is unknown."""
    return file.suffix.lower() in SUFFIXES or begins_a_picture(first_bytes(file))


def first_bytes(file: Path) -> bytes:
    """Reads as much of a file as tells what it is; gives nothing of a file that may not be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST)
    except OSError:
        return b""


def left_out(files: Iterable[PurePath], noun: str) -> list[str]:
    """Says in one line how many files of which endings are not read, because they are no `noun`; in none if all are."""
    endings = Counter(f".{file.suffix.lower()[1:]}" if file.suffix else "without an ending" for file in files)
    counts = ", ".join(f"{count} {ending}" for ending, count in endings.most_common())
    return [f"left out what is no {noun}: {counts}"] if counts else []


def stamp(files: Iterable[Path]) -> list[list[str | int]]:
    """Gives the name, size and times of change of each file; other ones whenever what is read there has changed.

    A file that is gone, or that no path can lead to, has a size of -1.
    """
    return [_stamp(os.path.abspath(file)) for file in files]


def _stamp(path: str) -> list[str | int]:
    try:
        state = os.stat(path)
    except OSError:
        return [path, -1]
    # A copy may keep the time at which the content changed, but not the time at which the file did.
    return [path, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
