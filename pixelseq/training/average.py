"""Averages the weights of a run, on one process or in shards on many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from pixelseq.model.pixelrnn import PixelRNN

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Tensors = tuple[Tensor, ...] | list[Tensor]


def warm_decay(decay: float, averaged: int) -> float:
    """Gives the decay of the next average, which starts low: the first weights of a run are soon forgotten.

    Args:
        decay: the decay after many steps.
        averaged: the number of weights that the average holds.
    """
    return min(decay, (1 + averaged) / (10 + averaged))


class WeightAverage:
    """The exponential moving average of a model's weights, with a decay that starts low.

    Where each process holds a shard of every weight, each averages its own shard; the whole is put together when it is
    asked for.

    Args:
        model: the model, whole on every process.
        decay: the decay per step, after many steps.
        device: the device of the average.
    """

    def __init__(self, model: PixelRNN, decay: float, device: torch.device) -> None:
        self.decay = decay
        self.averaged = AveragedModel(model, device, multi_avg_fn=self._average)
        self.count = 0  # of averaged weights, as on the device, which need not be asked
        self.shards: list[DTensor] | None = None

    def update(self, model: PixelRNN) -> None:
        """Takes the weights after a step into the average.

        Args:
            model: the same model as before, whole or in shards.
        """
        from torch.distributed.tensor import DTensor, distribute_tensor  # here: it takes a third of a second

        sharded = [parameter for parameter in model.parameters() if isinstance(parameter, DTensor)]
        if not sharded:
            self.averaged.update_parameters(model)
            self.count += 1
            return
        if self.shards is None:
            self.shards = [
                distribute_tensor(whole.detach(), shard.device_mesh, shard.placements, src_data_rank=None)
                for whole, shard in zip(self.averaged.module.parameters(), sharded, strict=True)
            ]
        ours = [shard.to_local() for shard in self.shards]
        theirs = [shard.to_local().detach() for shard in sharded]
        if self.count == 0:
            torch._foreach_copy_(ours, theirs)
        else:
            self._average(ours, theirs)
        self.averaged.n_averaged += 1
        self.count += 1

    @torch.no_grad()
    def _average(self, ours: Tensors, theirs: Tensors, _: object = None) -> None:
        torch._foreach_lerp_(ours, theirs, 1 - warm_decay(self.decay, self.count))

    @torch.no_grad()
    def put_together(self) -> AveragedModel:
        """Gives the averaged model, whole on every process; all processes must take part."""
        if self.shards is not None:
            for parameter, shard in zip(self.averaged.module.parameters(), self.shards, strict=True):
                parameter.copy_(shard.full_tensor())
        return self.averaged

    def note_restored(self) -> None:
        """Notes that the averaged model has been written to: shards are cut from it anew, and weights counted on."""
        self.shards = None
        self.count = int(self.averaged.n_averaged)
