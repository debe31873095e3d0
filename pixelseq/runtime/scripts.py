"""Helpers that the command lines share: one-line errors, flags, the device, checks of the files to write."""

from __future__ import annotations

import ctypes
import dataclasses
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pixelseq.runtime.names import as_path
from pixelseq.runtime.signals import Interrupted, Interruptions

if TYPE_CHECKING:
    import torch


T = TypeVar("T")

FILE_SUFFIXES = {".png", ".npy", ".txt", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns errors that a user can cause, and signals, into one line on stderr; PYTHONDEVMODE=1 shows all lines.

    The exit code is 2, or 128 and the number of the signal.
    """
    with Interruptions():
        try:
            yield
        except Interrupted as end:
            print(f"ended by {end.signal.name}", file=sys.stderr)
            raise SystemExit(128 + end.signal) from None
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            if sys.flags.dev_mode or (isinstance(error, RuntimeError) and not _is_out_of_memory(error)):
                raise
            memory = "out of memory: " if isinstance(error, MemoryError | RuntimeError) else ""
            several = os.environ.get("WORLD_SIZE", "1") != "1" and "RANK" in os.environ
            process = f" (process {os.environ['RANK']})" if several else ""
            print(f"error{process}: {memory}" + as_flags(" ".join(str(error).split())), file=sys.stderr)
            raise SystemExit(2) from None


def parse_flags(kind: type[T], arguments: list[str], default: T | None = None, about: str | None = None) -> T:
    """Builds a dataclass from a command line: each field is a flag, and its docstring the help of the flag.

    In fields of paths, ~ is the home folder; fields that may name other things leave it to who resolves the name.

    Args:
        kind: the dataclass.
        arguments: the command line, without the name of the script.
        default: gives the values of flags that are left out; by default the dataclass's own defaults do.
        about: the text at the top of --help; by default the dataclass's docstring.
    """
    import tyro

    from pixelseq.runtime.help_texts import FLOWING  # here: it takes tyro

    complaints = io.StringIO()
    given = tyro.MISSING_NONPROP if default is None else default
    try:
        with redirect_stderr(complaints):
            return _with_home(tyro.cli(kind, args=arguments, default=given, description=about, registry=FLOWING))
    finally:
        sys.stderr.write(as_flags(complaints.getvalue()))


def _with_home(value: Any) -> Any:
    """Replaces ~ in the paths of a dataclass and of those in it."""
    if isinstance(value, Path):
        return as_path(value)
    if isinstance(value, tuple):
        return tuple(_with_home(item) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    changed = {name: new for name, old in fields.items() if (new := _with_home(old)) != old}
    return dataclasses.replace(value, **changed) if changed else value


def as_flags(message: str) -> str:
    """Replaces option names in a message of the library, such as `skip_bad` in backticks, by flags."""
    return re.sub(r"`([a-z][a-z_.]*)`", lambda name: "--" + name[1].replace("_", "-"), message)


def _is_out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def set_up_torch(alone: bool = True) -> torch.device:
    """Prepares torch, and gives the device to work on: CUDA, with exact float32 convolutions, or the CPU.

    Args:
        alone: whether this process is the only one; on a CPU it then uses every core it may, although launchers set one
            thread.
    """
    import torch

    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
        return torch.device("cuda")
    _keep_freed_memory()
    if alone:
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return torch.device("cpu")


def _keep_freed_memory() -> None:
    """Has glibc keep the memory that a training step frees; the next step would wait for fresh pages otherwise."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, most = -1, -3, 2**30
        libc.mallopt(M_MMAP_THRESHOLD, most)
        libc.mallopt(M_TRIM_THRESHOLD, most)


def check_out(out: Path, suffix: str = ".png", option: str = "out") -> None:
    """Checks, before any work is done, that `out` can be one file of that suffix or a folder of such files.

    Raises:
        ValueError: `out` cannot be either; the message names the option.
    """
    if out.suffix != suffix and (out.suffix or out.name).lower() in FILE_SUFFIXES:
        raise ValueError(f"`{option}` is {out}; give a {suffix} for all images, or a folder for one {suffix} per image")
    if out.suffix == suffix and out.is_dir():
        raise ValueError(f"`{option}` is {out}, which is a folder; give another name for the file")
    if out.suffix != suffix and out.exists() and not out.is_dir():
        raise ValueError(f"`{option}` is {out}, which is a file; give a folder or a {suffix}")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise ValueError(f"`{option}` is {out}, but {parent} is a file")


def is_one_file(out: Path) -> bool:
    """Tells whether `out` asks for one file of all images, a sheet or a text, rather than a folder."""
    return out.suffix in (".png", ".txt")
