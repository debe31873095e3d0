"""Samples come from the model, and image k from the seed and k alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import torch
from helpers import HEADS, all_images, small_model
from scipy.stats import chisquare

from pixelseq import complete, log_known, sample, stream
from pixelseq.generation.noise import Noise
from pixelseq.generation.options import SamplingOptions

DRAWS = 20_000


def test_frequencies_match_the_exact_probabilities() -> None:
    model = small_model(2.0, blocks=("row", "diagonal"))
    exact = (-model.nll(all_images(2, 1, 2, 2)).sum((1, 2, 3))).exp().detach()
    drawn = sample(model, DRAWS, 2, 2, seed=1).flatten(1)
    counts = (drawn * torch.tensor([8, 4, 2, 1])).sum(1).bincount(minlength=16)
    assert exact.max() > 3 * exact.min()
    assert chisquare(counts, exact * DRAWS).pvalue > 0.01
    wrong = exact.flip(0)
    assert chisquare(counts, wrong * DRAWS).pvalue < 1e-6  # the test can fail


@pytest.mark.parametrize("head", HEADS)
def test_frequencies_of_colours_match_the_exact_probabilities(head: str) -> None:
    model = small_model(2.0, channels=3, levels=2, head=head)
    exact = (-model.nll(all_images(2, 3, 1, 1)).sum((1, 2, 3))).exp().detach()
    drawn = sample(model, DRAWS, 1, 1, seed=1).flatten(1)
    counts = (drawn * torch.tensor([4, 2, 1])).sum(1).bincount(minlength=8)
    assert chisquare(counts, exact * DRAWS).pvalue > 0.01


@pytest.mark.parametrize("levels", [2, 5, 17, 256])
@pytest.mark.parametrize("head", HEADS)
def test_frequencies_of_levels_match_the_table(head: str, levels: int) -> None:
    model = small_model(2.0, levels=levels, head=head)
    exact = model(torch.zeros(1, 1, 1, 1, dtype=torch.long)).exp().flatten().detach()
    drawn = torch.cat([sample(model, 2000, 1, 1, seed=1, first_index=first) for first in range(0, DRAWS, 2000)])
    counts = drawn.flatten().bincount(minlength=levels)
    assert chisquare(counts, exact * DRAWS).pvalue > 0.01


def test_image_k_is_the_same_for_any_batch_size() -> None:
    model = small_model(levels=7, channels=3)
    together = sample(model, 5, 3, 4, seed=3)
    assert together.shape == (5, 3, 3, 4)
    parts = [sample(model, n, 3, 4, seed=3, first_index=first) for first, n in [(0, 1), (1, 3), (4, 1)]]
    assert torch.equal(torch.cat(parts), together)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(sample(model, 5, 3, 4, seed=4), together)


def test_a_generator_is_a_seed() -> None:
    model = small_model(levels=7)
    one, other = (sample(model, 2, 3, 3, seed=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint64])
def test_a_numpy_integer_is_a_seed(kind: type[np.integer]) -> None:
    model = small_model(levels=7)
    assert torch.equal(sample(model, 2, 3, 3, seed=kind(5)), sample(model, 2, 3, 3, seed=5))


def test_no_seed_draws_another_one_at_every_call() -> None:
    """Not even torch's own seed decides, which is one number in every new process."""
    model, images, known = small_model(levels=7), torch.zeros(1, 1, 5, 5, dtype=torch.long), torch.zeros(5, 5).bool()
    known[2:] = True
    calls: list[Callable[[], torch.Tensor]] = [
        lambda: sample(model, 1, 5, 5, seed=None),
        lambda: next(stream(model, 1, 25, seed=None)),
        lambda: complete(model, images, known, seed=None),
        lambda: log_known(model, images, known, 2, seed=None),
    ]
    for call in calls:
        results = []
        for _ in range(2):
            torch.manual_seed(0)
            results.append(call())
        assert not torch.equal(*results)


def test_stream_continues_sample() -> None:
    model = small_model(levels=7)
    rows = list(islice(stream(model, 2, 4, seed=3), 6))
    assert rows[0].shape == (2, 1, 4)
    assert torch.equal(torch.stack(rows, dim=2), sample(model, 2, 6, 4, seed=3))


def test_draw_takes_the_level_at_which_the_cumulative_passes() -> None:
    log_probs = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log().expand(6, 3)
    uniform = torch.tensor([0.0, 0.1999, 0.2001, 0.6999, 0.7001, 1 - 2**-52], dtype=torch.float64)
    assert SamplingOptions().draw(log_probs, uniform).tolist() == [0, 0, 1, 1, 2, 2]


