"""What the scripts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what a user can get wrong into one line on stderr and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(2) from None


def use_all_cores() -> None:
    """Gives torch every core this process may run on; launchers set it to one."""
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def default_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_out(out: Path) -> None:
    """Raises ValueError unless `out` is a .png or a folder, before any work is done."""
    if out.suffix not in ("", ".png"):
        raise ValueError(f"--out is {out}; give a .png for one sheet, or a folder for one .png an image")
    if out.suffix == "" and out.exists() and not out.is_dir():
        raise ValueError(f"--out is {out}, which is a file; give a folder or a .png")
