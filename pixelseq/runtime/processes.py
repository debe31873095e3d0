"""Joins the processes that a launcher has started for a script."""

from __future__ import annotations

import importlib.util
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pixelseq.runtime.scripts import set_up_torch

if TYPE_CHECKING:
    from accelerate import Accelerator

LONGEST_WAIT = timedelta(days=1)
"""How long processes wait for one that decodes or draws; by default they would give up after 10 minutes."""

FOREIGN = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "train/run.py has `accumulate`"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "train/run.py has `compile`"),
    "ACCELERATE_USE_DEEPSPEED": ("false", "train/fsdp.yaml shards the weights"),
    "ACCELERATE_USE_MEGATRON_LM": ("false", "train/fsdp.yaml shards the weights"),
    "ACCELERATE_USE_PARALLELISM_CONFIG": ("false", "train/fsdp.yaml shards the weights"),
}
"""Variables by which accelerate, its launcher or its configuration file would change a result without a word: the value
that changes nothing, and what there is instead."""

LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
"""Variables by which launchers tell numbers."""


def launcher_number(name: str, default: int) -> int:
    """Gives a number that a launcher tells in a variable of the environment.

    Raises:
        ValueError: it is no whole number from 0 on.
    """
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise ValueError(
            f"{name} is {value!r} in the environment; expected a whole number: unset it, or use a launcher"
        )
    return int(value)


def check_environment() -> None:
    """Raises ValueError where variables of the environment that accelerate goes by make no sense."""
    for name in LAUNCHERS:
        launcher_number(name, 0)
    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    if (device := os.environ.get("ACCELERATE_TORCH_DEVICE", "cpu")).split(":")[0] not in devices:
        raise ValueError(f"ACCELERATE_TORCH_DEVICE is {device!r} in the environment; choose from {', '.join(devices)}")


def join_processes(
    script: str, track: str | None = None, mixed_precision: str = "no", project_dir: Path | None = None
) -> Accelerator:
    """Joins the processes that a launcher has started.

    Args:
        script: the script, as the error message names it in the command that works.
        track: the package of a tracker.
        mixed_precision: the type of autocast, as accelerate names it: "no", "bf16" or "fp16".
        project_dir: the folder that trackers write to.

    Raises:
        ValueError: the tracker is not installed, the processes do not know of each other, the device does not have the
            type, or a variable of accelerate's would change the result or cannot be followed.
    """
    check_environment()
    for name, (neutral, instead) in FOREIGN.items():
        if (value := os.environ.get(name, neutral)).lower() != neutral:
            raise ValueError(
                f"{name} is {value} in the environment or in accelerate's configuration; unset it: {instead}"
            )
    if mixed_precision == "fp16" and not torch.cuda.is_available():
        raise ValueError("`precision` float16 needs CUDA; choose bfloat16 or float32")
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    if track is not None and importlib.util.find_spec(track) is None:
        raise ValueError(f"`track` {track} needs the package {track}; install it by pip")
    try:
        accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
            log_with=track,
            mixed_precision=mixed_precision,
            project_dir=project_dir,
        )
    except (RuntimeError, LookupError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"accelerate cannot do as its environment says: {reason}") from error
    check_processes(accelerator.num_processes, script)
    set_up_torch(alone=accelerator.num_processes == 1)
    return accelerator


def check_processes(processes: int, script: str) -> None:
    """Raises ValueError where a launcher has started several processes that do not know of each other.

    Args:
        processes: the number of processes that know of this one, itself included.
        script: the script, as the error message names it in the command that works.
    """
    started = launcher_number("WORLD_SIZE", 1)
    if processes < started:
        raise ValueError(
            f"{started} processes were started that do not know of each other; on CPUs start them by "
            f"ACCELERATE_USE_CPU=true torchrun --standalone --nproc_per_node {started} {script}"
        )
