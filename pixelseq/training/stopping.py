"""When a training run ends, and what ends it early."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

MOST_BAD_STEPS = 3


def any_process(accelerator: Accelerator, *flags: bool) -> list[bool]:
    """Whether each flag is up on any process, so that all of them do the same."""
    if accelerator.num_processes == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int64, device=accelerator.device)
    return (accelerator.reduce(counts, reduction="sum") > 0).tolist()


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
