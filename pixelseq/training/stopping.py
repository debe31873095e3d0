"""When a training run ends, and what ends it early."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

MOST_BAD_STEPS = 3
ADVICE = "the best checkpoint is kept: try a lower --learning-rate with another --out"


def any_process(accelerator: Accelerator, *flags: bool) -> list[bool]:
    """Whether each flag is up on any process, so that all of them do the same."""
    if accelerator.num_processes == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int64, device=accelerator.device)
    return (accelerator.reduce(counts, reduction="sum") > 0).tolist()


class FiniteGuard:
    """Lets steps through whose loss and gradient are finite, and stops a run after three in a row that are not.

    The gradients of float16 overflow by design until its scaler, which lowers the scale of the loss each time, has
    found one that suits them: such steps are left out, but do not count.

    Args:
        bad_steps: that came last.
    """

    def __init__(self, bad_steps: int = 0) -> None:
        self.bad_steps = bad_steps

    def allows(self, step: int, loss_is_finite: bool, gradient_is_finite: bool, scale: float = 1.0) -> bool:
        """Whether the step can be taken.

        Args:
            step: that would be taken.
            loss_is_finite: on every process.
            gradient_is_finite: on every process.
            scale: of the loss; a gradient that overflows at a scale of 1 has no smaller one to hope for.

        Raises:
            ValueError: it is the third in a row that cannot.
        """
        if loss_is_finite and gradient_is_finite:
            self.bad_steps = 0
            return True
        if not loss_is_finite or scale <= 1:
            self.bad_steps += 1
        if self.bad_steps == MOST_BAD_STEPS:
            raise ValueError(
                f"the loss or the gradients of {MOST_BAD_STEPS} steps in a row, the last of them step {step}, are not "
                f"finite; {ADVICE}"
            )
        return False
