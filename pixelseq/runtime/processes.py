"""The processes of a script under a launcher."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import torch

from pixelseq.runtime.scripts import LONGEST_WAIT, check_processes, set_up_torch

if TYPE_CHECKING:
    from accelerate import Accelerator


def join_processes(script: str, track: str | None = None, **options: Any) -> Accelerator:
    """Joins the processes that a launcher has started.

    Args:
        script: to name in the command that works.
        track: a tracker's package.
        options: of accelerate's `Accelerator`.

    Raises:
        ValueError: the tracker is not installed, or the processes do not know of each other.
    """
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    if track is not None and importlib.util.find_spec(track) is None:
        raise ValueError(f"--track {track} needs the package {track}; install it by pip")
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
        log_with=track,
        **options,
    )
    check_processes(accelerator.num_processes, script)
    set_up_torch(alone=accelerator.num_processes == 1)
    return accelerator
