"""The state of a run: which steps are taken, and which end it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from helpers import small_model

from pixelseq.training.gradients import ImageNats
from pixelseq.training.optimisers import build_optimizer
from pixelseq.training.run_state import RunState

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def state() -> RunState:
    model = small_model()
    optimizer = build_optimizer("adamw", model.parameters(), 0.01, 0.0)
    return RunState(Accelerator(cpu=True), ImageNats(model), optimizer, 0.9, compile=False)


def sums(nats: float) -> torch.Tensor:
    return torch.tensor([nats, 2, 10], dtype=torch.float64)


def scaler(state: RunState, scale: float) -> list[str]:
    """Gives the state a scaler of float16's gradients; returns what is asked of it."""
    asked: list[str] = []
    state.accelerator.scaler = SimpleNamespace(get_scale=lambda: scale, update=lambda: asked.append("update"))
    return asked


def test_steps_that_are_not_finite_change_nothing_and_the_third_in_a_row_ends_the_run(state: RunState) -> None:
    before = [parameter.clone() for parameter in state.model.parameters()]
    state.step(sums(NAN), NAN)
    state.step(sums(5.0), INF)
    assert all(torch.equal(one, other) for one, other in zip(before, state.model.parameters(), strict=True))
    assert state.window.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="the last of them step 3"):
        state.step(sums(5.0), NAN)


def test_gradients_that_overflow_under_a_scaler_are_left_to_it(state: RunState) -> None:
    asked = scaler(state, 65536.0)
    for _ in range(5):
        state.step(sums(5.0), INF)
    assert asked == ["update"] * 5


@pytest.mark.parametrize(("nats", "scale"), [(NAN, 65536.0), (5.0, 1.0)], ids=["loss", "smallest-scale"])
def test_what_no_scale_can_mend_ends_the_run_although_there_is_a_scaler(
    state: RunState, nats: float, scale: float
) -> None:
    scaler(state, scale)
    for _ in range(2):
        state.step(sums(nats), NAN)
    with pytest.raises(ValueError, match="are not finite"):
        state.step(sums(nats), NAN)
