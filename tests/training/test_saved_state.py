"""States of a run on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import small_model
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelseq.training.optimisers import build_optimizer
from pixelseq.training.saved_state import SavedState, collect_tensors, newest_state, restore_tensors, save_state


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
    save_state(tmp_path, 3, SavedState({"best": 0.1 + 0.2}, collect_tensors(*one)), keep=1)
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert (saved.progress, damaged) == ({"best": 0.1 + 0.2}, [])
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


def test_the_newest_states_are_kept_and_the_newest_whole_one_is_taken(tmp_path: Path) -> None:
    assert newest_state(tmp_path) == (None, [])
    for step in (1, 2, 3):
        save_state(tmp_path, step, SavedState({"step": step}, {"x.safetensors": {"a": torch.ones(step)}}), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000002", "step_00000003"]
    weights = tmp_path / "step_00000003/x.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress == {"step": 2}
    assert saved.tensors["x.safetensors"]["a"].shape == (2,)
    assert "step_00000003 is damaged (x.safetensors is not what was written)" in damaged[0]
    save_state(tmp_path, 2, SavedState({"step": 2}, {"x.safetensors": {"a": torch.ones(2)}}), keep=1)
    assert (tmp_path / "step_00000002").exists()  # not pruned in favour of the damaged one
    (tmp_path / "step_00000002/progress.json").write_text("{")
    with pytest.raises(ValueError, match=r"step_00000003 is damaged.*step_00000002 is damaged.*to start the run anew"):
        newest_state(tmp_path)


def test_a_full_disk_leaves_the_states_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, 1, SavedState({"step": 1}, {"x.safetensors": {"a": torch.ones(1)}}), keep=1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(tmp_path, 2, SavedState({"step": 2}, {"x.safetensors": {"a": torch.ones(1)}}), keep=1)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]
    saved, _ = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress == {"step": 1}
