"""Files that appear whole or not at all, and a lock that one process at a time holds."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

LOCK = "lock"
"""The name of the empty file in a folder that is locked while a process is at work there."""
WINDOWS = os.name == "nt"
PATIENCE = (0.02, 0.2, 1.0)
"""The seconds between attempts to rename what another program may have open: on Windows scanners do, for a moment."""

log = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, which is renamed to `path` at the end, or removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path, "tmp")
    try:
        yield beside
        _to_disk(beside)
        _rename(beside, path)
        _to_disk(path.parent)
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
    try:
        beside.mkdir(parents=True)
        yield beside
        for path in [*beside.rglob("*"), beside]:
            _to_disk(path)
        if replace and folder.exists():
            _rename(folder, replaced)
        try:
            _rename(beside, folder)
        except OSError:
            if replace or not folder.exists():
                raise
        _to_disk(folder.parent)
    finally:
        if not folder.exists() and replaced.exists():
            _rename(replaced, folder)
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
    """Keeps `remove_abandoned` of other processes from an unfinished folder of `atomic_folder`.

    The lock lies beside the folder, which can so be renamed meanwhile: on Windows no folder can that has open files.
    """
    lock = _lock_of(folder)
    try:
        with _lock_if_possible(lock):  # without locks nothing is removed either
            yield
    finally:
        lock.unlink(missing_ok=True)  # where a signal has come while it was taken


def remove_abandoned(folder: Path) -> None:
    """Removes the unfinished folders of `atomic_folder` in `folder` that no process has in use, and their locks.

    Those of the last minute stay, since a folder is made a moment before it is in use.
    """
    found = [(path, _lock_of(path)) for path, _ in _found_beside(folder, "tmp")]
    locks = [(path, path) for path, _ in _found_beside(folder, "tmp.lock")]
    for path, lock in [*found, *locks]:
        with suppress(OSError, NotImplementedError):  # in use, gone meanwhile, or without locks
            if path.stat().st_mtime < time.time() - 60:
                with _lock(lock):
                    if path != lock:
                        shutil.rmtree(path)


def remove_damaged(folder: Path, is_damaged: Callable[[Path], bool]) -> None:
    """Removes a damaged folder, unless another process has removed it or put a sound one in its place.

    Args:
        folder: the folder, or a file in its place.
        is_damaged: looks at the folder again, while no other process removes it.

    Raises:
        OSError: the folder cannot be removed.
    """
    with _lock_if_possible(folder.parent / LOCK, timeout=-1):
        if is_damaged(folder):
            aside = _beside(folder, "tmp")
            with suppress(FileNotFoundError):
                folder.rename(aside)
                shutil.rmtree(aside) if aside.is_dir() else aside.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on a file, which stays empty; the system releases it when the process ends, however it ends.

    At the end the file is gone, and so are the folders that were made for it and have nothing else in them.

    Raises:
        ValueError: another process holds the lock.
        PermissionError: the file cannot be written.
    """
    from filelock import Timeout

    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(_lock(path))
            except Timeout:
                raise ValueError(f"another process is at work in {path.parent}") from None
            except PermissionError:  # nothing can be written there, with a lock or without
                raise
            except (OSError, NotImplementedError) as error:  # a file system without locks
                log.warning("%s cannot be locked: %s; start no other process there", path, error)
            yield
    finally:
        for folder in made:
            with suppress(OSError):  # something is in it, or it could not be made
                folder.rmdir()


@contextmanager
def _lock_if_possible(path: Path, timeout: float = 0) -> Iterator[None]:
    """Holds a lock on a file, unless another process holds it after `timeout` seconds or there are no locks."""
    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            held.enter_context(_lock(path, timeout))
        yield


@contextmanager
def _lock(path: Path, timeout: float = 0) -> Iterator[None]:
    """Holds a lock on an empty file, gone at the end; waits for it up to `timeout` seconds, or for ever at -1."""
    from filelock import FileLock

    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()  # anew where the file is no longer the one of that name
        yield
    finally:
        if lock.is_locked:
            if WINDOWS:  # an open file has to stay
                lock.release()
            with suppress(OSError):  # another process has opened it meanwhile, on Windows
                if path.stat().st_size == 0:  # a file that somebody else has written is theirs
                    path.unlink()
            lock.release()


def _to_disk(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, are on the disk; a rename must not get there before.

    Windows waits for files that are open for writing alone, and no system has to wait for folders.
    """
    folder = path.is_dir()
    with suppress(OSError) if folder else nullcontext():
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
        try:
            if sys.platform == "darwin":  # where fsync leaves it in the disk's own memory
                import fcntl

                with suppress(OSError):  # a file system that does not know it
                    fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename(path: Path, target: Path) -> None:
    """Gives a file or a folder another name; a file takes the place of one that has it."""
    for seconds in PATIENCE:
        with suppress(PermissionError):
            path.replace(target)
            return
        time.sleep(seconds)
    path.replace(target)


def _beside(path: Path, role: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{role}")


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _found_beside(folder: Path, role: str) -> list[tuple[Path, str]]:
    """Finds the paths of a role in a folder that `_beside` has named; gives the name that each stands for, too."""
    names = re.compile(rf"\.(.+)\.[0-9a-f]{{8}}\.{re.escape(role)}")
    return [(path, match[1]) for path in folder.glob(f".*.{role}") if (match := names.fullmatch(path.name))]
