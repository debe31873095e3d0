"""Images that training moves, and what the model is told of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers import small_model
from torch import Tensor

from pixelseq.data import DataOptions, load
from pixelseq.data.batches import batches_by_width
from pixelseq.data.store import Images, Store, Telling
from pixelseq.model.batch import Batch
from pixelseq.model.orders import turn
from pixelseq.training.conditions import conditional
from pixelseq.training.config import TrainConfig
from pixelseq.training.gradients import ImageNats

COUNT = 300


def moved_by_hand(image: Tensor, down: int, right: int, border: tuple[int, ...]) -> Tensor:
    moved = image.clone()
    C, H, W = image.shape
    for c in range(C):
        for i in range(H):
            for j in range(W):
                inside = 0 <= i - down < H and 0 <= j - right < W
                moved[c, i, j] = image[c, i - down, j - right] if inside else border[c]
    return moved


@pytest.mark.parametrize("orders", [1, 8])
def test_training_moves_images_by_every_amount(orders: int) -> None:
    stored = [torch.arange(2 * h * 3, dtype=torch.uint8).view(2, h, 3) for h in [2, 3, 1] * (COUNT // 3)]
    telling = Telling(orders=orders, shift=2, border=(100, 101))
    images = dataclasses.replace(Images.of(Store.of(stored)), telling=telling)
    drawn = images.drawn(np.arange(COUNT), np.zeros(COUNT, int), seed=1)
    assert {tuple(move) for move in drawn.moves.tolist()} == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
    for k, image in enumerate(drawn):
        expected = moved_by_hand(stored[k], *drawn.moves[k].tolist(), (100, 101))
        assert torch.equal(image, turn(expected, int(drawn.orders[k])))
    assert all(torch.equal(image, own) for image, own in zip(images, stored, strict=True))  # as evaluation sees them
    other = images.drawn(np.arange(COUNT), np.ones(COUNT, int), seed=1)
    assert (other.moves != drawn.moves).any()
    for batch in batches_by_width(drawn):
        assert batch.moves is not None
        assert len(batch.moves) == len(batch.levels)


def test_the_model_is_told_each_move_and_no_move_is_no_change() -> None:
    model = small_model(2.0, levels=4)
    loss = ImageNats(model, shift=1)
    assert loss.moves is not None
    levels = torch.randint(4, (9, 1, 3, 3), dtype=torch.uint8)
    moves = torch.tensor([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    heights = torch.full((9,), 3)
    told = Batch(levels, heights, moves=moves)
    plain = ImageNats(model)(Batch(levels, heights))
    assert torch.equal(loss(told), plain)  # before training
    loss(told).sum().backward()
    gradients = loss.moves.weight.grad
    assert gradients is not None
    assert (gradients.abs().sum(1) > 0).tolist() == [k != 4 for k in range(9)]
    with torch.no_grad():
        loss.moves.weight -= gradients
    changed = loss(told) != plain
    assert changed.tolist() == [k != 4 for k in range(9)]
    assert torch.equal(loss(Batch(levels, heights)), plain)
    assert not any("moves" in name for name in model.state_dict())  # nothing of it in a checkpoint


def test_borders_are_of_the_most_frequent_level() -> None:
    data = load(DataOptions("digits"))
    _, moved = conditional(TrainConfig(shift=1), data)
    assert isinstance(moved.train, Images)
    counts = torch.cat([image.flatten() for image in moved.validation]).bincount()
    assert moved.train.telling == Telling(shift=1, border=(int(counts.argmax()),))
    assert moved.validation.telling == moved.test.telling == Telling()


@pytest.mark.parametrize("shift", [-1, 10**10])
def test_a_shift_out_of_range(shift: int) -> None:
    with pytest.raises(ValueError, match=f"`shift` is {shift}; it must be from 0 to 64"):
        TrainConfig(shift=shift)
