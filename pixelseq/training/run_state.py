"""All that a training run changes: it takes steps, is saved, and is resumed."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pixelseq.data.dataset import Dataset
from pixelseq.model.likelihood import Likelihood
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.training.average import WeightAverage
from pixelseq.training.gradients import ImageNats, sum_over_processes
from pixelseq.training.saved_state import (
    Progress,
    SavedState,
    collect_tensors,
    newest_state,
    restore_tensors,
    save_state,
)
from pixelseq.training.stopping import FiniteGuard, any_process

if TYPE_CHECKING:
    from accelerate import Accelerator


class RunState:
    """The weights, their average, the optimizer and the counters of a run.

    Args:
        accelerator: the run's accelerator.
        loss: the model that is trained, as a loss.
        optimizer: the optimizer of its parameters.
        ema_decay: the decay per step of the averaged weights.
        compile: whether to compile the model with torch.compile.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        loss: ImageNats,
        optimizer: torch.optim.Optimizer,
        ema_decay: float,
        compile: bool,
    ) -> None:
        self.accelerator, self.model, self.plain_optimizer = accelerator, loss.model, optimizer
        if compile:
            loss.compile()
        self.average = WeightAverage(loss.model, ema_decay, accelerator.device)
        self.network, self.optimizer = accelerator.prepare(loss, optimizer)
        # Nats, images and values since the last line of metrics.
        self.window = torch.zeros(3, dtype=torch.float64, device=accelerator.device)
        self.progress = Progress()
        self.guard = FiniteGuard()

    @property
    def averaged(self) -> PixelRNN:
        """The model of averaged weights, which is the one evaluated and saved; all processes ask for it together."""
        model = self.average.put_together().module
        assert isinstance(model, PixelRNN)
        return model

    def resume(self, folder: Path, data: Dataset) -> None:
        """Goes on from the newest whole state in `folder`, if there is one, and says so.

        Args:
            folder: the folder of the run's states.
            data: the data set that is trained on.

        Raises:
            ValueError: the run was begun with other images, or no state is whole.
        """
        saved, damaged = newest_state(folder)
        progress = self.progress = saved.progress if saved else Progress()
        fingerprint = data.fingerprint()
        if progress.data not in (None, fingerprint):
            raise ValueError(
                f"{data.name} has other images than when {folder.parent} was begun; choose another folder with `out`"
            )
        progress.data = fingerprint
        self.guard = FiniteGuard(progress.bad_steps)
        main_process = self.accelerator.is_main_process
        if main_process and (saved or damaged):
            print("; ".join([*damaged, f"going on after step {progress.step}"]), file=sys.stderr)
        if not saved:
            return
        restore_tensors(saved.tensors, self.network, self.average.averaged, self.plain_optimizer)
        self.average.note_restored()
        if self.accelerator.scaler is not None and progress.scaler:
            self.accelerator.scaler.load_state_dict(progress.scaler)
        if len(progress.windows) == self.accelerator.num_processes:
            self.window += self.window.new_tensor(progress.windows[self.accelerator.process_index])
        elif main_process:
            self.window += self.window.new_tensor(progress.windows).sum(0)

    def step(self, sums: Tensor, gradient_norm: float) -> None:
        """Takes a step along the gradients at hand, unless they are not finite, and clears them.

        Args:
            sums: nats, images and values of this process's share of the batch.
            gradient_norm: the norm of the gradient over all processes; not finite where the loss of one is not.

        Raises:
            ValueError: it is the third step in a row that cannot be taken.
        """
        scaler = self.accelerator.scaler  # scales float16's gradients; None otherwise
        self.progress.step += 1
        finite = math.isfinite(gradient_norm)
        overflow = False
        if not finite and scaler is not None and scaler.get_scale() > 1:
            overflow = not any_process(self.accelerator, not math.isfinite(sums[0]))[0]
        if self.guard.allows(self.progress.step, finite, overflow):
            self.window += sums
            self.optimizer.step()
            self.average.update(self.model)
        elif scaler is not None:
            scaler.update()  # to a lower scale, where gradients overflowed
        self.optimizer.zero_grad()

    def close_window(self) -> Likelihood:
        """Gives the likelihood of the images trained on since the last call, over all processes."""
        seen = sum_over_processes(self.accelerator, self.window)
        self.window.zero_()
        self.progress.trained += seen.images
        return seen

    def note_validation(self, held_out: Likelihood) -> bool:
        """Counts a validation; returns whether it is the best so far."""
        progress = self.progress
        progress.without_gain += 1
        if progress.best is not None and held_out.bits_per_dim >= progress.best:
            return False
        progress.best, progress.best_nats, progress.without_gain = held_out.bits_per_dim, held_out.nats_per_image, 0
        return True

    def save(self, folder: Path, seconds: float, keep: int) -> None:
        """Writes a state to go on from; every process takes part.

        Args:
            folder: the folder of the run's states.
            seconds: the seconds that the run has taken.
            keep: the number of states that are kept.
        """
        from accelerate.utils import gather_object

        progress, scaler = self.progress, self.accelerator.scaler
        progress.seconds, progress.bad_steps = seconds, self.guard.bad_steps
        progress.windows = gather_object([self.window.tolist()])
        progress.scaler = None if scaler is None else scaler.state_dict()
        tensors = collect_tensors(self.network, self.average.put_together(), self.plain_optimizer)
        if self.accelerator.is_main_process:
            save_state(folder, SavedState(progress, tensors), keep)
        self.accelerator.wait_for_everyone()
