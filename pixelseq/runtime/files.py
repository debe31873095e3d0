"""Files that appear whole or not at all, and a lock that one process at a time holds."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, renamed to `path` at the end and removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path, "tmp")
    try:
        yield beside
        _to_disk(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path, replace: bool = True) -> Iterator[Path]:
    """Gives a new folder beside `folder` to fill, which takes its place at the end and is removed on an error.

    Args:
        folder: written.
        replace: takes the place of a folder that is there; otherwise one that another process has put there meanwhile
            stays.
    """
    beside, replaced = _beside(folder, "tmp"), _beside(folder, "old")
    beside.mkdir(parents=True)
    try:
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                _to_disk(file)
        if replace and folder.exists():
            folder.rename(replaced)
        try:
            beside.rename(folder)
        except OSError:
            if replace or not folder.exists():
                raise
    finally:
        if not folder.exists() and replaced.exists():
            replaced.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what a process that was killed while it wrote into `folder` has left beside the whole files.

    A folder that it had moved aside for a new one is moved back where the new one is not there yet.
    """
    for path in folder.glob(".*.old"):
        replaced = folder / path.name.removeprefix(".").rsplit(".", 2)[0]
        if replaced.exists():
            shutil.rmtree(path)
        else:
            path.rename(replaced)
    for path in folder.glob(".*.tmp"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on a file, which stays empty; the system lets go of it when the process ends, however it does.

    Raises:
        ValueError: another process holds it.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise ValueError(f"another process is at work in {path.parent}") from None


def _to_disk(file: Path) -> None:
    """Waits until a file is on the disk: a rename must not get there before what it renames."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{role}")
