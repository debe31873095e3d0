"""What the scripts share."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch

FILE_SUFFIXES = {".png", ".npy", ".txt", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
LONGEST_WAIT = timedelta(days=1)
"""For a process that decodes or draws while others wait; they would give up after 10 minutes otherwise."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line on stderr and exit code 2; PYTHONDEVMODE=1 shows all lines."""
    try:
        yield
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if sys.flags.dev_mode or (isinstance(error, RuntimeError) and not _is_out_of_memory(error)):
            raise
        memory = "out of memory: " if isinstance(error, MemoryError | RuntimeError) else ""
        process = f" (process {os.environ['RANK']})" if os.environ.get("WORLD_SIZE", "1") != "1" else ""
        print(f"error{process}: {memory}" + " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(2) from None


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def set_up_torch(alone: bool = True) -> torch.device:
    """The device to work on: CUDA, with exact float32 convolutions, or the CPU.

    A process alone on its CPU takes every core it may use; launchers set one thread, whatever the machine has.
    """
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
        return torch.device("cuda")
    _keep_freed_memory()
    if alone:
        torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return torch.device("cpu")


def check_processes(processes: int, script: str) -> None:
    """Raises ValueError where a launcher has started several processes that do not know of each other.

    Args:
        processes: that know of this one, itself included.
        script: to name in the command that works.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if processes < started:
        raise ValueError(
            f"{started} processes were started that do not know of each other; on CPUs start them by "
            f"ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node {started} {script}"
        )


def _keep_freed_memory() -> None:
    """Has glibc keep what a training step frees for the next one, which would wait for fresh pages otherwise."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, most = -1, -3, 2**30
        libc.mallopt(M_MMAP_THRESHOLD, most)
        libc.mallopt(M_TRIM_THRESHOLD, most)


def check_out(out: Path, suffix: str = ".png", flag: str = "--out") -> None:
    """Checks, before any work is done, that `out` can be one file of that suffix or a folder of such files.

    Raises:
        ValueError: it cannot; names the flag.
    """
    if out.suffix != suffix and (out.suffix or out.name).lower() in FILE_SUFFIXES:
        raise ValueError(f"{flag} is {out}; give a {suffix} for all images, or a folder for one {suffix} an image")
    if out.suffix == suffix and out.is_dir():
        raise ValueError(f"{flag} is {out}, which is a folder; give another name for the file")
    if out.suffix != suffix and out.exists() and not out.is_dir():
        raise ValueError(f"{flag} is {out}, which is a file; give a folder or a {suffix}")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise ValueError(f"{flag} is {out}, but {parent} is a file")


def is_sheet(out: Path) -> bool:
    """Whether `out` asks for one sheet of all images rather than a folder."""
    return out.suffix == ".png"
