"""The limits that end a training run, and the learning rate's plan, which follows them."""

from __future__ import annotations

from pixelseq.training.config import TrainConfig
from pixelseq.training.optimisers import schedule_factor
from pixelseq.training.saved_state import Progress

LIMITS = ("steps", "epochs", "minutes", "target_bits_per_dim", "target_nats", "patience")
"""The fields that end a run; they can be changed when it goes on."""


def limit_reached(config: TrainConfig, progress: Progress, seconds: float) -> str | None:
    """Gives the flag that ends a run, if any does.

    Args:
        config: the run's configuration.
        progress: how far it has come.
        seconds: the seconds that it has taken.
    """
    reached = {
        "--steps": config.steps is not None and progress.step >= config.steps,
        "--minutes": config.minutes is not None and seconds > 60 * config.minutes,
        "--target-bits-per-dim": _within(progress.best, config.target_bits_per_dim),
        "--target-nats": _within(progress.best_nats, config.target_nats),
        "--patience": config.patience is not None and progress.without_gain >= config.patience,
    }
    return next((flag for flag, ends in reached.items() if ends), None)


def learning_rate(config: TrainConfig, step: int, seconds: float) -> float:
    """Gives the learning rate of the step after `step` steps and so many seconds of the run."""
    if config.steps is not None:
        done = (step - config.warmup) / max(1, config.steps - config.warmup)
        return config.learning_rate * schedule_factor(config.schedule, step, config.warmup, done)
    assert config.minutes is not None
    done = seconds / (60 * config.minutes)
    # Time may be over before the warm-up is.
    factors = [schedule_factor(config.schedule, at, config.warmup, done) for at in (step, max(step, config.warmup))]
    return config.learning_rate * min(factors)


def expected_steps(config: TrainConfig, step: int, seconds: float) -> int:
    """Gives the steps of the run: those planned, or where the clock decides, those expected at the speed so far."""
    if config.steps is not None:
        return config.steps
    assert config.minutes is not None
    return max(step, round(step * 60 * config.minutes / max(seconds, 1e-3)))


def plan_note(config: TrainConfig, progress: Progress) -> str | None:
    """Says in a line how the learning rate is planned, where that is not what the run began with or cannot be repeated.

    Args:
        config: the run's configuration.
        progress: how far it has come, and what was planned until then.
    """
    if config.schedule == "constant":
        return None
    clock = "; it follows the clock, so a second run will not be the same to the bit" if config.steps is None else ""
    if progress.step == 0 or progress.plan in (None, plan(config)):
        return f"the learning rate is planned for {plan(config)}{clock}" if clock else None
    now = learning_rate(config, progress.step, progress.seconds)
    return (
        f"the learning rate was planned for {progress.plan} and now is for {plan(config)}: "
        f"after step {progress.step} it is {now:.2g}{clock}"
    )


def plan(config: TrainConfig) -> str:
    """Says what the learning rate is planned for."""
    return f"{config.minutes:g} minutes" if config.steps is None else f"{config.steps} steps"


def _within(measured: float | None, target: float | None) -> bool:
    return measured is not None and target is not None and measured <= target
