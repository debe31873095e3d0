"""Damaged files of a training run: the state before is taken and said, everything else is refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from mutations import FEW_OR_MANY, attack

from pixelseq import Likelihood
from pixelseq.training.config import TrainConfig
from pixelseq.training.metrics import Metrics, read_metrics
from pixelseq.training.result import read_result, write_result
from pixelseq.training.saved_state import TENSORS, Progress, SavedState, newest_state, save_state
from pixelseq.training.settings import read_settings, write_settings

RESULT = {"data": "digits", "test_bits_per_dim": 1.71, "test_nats_standard_error": None, "steps": 3000}


def state(step: int) -> SavedState:
    progress = Progress(
        "fingerprint",
        step,
        16 * step,
        best=1.71,
        best_nats=75.5,
        seconds=1.25,
        windows=[[0.5, 2.0, 7.0]],
        plan="9 steps",
    )
    return SavedState(
        progress, {name: {"weight": torch.full((3,), float(step)), "n": torch.ones(())} for name in TENSORS}
    )


def same(one: SavedState, other: SavedState) -> bool:
    tensors = {
        (file, name): (tensor, other.tensors[file].get(name))
        for file, content in one.tensors.items()
        for name, tensor in content.items()
    }
    return one.progress == other.progress and all(b is not None and torch.equal(a, b) for a, b in tensors.values())


@FEW_OR_MANY
@pytest.mark.parametrize("name", ["progress.json", *TENSORS])
def test_of_a_damaged_state_the_one_before_is_taken(name: str, times: int, tmp_path: Path) -> None:
    for step in (3, 6):
        save_state(tmp_path, state(step), keep=2)

    def harmless(found: tuple[SavedState | None, list[str]]) -> bool:
        saved, damaged = found
        assert saved is not None
        if not damaged:
            return name == "progress.json" and same(saved, state(6))
        (line,) = damaged
        return "\n" not in line and "step_00000006" in line and name in line and same(saved, state(3))

    attack(tmp_path / "step_00000006" / name, 30 * times, lambda: newest_state(tmp_path), harmless)


@FEW_OR_MANY
@pytest.mark.parametrize("name", ["progress.json", *TENSORS])
def test_a_damaged_state_that_is_the_only_one_is_refused(name: str, times: int, tmp_path: Path) -> None:
    save_state(tmp_path, state(3), keep=1)
    attack(
        tmp_path / "step_00000003" / name,
        15 * times,
        lambda: newest_state(tmp_path)[0],
        lambda found: name == "progress.json" and found is not None and same(found, state(3)),
    )


@FEW_OR_MANY
def test_damaged_settings_are_refused(times: int, tmp_path: Path) -> None:
    config = TrainConfig(epochs=2.5, minutes=30)
    write_settings(tmp_path, "digits", config)
    attack(
        tmp_path / "training.json",
        160 * times,
        lambda: read_settings(tmp_path),
        lambda found: found == ("digits", config),
    )


@FEW_OR_MANY
def test_a_damaged_result_is_refused(times: int, tmp_path: Path) -> None:
    write_result(tmp_path, RESULT)
    attack(tmp_path / "result.json", 80 * times, lambda: read_result(tmp_path), lambda found: found == RESULT)


@FEW_OR_MANY
def test_damaged_metrics_are_refused_or_measurements(times: int, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Metrics(path, Accelerator(cpu=True)) as metrics:
        for step in (50, 100, 150):
            metrics.write("train", step, Likelihood(64.5 * step, step, 64 * step), learning_rate=0.003)
            metrics.write("validation", step, Likelihood(70.0 * step, step, 64 * step))
    whole = read_metrics(path)

    few = lambda found: sum(line not in whole for line in found) <= 2  # noqa: E731  # as many as damage touches
    attack(path, 120 * times, lambda: read_metrics(path), few)
