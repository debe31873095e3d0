"""When a training run ends, and what ends it early."""

from __future__ import annotations

import math
import signal
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

SIGNALS = (signal.SIGTERM, signal.SIGINT)
MOST_BAD_STEPS = 3


class Signals:
    """Notes SIGTERM and SIGINT, so that a run can save its state and end; a second one ends it at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether the flag is up on any process, so that all of them do the same."""
    if accelerator.num_processes == 1:
        return flag
    count = torch.tensor(int(flag), device=accelerator.device)
    return bool(accelerator.reduce(count, reduction="sum"))


class FiniteGuard:
    """Lets steps through whose gradient is finite, and stops a run after three in a row that are not."""

    def __init__(self) -> None:
        self.bad_steps = 0

    def allows(self, gradient_norm: float, step: int) -> bool:
        """Whether the step can be taken.

        Args:
            gradient_norm: the same on every process; not finite where the loss or any gradient is not.
            step: that would be taken.

        Raises:
            ValueError: it is the third in a row that cannot.
        """
        if math.isfinite(gradient_norm):
            self.bad_steps = 0
            return True
        self.bad_steps += 1
        if self.bad_steps == MOST_BAD_STEPS:
            raise ValueError(
                f"the gradients of {MOST_BAD_STEPS} steps in a row, the last of them step {step}, are not finite; "
                "the last checkpoint is kept: try a lower --learning-rate"
            )
        return False