def test_temperature() -> None:
    log_probs = torch.tensor([0.2, 0.8], dtype=torch.float64).log().expand(2, 2)
    # At temperature 1/2 the probabilities are squared: 0.04 / 0.68 = 0.0588.
    assert SamplingOptions(temperature=0.5).draw(log_probs, torch.tensor([0.0587, 0.0589])).tolist() == [0, 1]


def test_a_temperature_close_to_zero_takes_the_likeliest_level() -> None:
    log_probs = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log().expand(1000, 3)
    assert set(SamplingOptions(temperature=1e-310).draw(log_probs, torch.arange(1000) / 1000).tolist()) == {1}


def test_top_k_keeps_the_likeliest_levels() -> None:
    log_probs = torch.tensor([[0.2, 0.5, 0.3]]).log().expand(1000, 3)
    uniform = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    assert set(SamplingOptions(top_k=1).draw(log_probs, uniform).tolist()) == {1}
    assert SamplingOptions(top_k=2).draw(log_probs, uniform).bincount().tolist() == [0, 625, 375]
    assert (
        SamplingOptions(top_k=3).draw(log_probs, uniform).bincount().tolist()
        == SamplingOptions().draw(log_probs, uniform).bincount().tolist()
    )


def test_temperature_0_takes_the_likeliest_level_the_first_of_equals() -> None:
    log_probs = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]]).log()
    assert SamplingOptions(temperature=0).draw(log_probs, torch.tensor([0.99, 0.99])).tolist() == [1, 0]


def test_top_p_keeps_the_fewest_levels_that_hold_it() -> None:
    log_probs = torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64).log().expand(1000, 3)
    uniform = torch.arange(1000) / 1000
    assert set(SamplingOptions(top_p=0.5).draw(log_probs, uniform).tolist()) == {1}
    kept = SamplingOptions(top_p=0.8).draw(log_probs, uniform)
    assert set(kept.tolist()) == {1, 2}
    assert (kept == 1).float().mean().item() == pytest.approx(2 / 3, abs=0.002)
    assert set(SamplingOptions(top_p=1.0).draw(log_probs, uniform).tolist()) == {0, 1, 2}


def test_the_last_level_of_a_cut_distribution_is_never_passed() -> None:
    log_probs = torch.tensor([0.7, 0.2, 0.1]).log().expand(1, 3)
    assert SamplingOptions(top_p=0.6).draw(log_probs, torch.tensor([1 - 2**-52], dtype=torch.float64)).item() == 0


def test_noise_is_uniform_and_below_one() -> None:
    rows = torch.cat([Noise(0, range(100), torch.device("cpu")).row(20, 3) for _ in range(2)])
    assert torch.equal(rows[:100], rows[100:])
    assert rows.min() >= 0
    assert rows.max() < 1
    assert chisquare((rows[:100] * 10).long().flatten().bincount(minlength=10)).pvalue > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num": 0}, "`num` is 0"),
        ({"height": 0}, "`height` is 0"),
        ({"width": 0}, "`width` is 0"),
        ({"method": "jacobi"}, "`method` is 'jacobi'"),
        ({"method": "fixed_point", "num": 0}, "`num` is 0"),
        ({"seed": -1}, "`seed` is -1"),
        ({"seed": 1.5}, r"`seed` is 1\.5"),
        ({"seed": np.int8(-1)}, "`seed` is -1"),
        ({"seed": np.float64(1)}, r"`seed` is 1\.0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_arguments_out_of_range(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(small_model(), **({"num": 1, "height": 2, "width": 2} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": -0.1}, r"`temperature` is -0\.1"),
        ({"temperature": float("nan")}, "`temperature` is nan"),
        ({"top_k": -1}, "`top_k` is -1"),
        ({"top_p": 0.0}, r"`top_p` is 0\.0"),
        ({"top_p": 1.5}, r"`top_p` is 1\.5"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_out_of_range(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamplingOptions(**fields)  # type: ignore[arg-type]


def test_stream_refuses_at_the_call() -> None:
    with pytest.raises(ValueError, match="`num` is 0"):
        stream(small_model(), 0, 4)


def test_dropout_plays_no_part() -> None:
    model = small_model(levels=7, dropout=0.5).train()
    assert torch.equal(sample(model, 2, 3, 3), sample(model.eval(), 2, 3, 3))
