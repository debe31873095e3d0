"""What an image is told, and the order of its pixels: distributions of their own, each right."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import all_images, small_config, small_model
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelRNN
from pixelseq.model.orders import fitting_order, known_late, turn, turn_back, turned_size

PLACES = {
    0: lambda i, j: (i, j),
    1: lambda i, j: (-i, j),
    2: lambda i, j: (i, -j),
    3: lambda i, j: (-i, -j),
    4: lambda i, j: (j, i),
    5: lambda i, j: (j, -i),
    6: lambda i, j: (-j, i),
    7: lambda i, j: (-j, -i),
}
"""Where pixel (i, j) comes in each order: tuples that are sorted as the pixels are."""
ALL: dict[str, Any] = {"classes": 3, "vector_features": 2, "orders": 8, "condition_dropout": 0.1}
VECTOR = torch.tensor([[0.5, -2.0]])


def conditions() -> list[Condition | None]:
    told = [Condition(label=torch.tensor([k])) for k in range(3)]
    return [None, *told, Condition(vector=VECTOR), Condition(label=torch.tensor([1]), vector=VECTOR)]


@pytest.mark.parametrize(("channels", "size"), [(1, (2, 3)), (3, (1, 2)), (3, (2, 1))])
def test_each_condition_and_each_order_is_a_distribution(channels: int, size: tuple[int, int]) -> None:
    model = small_model(2.0, channels=channels, **ALL)
    images = all_images(2, channels, *size)
    found = []
    for condition, order in itertools.product(conditions(), range(8)):
        found.append((-model.nll(images, condition, order).sum((1, 2, 3))).exp())
        assert found[-1].sum().item() == pytest.approx(1, abs=1e-12)
    for one, other in itertools.combinations(found, 2):
        assert (one - other).abs().max() > 1e-4  # each is one of its own
    for condition in conditions():
        mean = model.log_prob(images, condition).exp()
        assert mean.sum().item() == pytest.approx(1, abs=1e-12)
        of_orders = [(-model.nll(images, condition, order).sum((1, 2, 3))).exp() for order in range(8)]
        torch.testing.assert_close(mean, torch.stack(of_orders).mean(0))


@pytest.mark.parametrize("order", range(8))
def test_exactly_the_pixels_before_in_the_order_are_seen_and_the_condition_everywhere(order: int) -> None:
    H, W = 3, 4
    model = small_model(2.0, levels=4, blocks=("diagonal",), hidden=6, head_features=16, **ALL)
    image = torch.randint(4, (1, 1, H, W))
    places = {(i, j): PLACES[order](i, j) for i in range(H) for j in range(W)}
    before = model(image, order=order)
    for i, j in places:
        changed = image.clone()
        changed[0, 0, i, j] = (image[0, 0, i, j] + 1) % 4
        unlike = (model(changed, order=order) != before).any(1)[0, 0]
        assert unlike.tolist() == [[places[y, x] > places[i, j] for x in range(W)] for y in range(H)]
    reached = [(model(image, told, order) != before).any(1) for told in conditions()[1:]]
    assert torch.stack(reached).any(0).all()


@pytest.mark.parametrize("order", range(8))
@pytest.mark.parametrize("size", [(2, 5), (4, 1), (3, 3)])
def test_turning_puts_the_pixels_of_an_order_in_order_and_back(order: int, size: tuple[int, int]) -> None:
    H, W = size
    pixels = [(i, j) for i in range(H) for j in range(W)]
    image = torch.arange(H * W).view(1, H, W)
    turned = turn(image, order)
    assert turned.shape[1:] == turned_size(H, W, order)
    expected = sorted(pixels, key=lambda pixel: PLACES[order](*pixel))
    assert turned.flatten().tolist() == [i * W + j for i, j in expected]
    assert torch.equal(turn_back(turned, order), image)


def test_the_fitting_order_leaves_the_fewest_known_pixels_after_unknown_ones() -> None:
    H, W = 3, 4
    known = torch.rand(200, H, W, generator=torch.Generator().manual_seed(0)) < 0.8
    known[:2] = torch.tensor([True, False])[:, None, None]
    late = torch.zeros(200, 8, dtype=torch.long)
    for n, order in itertools.product(range(200), range(8)):
        pixels = itertools.product(range(H), range(W))
        flat = [bool(known[n][pixel]) for pixel in sorted(pixels, key=lambda pixel: PLACES[order](*pixel))]
        late[n, order] = sum(one for k, one in enumerate(flat) if not all(flat[:k]))
    for order in range(8):
        assert torch.equal(known_late(known, order), late[:, order])
    for orders in (1, 2, 4, 8):
        expected = [row.index(min(row)) for row in late[:, :orders].tolist()]
        assert fitting_order(known, orders).tolist() == expected


def test_a_model_of_one_order_and_no_condition_has_no_weights_for_them() -> None:
    names = PixelRNN(small_config()).state_dict().keys()
    told = PixelRNN(small_config(**ALL)).state_dict().keys()
    assert told - names == {f"conditioning.{name}" for name in _PARTS}
    assert names <= told
    fresh = PixelRNN(small_config(**ALL))
    image = torch.randint(2, (1, 1, 3, 3))
    assert torch.equal(fresh(image), fresh(image, conditions()[-1]))  # nothing has been learned yet


_PARTS = ("label.weight", "vector.weight", "vector.bias", "no_vector", "order.weight")


def test_rows_that_are_not_told_are_as_if_there_were_no_condition() -> None:
    model = small_model(2.0, **ALL)
    images = torch.randint(2, (3, 1, 3, 4))
    part = Condition(
        label=torch.tensor([2, -1, 1]), vector=VECTOR.expand(3, 2), vector_known=torch.tensor([True, False, False])
    )
    found = model.nll(images, part)
    torch.testing.assert_close(found[1:2], model.nll(images[1:2]))
    torch.testing.assert_close(found[:1], model.nll(images[:1], Condition(torch.tensor([2]), VECTOR)))
    torch.testing.assert_close(found[2:], model.nll(images[2:], Condition(torch.tensor([1]))))


@pytest.mark.parametrize("length", [5, 64, 384])
def test_what_an_image_is_told_is_the_same_in_any_batch_to_the_last_bit(length: int) -> None:
    model = small_model(2.0, hidden=16, **(ALL | {"vector_features": length})).float()
    told = Condition(label=torch.arange(33) % 3, vector=torch.randn(33, length))
    with torch.no_grad():
        whole = model.condition_features(33, told, 5, (2, 2))
        assert whole is not None
        for k in range(33):
            alone = model.condition_features(1, told.select(torch.tensor([k])), 5, (2, 2))
            assert alone is not None
            assert torch.equal(alone[0], whole[k])


def test_the_likelihood_of_one_order_is_its_nats() -> None:
    model = small_model(2.0)
    images = torch.randint(2, (4, 1, 3, 4))
    torch.testing.assert_close(model.log_prob(images), -model.nll(images).sum((1, 2, 3)))


@pytest.mark.parametrize("order", range(8))
def test_a_state_is_stepped_as_a_whole_turned_image_is(order: int) -> None:
    model = small_model(2.0, levels=3, blocks=("row", "diagonal", "conv"), **ALL)
    images = torch.randint(3, (2, 1, 3, 4))
    told = Condition(label=torch.tensor([2, 0]), vector=torch.randn(2, 2))
    expected, turned = turn(model(images, told, order), order), turn(images, order)
    H, W = turned.shape[2:]
    state = model.init_state(2, W, told, order)
    for i, j in itertools.product(range(H), range(W)):
        features = model.step(state)
        log_probs = model.pixel_log_probs(features, turned[:, :0, i, j])
        torch.testing.assert_close(log_probs, expected[:, :, 0, i, j], rtol=0, atol=1e-10)
        model.feed(state, turned[:, :, i, j])


def test_conditions_are_checked_moved_and_picked() -> None:
    told = Condition(label=np.array([0, 2, 1]), vector=np.arange(6.0).reshape(3, 2))  # type: ignore[arg-type]
    assert told.batch == 3
    picked = told.select(torch.tensor([2, 2])).to(torch.device("cpu"))
    assert picked.label is not None
    assert picked.vector is not None
    assert picked.label.tolist() == [1, 1]
    assert picked.vector.tolist() == [[4, 5], [4, 5]]
    assert Condition().batch is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"label": torch.tensor([0.5])}, "label is torch.float32 of [1]; expected whole numbers, one per image"),
        ({"label": torch.tensor(1)}, "label is torch.int64 of []; expected whole numbers, one per image"),
        ({"label": torch.zeros(0).long()}, "label is torch.int64 of [0]; expected whole numbers, one per image"),
        ({"vector": torch.zeros(3)}, "vector is torch.float32 of [3]; expected numbers, [images, features]"),
        ({"vector": torch.full((1, 2), math.nan)}, "vector has numbers that are not finite"),
        (
            {"label": torch.tensor([0]), "vector": torch.zeros(2, 2)},
            "the parts of a condition are of unlike numbers of images: label of 1, vector of 2",
        ),
        ({"vector_known": torch.tensor([True])}, "a condition has vector_known and no vector"),
        (
            {"vector": torch.zeros(1, 2), "vector_known": torch.tensor([1])},
            "vector_known is torch.int64 of [1]; expected bool, one per image",
        ),
    ],
)
def test_a_condition_that_is_none(fields: dict[str, Tensor], expected: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Condition(**fields)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("config", "condition", "expected"),
    [
        ({}, Condition(torch.tensor([0])), "the model knows no labels: it was not trained with a condition of labels"),
        ({"classes": 3}, Condition(torch.tensor([3, 0])), "labels are from 0 to 3; the model knows 0 to 2"),
        ({"classes": 3}, Condition(torch.tensor([-2, 0])), "labels are from -2 to 0; the model knows 0 to 2"),
        ({"classes": 3, "condition_dropout": 0}, None, "the model must be told the label of every image, 0 to 2,"),
        ({"classes": 3}, Condition(torch.tensor([0, 1, 2])), "the condition is of 3 images; 2 are asked for"),
        ({"classes": 3}, Condition(vector=VECTOR), "the model knows no vectors"),
        ({"vector_features": 3}, Condition(vector=VECTOR), "vectors have 2 numbers; the model expects 3"),
        ({"vector_features": 2, "condition_dropout": 0}, None, "the model must be told a vector of 2 numbers of every"),
        (
            {"vector_features": 2, "text_encoder": "own", "condition_dropout": 0},
            None,
            "the model must be told the text of every image, by `prompt`",
        ),
    ],
)
def test_what_a_model_cannot_be_told(config: dict[str, Any], condition: Condition | None, expected: str) -> None:
    dropout = {"condition_dropout": 0.1} if config and "condition_dropout" not in config else {}
    model = small_model(**{**config, **dropout})
    with pytest.raises(ValueError, match=r".") as caught:
        model.nll(torch.zeros(2, 1, 2, 2).long(), condition)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("order", [1, -1, 8, "auto", 0.0])
def test_an_order_that_has_not_been_learned(order: Any) -> None:
    with pytest.raises(ValueError, match=r"`order` is .*; the model has learned order 0 alone"):
        small_model().nll(torch.zeros(1, 1, 2, 2).long(), order=order)
    if order != 1:
        with pytest.raises(ValueError, match=r"`order` is .*; the model knows orders 0 to 7"):
            small_model(**ALL).nll(torch.zeros(1, 1, 2, 2).long(), order=order)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"orders": 3}, "ModelConfig.orders is 3; choose from 1, 2, 4, 8"),
        ({"orders": True}, "ModelConfig.orders is True; choose from 1, 2, 4, 8"),
        ({"classes": -1}, "ModelConfig.classes is -1; it must be a whole number from 0"),
        ({"classes": 2, "class_names": ("a",)}, "ModelConfig.class_names has 1 names for 2 classes"),
        ({"class_names": ("a",)}, "ModelConfig.class_names has 1 names for 0 classes"),
        ({"condition_dropout": 1.0, "classes": 1}, "ModelConfig.condition_dropout is 1.0; it must be at least 0"),
        ({"condition_dropout": 0.1}, "ModelConfig.condition_dropout is 0.1, and the model has no condition to leave"),
    ],
)
def test_a_configuration_that_is_none(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        ModelConfig(**fields)
    assert str(caught.value).startswith(expected)


def test_gradients_reach_what_is_told_and_what_is_not() -> None:
    model = PixelRNN(small_config(**ALL)).double().train()
    images = torch.randint(2, (2, 1, 3, 3))
    told = Condition(torch.tensor([1, -1]), VECTOR.expand(2, 2), torch.tensor([True, False]))
    model.nll(images, told, order=5).sum().backward()
    gradients = {name: model.get_parameter(f"conditioning.{name}").grad for name in _PARTS}
    assert all(gradient is not None for gradient in gradients.values())
    touched = gradients["label.weight"].abs().sum(1) > 0  # type: ignore[union-attr]
    assert touched.tolist() == [False, True, False, True]  # the last is that of no label
    assert gradients["order.weight"].abs().sum(1).nonzero().tolist() == [[5]]  # type: ignore[union-attr]
    assert gradients["no_vector"].abs().sum() > 0  # type: ignore[union-attr]
