"""Files that appear whole or not at all, and a lock that one process at a time holds."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = "lock"
"""The name of the empty file in a folder that is locked while the folder is in use."""

log = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, which is renamed to `path` at the end, or removed on an error."""
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
        folder: the folder to write.
        replace: whether to replace a folder that exists; otherwise a folder that another process has put there
            meanwhile stays.
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
    """Removes the unfinished files that a killed process has left in `folder`, and no file of any other name.

    A folder that was moved aside for a new one is moved back, unless the new one is already in its place.
    """
    for path, name in _found_beside(folder, "old"):
        if (folder / name).exists():
            shutil.rmtree(path)
        else:
            path.rename(folder / name)
    for path, _ in _found_beside(folder, "tmp"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keeps `remove_abandoned` of other processes from a folder until this process has done with it, or ends."""
    with _locked_if_possible(folder, timeout=0):  # without locks nothing is removed either
        yield


def remove_abandoned(folder: Path) -> None:
    """Removes the unfinished folders of `atomic_folder` in `folder` that no process has in use.

    Those of the last minute stay, since a folder is made a moment before it is in use.
    """
    from filelock import FileLock

    for path, _ in _found_beside(folder, "tmp"):
        with suppress(OSError, NotImplementedError):  # in use, gone meanwhile, or without locks
            if path.stat().st_mtime < time.time() - 60:
                with FileLock(path / LOCK, timeout=0):
                    shutil.rmtree(path)


def remove_damaged(folder: Path, is_damaged: Callable[[Path], bool]) -> None:
    """Removes a damaged folder, unless another process has removed it or put a sound one in its place.

    Args:
        folder: the folder, or a file in its place.
        is_damaged: looks at the folder again, while no other process removes it.

    Raises:
        OSError: the folder cannot be removed.
    """
    with _locked_if_possible(folder.parent, timeout=-1):
        if is_damaged(folder):
            aside = _beside(folder, "tmp")
            with suppress(FileNotFoundError):
                folder.rename(aside)
                shutil.rmtree(aside) if aside.is_dir() else aside.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on a file, which stays empty; the system releases it when the process ends, however it ends.

    Raises:
        ValueError: another process holds the lock.
        PermissionError: the file cannot be written.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another process is at work in {path.parent}") from None
    except PermissionError:  # nothing can be written there, with a lock or without
        raise
    except (OSError, NotImplementedError) as error:  # a file system without locks
        log.warning("%s cannot be locked: %s; start no other process there", path, error)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _locked_if_possible(folder: Path, timeout: float) -> Iterator[None]:
    from filelock import FileLock

    lock = FileLock(folder / LOCK, timeout=timeout)
    with suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _to_disk(file: Path) -> None:
    """Waits until a file is on the disk: a rename must not get there before the content of the file."""
    with file.open("rb") as written:
        os.fsync(written.fileno())


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{role}")


def _found_beside(folder: Path, role: str) -> list[tuple[Path, str]]:
    """Finds the paths of a role in a folder that `_beside` has named; gives the name that each stands for, too."""
    names = re.compile(rf"\.(.+)\.[0-9a-f]{{8}}\.{role}")
    return [(path, match[1]) for path in folder.glob(f".*.{role}") if (match := names.fullmatch(path.name))]
