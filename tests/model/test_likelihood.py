"""Sums over ragged batches are exact."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import ragged, small_model

from pixelseq import Likelihood, evaluate


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="`batch_size` is -1"):
        evaluate(small_model(), ragged(2, 2), batch_size=-1)


def test_the_mode_is_restored_after_an_error() -> None:
    model = small_model().train()
    with pytest.raises(ValueError, match="levels from"):
        evaluate(model, [torch.full((1, 1, 3), 9)])
    assert model.training


def test_units() -> None:
    likelihood = Likelihood(nll_nats=10 * math.log(2), images=4, values=5)
    assert likelihood.nats_per_image == pytest.approx(2.5 * math.log(2))
    assert likelihood.bits_per_dim == pytest.approx(2)


def test_standard_errors() -> None:
    # Equal sizes: that of a mean, in nats and in bits. Unlike sizes of one rate: the rate is known exactly.
    likelihood = Likelihood.of([1.0, 2.0, 6.0], [4, 4, 4])
    assert likelihood.nll_nats == 9
    assert likelihood.nats_error == pytest.approx(math.sqrt((4 + 1 + 9) / 2 / 3))
    assert likelihood.nats_error is not None
    assert likelihood.bits_error == pytest.approx(likelihood.nats_error / (4 * math.log(2)))
    assert Likelihood.of([1.0, 2.0, 3.0], [2, 4, 6]).bits_error == pytest.approx(0)
    assert Likelihood.of([1.0], [2]).nats_error is None


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_evaluate_counts_every_image_once_for_any_batch_size(batch_size: int) -> None:
    model = small_model(2.0, levels=4)
    images = ragged(7, 4)  # 7 is no multiple of 2 or 3: the last batch is smaller and counts
    one_by_one = sum(model.nll(image[None]).sum().item() for image in images)
    result = evaluate(model, images, batch_size)
    assert result.nll_nats == pytest.approx(one_by_one, rel=1e-12)
    assert (result.images, result.values) == (7, sum(image.numel() for image in images))


def test_evaluate_takes_mixed_widths_and_large_images_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2.0, levels=4)
    images = [torch.randint(4, (1, 1 + k % 3, 1 + k % 4), dtype=torch.uint8) for k in range(13)]
    one_by_one = sum(model.nll(image[None]).sum().item() for image in images)
    monkeypatch.setattr("pixelseq.model.likelihood.MAX_PIXELS", 7)
    sizes = []
    nll = model.checked_nll
    monkeypatch.setattr(model, "checked_nll", lambda batch: sizes.append(batch.levels.shape) or nll(batch))
    assert evaluate(model, images).nll_nats == pytest.approx(one_by_one, rel=1e-12)
    assert max(B * H * W for B, _, H, W in sizes) in range(6, 13)  # an image of 12 pixels is alone
    assert sum(B for B, *_ in sizes) == 13
    assert all(B == 1 or B * H * W <= 7 for B, _, H, W in sizes)


def test_evaluate_leaves_dropout_out_and_restores_the_mode() -> None:
    model = small_model(dropout=0.5).train()
    images = ragged(3, 2)
    assert evaluate(model, images) == evaluate(model, images)
    assert model.training
