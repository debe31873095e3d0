"""Stops a training run that is no longer finite, on all processes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

MAX_BAD_STEPS = 3
ADVICE = "the best checkpoint is kept: try a lower `learning_rate` with another `out`"


def any_process(accelerator: Accelerator, *flags: bool) -> list[bool]:
    """Tells whether each flag is up on any process, so that all processes do the same."""
    if accelerator.num_processes == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int64, device=accelerator.device)
    return (accelerator.reduce(counts, reduction="sum") > 0).tolist()


class FiniteGuard:
    """Lets steps through whose loss and gradient are finite, and stops a run after three in a row that are not.

    The gradients of float16 overflow by design until its scaler, which lowers the scale of the loss each time, has
    found one that suits them: such steps are left out, but do not count.

    Args:
        bad_steps: the number of last steps in a row that were not finite.
    """

    def __init__(self, bad_steps: int = 0) -> None:
        self.bad_steps = bad_steps

    def allows(self, step: int, finite: bool, overflow: bool = False) -> bool:
        """Tells whether a step can be taken.

        Args:
            step: the number of the step.
            finite: whether its loss and gradient are finite on every process.
            overflow: whether only its gradient is not finite, so that a smaller scale of the loss may help.

        Raises:
            ValueError: it is the third step in a row that cannot be taken.
        """
        if finite:
            self.bad_steps = 0
            return True
        self.bad_steps += not overflow
        if self.bad_steps == MAX_BAD_STEPS:
            raise ValueError(
                f"the loss or the gradients of {MAX_BAD_STEPS} steps in a row, the last of them step {step}, are not "
                f"finite; {ADVICE}"
            )
        return False
