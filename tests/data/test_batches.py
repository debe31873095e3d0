"""The order of training is a function of the seed, and every image is used equally often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import numpy as np
import pytest
import torch

from pixelseq.data import Images, Store, View, batches_by_width, bundled, load, training_batches
from pixelseq.data.loading import load_as_named
from pixelseq.data.splits import with_all_splits
from pixelseq.data.store import Telling, generator
from pixelseq.generation.noise import Noise
from pixelseq.training.stages import stage_images


def numbered(sizes: list[tuple[int, int]], view: View | None = None) -> Images:
    """Images of given sizes, each filled with its number."""
    store = Store.of([torch.full((1, *size), k, dtype=torch.uint8) for k, size in enumerate(sizes)])
    return Images(store, *(Images.of(store).indices,) * 2, view or View())


def numbers(batch: Images) -> list[int]:
    return [int(image[0, 0, 0]) for image in batch]


MIXED = [(1 + k % 3, 2 + k % 4) for k in range(22)]


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "a"])
def test_a_seed_out_of_range_is_refused(seed: Any) -> None:
    for use in (
        lambda: load("digits", seed=seed),
        lambda: load_as_named("digits", seed=seed),
        lambda: next(training_batches(numbered([(2, 2)]), 1, seed)),
    ):
        with pytest.raises(ValueError, match=r"`seed` is .*; it must be a whole number of at least 0 and below"):
            use()


def test_large_seeds_differ() -> None:
    drawn = {generator(seed, 1, 2, 3).random() for seed in (2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)}
    assert len(drawn) == 4


def test_batches_by_width_keep_every_image() -> None:
    images = [torch.full((1, 1, 1 + k % 2), k) for k in range(5)]
    batches = batches_by_width(images)
    assert [batch.levels[:, 0, 0, 0].tolist() for batch in batches] == [[0, 2, 4], [1, 3]]
    stacked = numbered([(2, 3)] * 4)  # as one block
    (batch,) = batches_by_width(stacked)
    assert torch.equal(batch.levels, torch.stack(list(stacked)))
    assert batch.heights.tolist() == [2] * 4
    assert batches_by_width(stacked[:0]) == batches_by_width([]) == []


def test_images_of_one_width_are_used_equally_often() -> None:
    images = numbered([(2, 2)] * 10)

    def order(seed: int) -> list[int]:
        return list(chain.from_iterable(map(numbers, islice(training_batches(images, 4, seed), 15))))

    flat = order(seed=1)
    assert Counter(flat) == dict.fromkeys(range(10), 6)
    assert sorted(flat[:10]) == list(range(10))
    assert flat[:10] != flat[10:20]
    assert flat == order(seed=1)
    assert flat != order(seed=2)
    assert all(len(batch) == 4 for batch in islice(training_batches(images, 4, seed=1), 15))
    assert len(next(training_batches(images[:3], 8, seed=0))) == 8


@pytest.mark.parametrize("budget", [{"batch_size": 4}, {"batch_size": 1, "batch_pixels": 24}], ids=["count", "pixels"])
def test_mixed_widths_are_bucketed_and_used_equally_often(budget: dict[str, int]) -> None:
    images = numbered(MIXED)
    batches = list(islice(training_batches(images, seed=3, **budget), 400))
    used = Counter(number for batch in batches for number in numbers(batch))
    assert len(used) == 22
    assert max(used.values()) - min(used.values()) <= 2  # of about 70 uses: those of the epochs that are not over
    widths = [{image.shape[2] for image in batch} for batch in batches]
    assert sum(len(found) == 1 for found in widths) > 100  # at most 4 or 5 batches an epoch lie across two widths
    if "batch_pixels" in budget:
        pixels = [sum(image[0].numel() for image in batch) for batch in batches]
        assert max(pixels) <= 24
        assert sum(pixels) / len(pixels) > 16
    else:
        assert {len(batch) for batch in batches} == {4}


def test_an_image_above_the_budget_is_a_batch_of_its_own() -> None:
    batches = list(islice(training_batches(numbered([(9, 9), (1, 1), (1, 1)]), 1, seed=0, batch_pixels=2), 12))
    assert {tuple(sorted(numbers(batch))) for batch in batches} <= {(0,), (1,), (2,), (1, 2), (1, 1), (2, 2)}
    assert any(0 in numbers(batch) for batch in batches)


@pytest.mark.parametrize("sizes", [[(2, 2)] * 10, MIXED], ids=["one-size", "mixed"])
def test_batches_do_not_depend_on_processes_or_on_where_they_start(sizes: list[tuple[int, int]]) -> None:
    images = numbered(sizes, View(flip=True, crop=(2, 2)))
    whole = list(islice(training_batches(images, 5, seed=3), 20))
    for world in (2, 3, 7):
        shares = [training_batches(images, 5, seed=3, rank=rank, world=world) for rank in range(world)]
        for batch in whole:
            parts = [next(share) for share in shares]
            for k, image in enumerate(batch):
                assert torch.equal(image, parts[k % world][k // world])
            assert sum(map(len, parts)) == len(batch)
    for batch, later in zip(whole[7:], training_batches(images, 5, seed=3, start=7), strict=False):
        assert numbers(batch) == numbers(later)
        assert batch.epochs.tolist() == later.epochs.tolist()  # type: ignore[union-attr]


def test_no_images_and_no_size_are_refused() -> None:
    with pytest.raises(ValueError, match="no training images"):
        next(training_batches(numbered([(1, 1)])[:0], 4, seed=0))
    with pytest.raises(ValueError, match="the batch size is 0"):
        next(training_batches(numbered([(1, 1)]), 0, seed=0))


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], set[tuple[int, ...]]]:
    """Gives the key and the counter of each stream of random numbers that something begins."""
    made: list[tuple[int, ...]] = []
    philox = np.random.Philox

    def noted(key: Sequence[int], counter: Sequence[int] = (0, 0, 0, 0)) -> np.random.Philox:
        made.append(tuple(map(int, (*key, *counter))))
        return philox(key=key, counter=counter)

    monkeypatch.setattr("numpy.random.Philox", noted)

    def begun(use: Callable[[], object]) -> set[tuple[int, ...]]:
        made.clear()
        use()
        return set(made)

    return begun


def test_no_two_uses_of_a_seed_share_a_stream_of_random_numbers(
    streams: Callable[[Callable[[], object]], set[tuple[int, ...]]],
) -> None:
    images = numbered([(2, 2)] * 10, View(flip=True, binarize=256))
    labelled = replace(images, store=replace(images.store, labels=torch.arange(10)))
    told = replace(labelled, view=View(), telling=Telling("label", dropout=0.5, orders=8, shift=2, border=(0,)))
    ten = np.arange(10), np.zeros(10, int), 0
    uses = {
        "evaluation": streams(lambda: list(images)),
        "training": streams(lambda: [list(batch) for batch in islice(training_batches(images, 4, seed=0), 10)]),
        "untold": streams(lambda: told.drawn(*ten).condition),
        "turned": streams(lambda: told.drawn(*ten).orders),
        "moved": streams(lambda: told.drawn(*ten).moves),
        "splits": streams(lambda: with_all_splits({"train": images}, seed=0)),
        "stages": streams(lambda: stage_images(images, "encoder")),
    }
    # 40 images are those of 4 epochs; the order of a fifth is known before the last batch is.
    assert {name: len(begun) for name, begun in uses.items()} == {
        "evaluation": 10,
        "training": 40 + 5,
        "untold": 10,
        "turned": 10,
        "moved": 10,
        "splits": 1,
        "stages": 1,
    }
    assert len(set().union(*uses.values())) == sum(map(len, uses.values()))
    # What made published data and samples is of the same form; `ORDER` says why it stays, and what it coincides with.
    shared = {
        name: {other for other, begun in uses.items() if begun & streams(use)}
        for name, use in {
            "digits": lambda: bundled.digits(),
            "columns": lambda: bundled.digit_columns(),
            "noise": lambda: Noise(0, range(3), torch.device("cpu"), range(8)),
        }.items()
    }
    assert shared == {
        "digits": {"splits"},
        "columns": {"splits"},
        "noise": set(uses),
    }
    assert streams(lambda: Noise(1, range(3), torch.device("cpu"), range(8))).isdisjoint(set().union(*uses.values()))
