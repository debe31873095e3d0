"""Averages the weights of a run, on one process or in shards on many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelseq.model.pixelrnn import PixelRNN

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class WeightAverage:
    """The exponential moving average of a model's weights.

    Where each process holds a shard of every weight, each averages its own shard; the whole is put together when it is
    asked for.

    Args:
        model: the model, whole on every process.
        decay: the decay per step.
        device: the device of the average.
    """

    def __init__(self, model: PixelRNN, decay: float, device: torch.device) -> None:
        self.averaged = AveragedModel(model, device, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.average_shards = get_ema_multi_avg_fn(decay)
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
            return
        if self.shards is None:
            self.shards = [
                distribute_tensor(whole.detach(), shard.device_mesh, shard.placements, src_data_rank=None)
                for whole, shard in zip(self.averaged.module.parameters(), sharded, strict=True)
            ]
        ours = [shard.to_local() for shard in self.shards]
        theirs = [shard.to_local().detach() for shard in sharded]
        if self.averaged.n_averaged == 0:
            torch._foreach_copy_(ours, theirs)
        else:
            self.average_shards(ours, theirs, self.averaged.n_averaged)
        self.averaged.n_averaged += 1

    @torch.no_grad()
    def put_together(self) -> AveragedModel:
        """Gives the averaged model, whole on every process; all processes must take part."""
        if self.shards is not None:
            for parameter, shard in zip(self.averaged.module.parameters(), self.shards, strict=True):
                parameter.copy_(shard.full_tensor())
        return self.averaged

    def forget_shards(self) -> None:
        """Notes that the averaged model has been written to, so that shards are cut from it anew."""
        self.shards = None
