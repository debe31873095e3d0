"""The state of a training run on disk, from which it goes on as if it had never stopped.

There is one folder per saved step: the tensors as safetensors, everything else as JSON with a digest of each file and
of itself; nothing is unpickled. Names of tensors are those of the parameters, so that the state does not depend on the
number of processes.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from pixelseq.runtime.codec import from_plain, read_object, to_plain, to_sealed, unsealed
from pixelseq.runtime.files import atomic_folder

STATES = "state"
"""The name of the folder inside a run's folder that holds its states."""
PROGRESS = "progress.json"
TENSORS = ("model.safetensors", "average.safetensors", "optimizer.safetensors")
"""The files of tensors in a state."""


@dataclass
class Progress:
    """How far a run has come: the part of its saved state that is no tensor."""

    data: str | None = None
    """The fingerprint of the data set."""
    step: int = 0
    trained: int = 0
    """The number of images trained on."""
    best: float | None = None
    """The bits/dim of the best validation."""
    best_nats: float | None = None
    """Its nats per image."""
    without_gain: int = 0
    """The number of validations since the best one."""
    bad_steps: int = 0
    """The number of last steps in a row that were left out since they were not finite."""
    seconds: float = 0.0
    validation_seconds: float = 0.0
    windows: list[list[float]] = field(default_factory=list)
    """The nats, images and values of each process since the last line of metrics."""
    scaler: dict[str, Any] | None = None
    """The state of the scaler of float16's gradients."""
    plan: str | None = None
    """What the learning rate is planned for."""
    end: str | None = None
    """The flag that has ended training; None before its end."""


@dataclass(frozen=True)
class Record:
    """What progress.json holds."""

    progress: Progress
    sha256: dict[str, str]
    """The digest of each file of tensors."""


@dataclass(frozen=True)
class SavedState:
    """The state of a run after some steps."""

    progress: Progress
    tensors: dict[str, dict[str, Tensor]]
    """The tensors of the state, by file, then by name."""


def collect_tensors(
    network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, dict[str, Tensor]]:
    """Collects the tensors of a run, whole, on the CPU; every process takes part, and the first alone gets them.

    Args:
        network: the network that is trained, in a data-parallel wrapper or bare.
        average: the network of averaged weights.
        optimizer: the optimizer of the network's parameters.

    Returns:
        The tensors, by file, then by name.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, get_optimizer_state_dict

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    moments = {}
    if optimizer.state:  # without one, before its first step, asking for it would make one
        state: dict[str, Any] = get_optimizer_state_dict(network, optimizer, options=whole)
        of_parameters = state.get("state", {})
        moments = {f"{name}/{key}": value for name, values in of_parameters.items() for key, value in values.items()}
    weights = [dict(get_model_state_dict(module, options=whole)) for module in (network, average)]
    return dict(zip(TENSORS, [*weights, moments], strict=True))


def restore_tensors(
    tensors: dict[str, dict[str, Tensor]], network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Puts back what `collect_tensors` took; the settings of the optimizer are those it was built with."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict, set_optimizer_state_dict

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    *weights, of_optimizer = (tensors[file] for file in TENSORS)
    for module, found in zip((network, average), weights, strict=True):
        set_model_state_dict(module, dict[str, Any](found), options=whole)
    moments: dict[str, dict[str, Tensor]] = {}
    for path, tensor in of_optimizer.items():
        name, key = path.rsplit("/", 1)
        moments.setdefault(name, {})[key] = tensor
    if not moments:
        return
    names = {id(parameter): name.removeprefix("module.") for name, parameter in network.named_parameters()}
    groups = [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]} for group in optimizer.param_groups
    ]
    set_optimizer_state_dict(network, optimizer, {"state": moments, "param_groups": groups}, options=whole)  # type: ignore[dict-item]


def save_state(folder: Path, state: SavedState, keep: int) -> None:
    """Writes a state, whole or not at all, then deletes older ones.

    Args:
        folder: the folder of all states of the run.
        state: the state to write; its step names it.
        keep: the number of states that are kept, this one and those before it; at least 1.

    Raises:
        OSError: the state cannot be written; the states before it are left as they were.
    """
    step = state.progress.step
    with atomic_folder(folder / f"step_{step:08}") as beside:
        digests = {}
        for name, content in state.tensors.items():
            data = safetensors.torch.save({key: value.contiguous() for key, value in content.items()})
            (beside / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).hexdigest()
        (beside / PROGRESS).write_text(to_sealed(to_plain(Record(state.progress, digests))))
    # States of later steps are damaged ones that a resume passed over: they do not count as newer.
    for _, old in [found for found in _states(folder) if found[0] <= step][:-keep]:
        shutil.rmtree(old)


def has_states(folder: Path) -> bool:
    """Tells whether a folder has states, whole or not."""
    return bool(_states(folder))


def newest_state(folder: Path) -> tuple[SavedState | None, list[str]]:
    """Reads the newest state that is whole; gives one line for each newer one that is not, too.

    Raises:
        ValueError: there are states, and none is whole.
    """
    damaged: list[str] = []
    for _, path in reversed(_states(folder)):
        try:
            return _read(path), damaged
        except (OSError, ValueError, SafetensorError) as error:
            damaged.append(f"{path} is damaged ({error})")
    if damaged:
        raise ValueError(f"{'; '.join(damaged)}; delete {folder} to start the run anew")
    return None, []


def _states(folder: Path) -> list[tuple[int, Path]]:
    """Gives the steps of the states in a folder, and their folders, from the first to the last."""
    names = re.compile(r"step_(\d{8,})")
    return sorted((int(match[1]), path) for path in folder.glob("step_*") if (match := names.fullmatch(path.name)))


def _read(path: Path) -> SavedState:
    values = unsealed(read_object((path / PROGRESS).read_bytes(), PROGRESS), PROGRESS)
    record = from_plain(Record, values, PROGRESS)
    tensors = {}
    for name in TENSORS:
        data = (path / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != record.sha256.get(name):
            raise ValueError(f"{name} is not what was written")
        # In one order on all processes, which put them back together.
        tensors[name] = dict(sorted(safetensors.torch.load(data).items()))
    return SavedState(record.progress, tensors)
