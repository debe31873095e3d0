"""Joins the processes that a launcher has started for a script."""

from __future__ import annotations

import importlib.util
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch

from pixelseq.runtime.scripts import set_up_torch

if TYPE_CHECKING:
    from accelerate import Accelerator

LONGEST_WAIT = timedelta(days=1)
"""How long processes wait for one that decodes or draws; by default they would give up after 10 minutes."""


def join_processes(script: str, track: str | None = None, **options: Any) -> Accelerator:
    """Joins the processes that a launcher has started.

    Args:
        script: the script, as the error message names it in the command that works.
        track: the package of a tracker.
        options: further options of accelerate's `Accelerator`.

    Raises:
        ValueError: the tracker is not installed, or the processes do not know of each other.
    """
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    if track is not None and importlib.util.find_spec(track) is None:
        raise ValueError(f"`track` {track} needs the package {track}; install it by pip")
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
        log_with=track,
        **options,
    )
    check_processes(accelerator.num_processes, script)
    set_up_torch(alone=accelerator.num_processes == 1)
    return accelerator


def check_processes(processes: int, script: str) -> None:
    """Raises ValueError where a launcher has started several processes that do not know of each other.

    Args:
        processes: the number of processes that know of this one, itself included.
        script: the script, as the error message names it in the command that works.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if processes < started:
        raise ValueError(
            f"{started} processes were started that do not know of each other; on CPUs start them by "
            f"ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node {started} {script}"
        )
