"""Averaged weights: in shards as on one process."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from helpers import small_model
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from pixelseq import PixelRNN
from pixelseq.training.average import WeightAverage, warm_decay

CPU = torch.device("cpu")


@pytest.fixture
def one_process() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def change(model: PixelRNN, step: int) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 0.1 * step).add_(0.01)


@pytest.mark.parametrize("decay", [0.75, 0.2, 0.0])
def test_an_average_by_hand(decay: float) -> None:
    model = small_model()
    average = WeightAverage(model, decay, CPU)
    expected = torch.zeros_like(model.head.from_features[0].weight)
    for step in range(5):
        change(model, step)
        average.update(model)
        weight = model.head.from_features[0].weight.detach().clone()
        kept = [0, 2 / 11, 3 / 12, 4 / 13, 5 / 14][step]  # of what was averaged before
        expected = weight + min(decay, kept) * (expected - weight)
    torch.testing.assert_close(average.put_together().module.head.from_features[0].weight, expected)


@pytest.mark.parametrize("averaged", [1, 10, 1000, 10**6])
def test_the_decay_rises_to_what_was_asked_for(averaged: int) -> None:
    assert warm_decay(0.995, averaged) == (0.995 if averaged > 1790 else (1 + averaged) / (10 + averaged))


@pytest.mark.parametrize("restored_at", [None, 0, 2])
def test_shards_are_averaged_as_whole_weights_are(one_process: None, restored_at: int | None) -> None:
    model = small_model()
    twin = copy.deepcopy(model)
    averages = WeightAverage(model, 0.75, CPU), WeightAverage(twin, 0.75, CPU)
    fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())
    for step in range(4):
        if step == restored_at:  # as from a saved state, which holds the whole
            averages[0].put_together()
            averages[0].note_restored()
        for one, average in zip((model, twin), averages, strict=True):
            change(one, step)
            average.update(one)
    sharded, whole = (average.put_together() for average in averages)
    assert sharded.n_averaged == whole.n_averaged == 4
    for one, other in zip(sharded.module.parameters(), whole.module.parameters(), strict=True):
        assert not isinstance(one, DTensor)
        torch.testing.assert_close(one, other)
