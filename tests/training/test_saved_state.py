"""States of a run on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import resealed, small_model
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelseq.training.optimisers import build_optimizer
from pixelseq.training.saved_state import (
    TENSORS,
    Progress,
    SavedState,
    collect_tensors,
    newest_state,
    restore_tensors,
    save_state,
)


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", ["adamw", "rmsprop"])
def test_a_saved_state_holds_everything_that_training_needs(name: str, steps: int, tmp_path: Path) -> None:
    def build() -> tuple[torch.nn.Module, AveragedModel, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = small_model()
        optimizer = build_optimizer(name, model.parameters(), 0.01, 0.1)
        return model, AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9)), optimizer

    def step(model: torch.nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, k: int) -> None:
        torch.manual_seed(k)
        optimizer.zero_grad()
        model.nll(torch.randint(2, (2, 1, 3, 3))).mean().backward()  # type: ignore[operator]
        optimizer.step()
        average.update_parameters(model)

    one, other = build(), build()
    for k in range(steps):
        step(*one, k)
    progress = Progress("fingerprint", 3, best=0.1 + 0.2, windows=[[0.5, 2.0, 7.0]], scaler={"scale": 2.0})
    save_state(tmp_path, SavedState(progress, collect_tensors(*one)), keep=1)
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert (saved.progress, damaged) == (progress, [])
    restore_tensors(saved.tensors, *other)
    unsaved = build()
    for k in range(steps):
        step(*unsaved, k)
    for k in range(3, 6):
        step(*unsaved, k)
        step(*one, k)
        step(*other, k)
    for restored in (one, other):  # saving changes nothing either
        for module, found in zip(unsaved[:2], restored[:2], strict=True):
            for (key, tensor), value in zip(module.state_dict().items(), found.state_dict().values(), strict=True):
                assert torch.equal(tensor, value), key


def state(step: int) -> SavedState:
    return SavedState(Progress(step=step), {name: {"a": torch.ones(step)} for name in TENSORS})


def test_the_newest_states_are_kept_and_the_newest_whole_one_is_taken(tmp_path: Path) -> None:
    assert newest_state(tmp_path) == (None, [])
    (tmp_path / "step_00000001.mine").mkdir()
    for step in (1, 2, 3):
        save_state(tmp_path, state(step), keep=2)
    names = ["step_00000001.mine", "step_00000002", "step_00000003"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    weights = tmp_path / "step_00000003/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress.step == 2
    assert saved.tensors["model.safetensors"]["a"].shape == (2,)
    assert "step_00000003 is damaged (model.safetensors is not what was written)" in damaged[0]
    save_state(tmp_path, state(2), keep=1)
    assert (tmp_path / "step_00000002").exists()  # not pruned in favour of the damaged one
    (tmp_path / "step_00000002/progress.json").write_text("{")
    with pytest.raises(ValueError, match=r"step_00000003 is damaged.*step_00000002 is damaged.*to start the run anew"):
        newest_state(tmp_path)


def test_a_state_after_more_steps_than_names_have_digits_for_is_the_newest(tmp_path: Path) -> None:
    for step in (99_999_999, 100_000_000):
        save_state(tmp_path, replace(state(1), progress=Progress(step=step)), keep=2)
    saved, _ = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress.step == 100_000_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"progress": {"step": "1"}}, "progress.json: progress.step: Input should be a valid integer"),
        ({"sha256": {}}, "model.safetensors is not what was written"),
        ({"sha256": dict.fromkeys(TENSORS, "../../secret")}, "model.safetensors is not what was written"),
        ({"colour": 1}, "progress.json: these fields are unknown or missing: colour"),
    ],
    ids=["type", "no-digests", "no-digest", "field"],
)
def test_what_no_state_holds_is_named(change: dict[str, object], message: str, tmp_path: Path) -> None:
    save_state(tmp_path, state(1), keep=1)
    path = tmp_path / "step_00000001/progress.json"
    path.write_text(resealed(path.read_text(), **change))
    with pytest.raises(ValueError, match=rf"step_00000001 is damaged \({message}"):
        newest_state(tmp_path)


def test_a_full_disk_leaves_the_states_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, state(1), keep=1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(tmp_path, state(2), keep=1)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]
    saved, _ = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress.step == 1
