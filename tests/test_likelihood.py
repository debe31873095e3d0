"""Sums over ragged batches are exact."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import small_model

from pixelseq import Likelihood, evaluate
from pixelseq.data import collate
from pixelseq.likelihood import image_nats
from pixelseq.training import ImageNats, warmup_cosine


def ragged(count: int, levels: int) -> list[torch.Tensor]:
    return [torch.randint(levels, (1, 1 + k % 4, 3), dtype=torch.uint8) for k in range(count)]


def test_units() -> None:
    likelihood = Likelihood(nll_nats=10 * math.log(2), images=4, values=5)
    assert likelihood.nats_per_image == pytest.approx(2.5 * math.log(2))
    assert likelihood.bits_per_dim == pytest.approx(2)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_evaluate_counts_every_image_once_for_any_batch_size(batch_size: int) -> None:
    model = small_model(2.0, levels=4)
    images = ragged(7, 4)  # 7 is no multiple of 2 or 3: the last batch is smaller and counts
    one_by_one = sum(model.nll(image[None]).sum().item() for image in images)
    result = evaluate(model, images, batch_size)
    assert result.nll_nats == pytest.approx(one_by_one, rel=1e-12)
    assert (result.images, result.values) == (7, sum(image.numel() for image in images))


def test_evaluate_leaves_dropout_out_and_restores_the_mode() -> None:
    model = small_model(dropout=0.5).train()
    images = ragged(3, 2)
    assert evaluate(model, images) == evaluate(model, images)
    assert model.training


def test_padding_changes_neither_loss_nor_gradient() -> None:
    model = small_model(2.0, levels=4)
    images = ragged(5, 4)
    ImageNats(model)(*collate(images)).sum().backward()
    together = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    for image in images:
        model.nll(image[None]).sum().backward()
    alone = [parameter.grad for parameter in model.parameters()]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_image_nats_ignores_rows_below_the_image() -> None:
    nats = torch.arange(12.0).view(2, 1, 3, 2)
    assert image_nats(nats, torch.tensor([1, 2])).tolist() == [0 + 1, 6 + 7 + 8 + 9]


def test_warmup_cosine() -> None:
    factors = [warmup_cosine(step, warmup=4, steps=12) for step in range(13)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[8] == pytest.approx(0.5)
    assert factors[12] == pytest.approx(0)
