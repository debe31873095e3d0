"""What ends a run, and the plan of its learning rate."""

from __future__ import annotations

import dataclasses

import pytest

from pixelseq.training.config import TrainConfig
from pixelseq.training.limits import expected_steps, learning_rate, limit_reached, plan_note
from pixelseq.training.saved_state import Progress

BY_THE_CLOCK = TrainConfig(steps=None, minutes=10, learning_rate=1.0, warmup=4)


@pytest.mark.parametrize(
    ("limits", "progress", "seconds", "flag"),
    [
        ({"steps": 5}, Progress(step=4), 0, None),
        ({"steps": 5}, Progress(step=5), 0, "--steps"),
        ({"steps": None, "minutes": 2}, Progress(step=10**9), 120, None),
        ({"minutes": 2}, Progress(step=1), 120.1, "--minutes"),
        ({"target_bits_per_dim": 2.0}, Progress(), 0, None),  # not validated yet
        ({"target_bits_per_dim": 2.0}, Progress(best=2.1), 0, None),
        ({"target_bits_per_dim": 2.0}, Progress(best=2.0), 0, "--target-bits-per-dim"),
        ({"target_nats": 80.0}, Progress(best=2.0, best_nats=80.5), 0, None),
        ({"target_nats": 80.0}, Progress(best=2.0, best_nats=79.5), 0, "--target-nats"),
        ({"patience": 3}, Progress(without_gain=2), 0, None),
        ({"patience": 3}, Progress(without_gain=3), 0, "--patience"),
    ],
)
def test_each_limit(limits: dict[str, float], progress: Progress, seconds: float, flag: str | None) -> None:
    assert limit_reached(TrainConfig(**limits), progress, seconds) == flag  # type: ignore[arg-type]


def test_the_learning_rate_follows_steps_or_the_clock() -> None:
    by_steps = dataclasses.replace(BY_THE_CLOCK, steps=12, minutes=None)
    for step, seconds, expected in ((0, 0, 0.25), (3, 0, 1.0), (8, 10**6, 0.5), (12, 0, 0.0)):
        assert learning_rate(by_steps, step, seconds) == pytest.approx(expected)
    for step, seconds, expected in (
        (0, 0, 0.25),
        (3, 0, 1.0),
        (3, 300, 0.5),
        (3, 600, 0.0),
        (4, 0, 1.0),
        (8, 300, 0.5),
        (10**6, 600, 0.0),
    ):
        assert learning_rate(BY_THE_CLOCK, step, seconds) == pytest.approx(expected)


def test_the_steps_that_the_clock_allows_are_estimated() -> None:
    assert expected_steps(dataclasses.replace(BY_THE_CLOCK, steps=7), 3, 1.0) == 7
    assert expected_steps(BY_THE_CLOCK, 30, 60.0) == 300
    assert expected_steps(BY_THE_CLOCK, 300, 700.0) == 300


def test_a_new_plan_is_said() -> None:
    by_steps = TrainConfig(steps=12, warmup=4, learning_rate=1.0)
    assert plan_note(by_steps, Progress()) is None
    assert plan_note(by_steps, Progress(step=8, plan="12 steps")) is None
    note = "the learning rate was planned for 8 steps and now is for 12 steps: after step 8 it is 0.5"
    assert plan_note(by_steps, Progress(step=8, plan="8 steps")) == note
    assert plan_note(dataclasses.replace(by_steps, schedule="constant"), Progress(step=8, plan="8 steps")) is None
    clock = "it follows the clock, so a second run will not be the same to the bit"
    assert plan_note(BY_THE_CLOCK, Progress()) == f"the learning rate is planned for 10 minutes; {clock}"
    assert clock in (plan_note(BY_THE_CLOCK, Progress(step=8, plan="5 minutes", seconds=300)) or "")
