"""The state of a training run on disk, from which it goes on as if it had never stopped.

There is one folder per saved step: the tensors as safetensors, everything else as JSON with a digest of each file;
nothing is unpickled. Names of tensors are those of the parameters, so that the state does not depend on the number of
processes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from pixelseq.runtime.files import atomic_folder

STATES = "state"
"""The name of the folder inside a run's folder that holds its states."""
PROGRESS = "progress.json"


@dataclass(frozen=True)
class SavedState:
    """The state of a run after some steps."""

    progress: dict[str, Any]
    """The part of the state that is no tensor, as JSON has it."""
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
    return {
        "model.safetensors": dict(get_model_state_dict(network, options=whole)),
        "average.safetensors": dict(get_model_state_dict(average, options=whole)),
        "optimizer.safetensors": moments,
    }


def restore_tensors(
    tensors: dict[str, dict[str, Tensor]], network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Puts back what `collect_tensors` took; the settings of the optimizer are those it was built with."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict, set_optimizer_state_dict

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    for module, file in ((network, "model.safetensors"), (average, "average.safetensors")):
        set_model_state_dict(module, dict[str, Any](tensors[file]), options=whole)
    moments: dict[str, dict[str, Tensor]] = {}
    for path, tensor in tensors["optimizer.safetensors"].items():
        name, key = path.rsplit("/", 1)
        moments.setdefault(name, {})[key] = tensor
    if not moments:
        return
    names = {id(parameter): name.removeprefix("module.") for name, parameter in network.named_parameters()}
    groups = [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]} for group in optimizer.param_groups
    ]
    set_optimizer_state_dict(network, optimizer, {"state": moments, "param_groups": groups}, options=whole)  # type: ignore[dict-item]


def save_state(folder: Path, step: int, state: SavedState, keep: int) -> None:
    """Writes the state after `step` steps, whole or not at all, then deletes older ones.

    Args:
        folder: the folder of all states of the run.
        step: the number of steps, which names the state.
        state: the state to write.
        keep: the number of states that are kept, this one and those before it; at least 1.

    Raises:
        OSError: the state cannot be written; the states before it are left as they were.
    """
    with atomic_folder(folder / f"step_{step:08}") as beside:
        digests = {}
        for name, content in state.tensors.items():
            data = safetensors.torch.save({key: value.contiguous() for key, value in content.items()})
            (beside / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).hexdigest()
        (beside / PROGRESS).write_text(json.dumps({"progress": state.progress, "sha256": digests}))
    # States of later steps are damaged ones that a resume passed over: they do not count as newer.
    for old in sorted(path for path in folder.glob("step_*") if path.name <= f"step_{step:08}")[:-keep]:
        shutil.rmtree(old)


def has_states(folder: Path) -> bool:
    """Tells whether a folder has states, whole or not."""
    return any(folder.glob("step_*"))


def newest_state(folder: Path) -> tuple[SavedState | None, list[str]]:
    """Reads the newest state that is whole; gives one line for each newer one that is not, too.

    Raises:
        ValueError: there are states, and none is whole.
    """
    damaged: list[str] = []
    for path in sorted(folder.glob("step_*"), reverse=True):
        try:
            return _read(path), damaged
        except (OSError, ValueError, KeyError, TypeError) as error:
            damaged.append(f"{path} is damaged ({error})")
    if damaged:
        raise ValueError(f"{'; '.join(damaged)}; delete {folder} to start the run anew")
    return None, []


def _read(path: Path) -> SavedState:
    saved = json.loads((path / PROGRESS).read_text())
    tensors = {}
    for name, digest in saved["sha256"].items():
        data = (path / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(f"{name} is not what was written")
        # In one order on all processes, which put them back together.
        tensors[name] = dict(sorted(safetensors.torch.load(data).items()))
    return SavedState(saved["progress"], tensors)
