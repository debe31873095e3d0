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
from pixelseq.training.average import WeightAverage

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


def test_an_average_by_hand() -> None:
    model = small_model()
    average = WeightAverage(model, 0.75, CPU)
    weights = []
    for step in range(3):
        change(model, step)
        average.update(model)
        weights.append(model.head.from_features[0].weight.detach().clone())
    expected = 0.75 * (0.75 * weights[0] + 0.25 * weights[1]) + 0.25 * weights[2]
    torch.testing.assert_close(average.put_together().module.head.from_features[0].weight, expected)


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
            averages[0].forget_shards()
        for one, average in zip((model, twin), averages, strict=True):
            change(one, step)
            average.update(one)
    sharded, whole = (average.put_together() for average in averages)
    assert sharded.n_averaged == whole.n_averaged == 4
    for one, other in zip(sharded.module.parameters(), whole.module.parameters(), strict=True):
        assert not isinstance(one, DTensor)
        torch.testing.assert_close(one, other)
