"""Images that are told other images: each a distribution, exactly what may be seen is seen, strips are the whole."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from helpers import all_images, small_config, small_model
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, evaluate
from pixelseq.data.degradations import Degradation
from pixelseq.layers import ContextNet
from pixelseq.model import condition_rows
from pixelseq.model.batch import Batch
from pixelseq.model.checkpoint import config_from_json, config_to_json
from pixelseq.model.condition_rows import STRIP
from pixelseq.model.config import ContextConfig
from pixelseq.model.orders import turn
from pixelseq.pixel_format import Kind


def context_model(
    levels: int = 3, channels: int = 1, blocks: int = 2, kind: Kind = "ordinal", **fields: Any
) -> PixelRNN:
    """A small model, with a context net for condition images of this format."""
    context = ContextConfig(PixelFormat(channels, levels, kind), features=8, blocks=blocks)
    return small_model(2.0, context=context, **({"condition_dropout": 0.1} | fields))


def told(model: PixelRNN, batch: int, height: int, width: int, share: float = 0.7) -> Condition:
    """Random condition images, of which that share of pixels is known."""
    assert model.config.context is not None
    its = model.config.context.pixel_format
    image = torch.randint(its.levels, (batch, its.channels, height, width), dtype=torch.uint8)
    return Condition(image=image, image_known=torch.rand(batch, height, width) < share)


@pytest.mark.parametrize(
    ("degradation", "channels", "levels", "size"),
    [
        ("mask", 1, 2, (2, 2)),
        ("mask", 1, 3, (2, 2)),
        ("lowres:2", 1, 3, (2, 2)),
        ("gray", 3, 2, (2, 2)),
        ("edges", 1, 3, (2, 2)),
        ("noise:0.4", 1, 3, (2, 2)),
        ("posterize:2", 1, 3, (2, 2)),
        ("gray+mask", 4, 2, (1, 2)),
        ("gray+posterize:2", 3, 3, (1, 2)),
    ],
)
def test_given_any_condition_image_it_is_a_distribution(
    degradation: str, channels: int, levels: int, size: tuple[int, int]
) -> None:
    degrade, pixel_format = Degradation.parse(degradation), PixelFormat(channels, levels)
    context = ContextConfig(degrade.format_of(pixel_format), features=4, blocks=2, degradation=degradation)
    model = small_model(2.0, channels=channels, levels=levels, context=context, condition_dropout=0.1)
    images = all_images(levels, channels, *size)
    found = []
    for seed in range(3):
        image = images[np.random.default_rng(seed).integers(len(images))].to(torch.uint8)
        given, known = degrade(image, pixel_format, np.random.default_rng(seed))
        for part in (known, known & (torch.rand(known.shape) < 0.5)):
            condition = Condition(image=given[None], image_known=part[None])
            found.append((-model.nll(images, condition).sum((1, 2, 3))).exp().detach())
            assert found[-1].sum().item() == pytest.approx(1, abs=1e-12)
    assert max(float((one - found[0]).abs().max()) for one in found) > 1e-4


@pytest.mark.parametrize("order", range(8))
def test_the_target_stays_causal_and_the_condition_is_seen_from_every_pixel_it_reaches(order: int) -> None:
    H, W = 4, 5
    model = context_model(levels=4, blocks=1, orders=8, hidden=6, head_features=16)
    image, condition = torch.randint(2, (1, 1, H, W)), told(model, 1, H, W)
    assert condition.image is not None
    assert condition.image_known is not None
    assert model.conditioning is not None
    assert model.conditioning.context is not None
    reach = model.conditioning.context.reach
    before = model(image, condition, order)
    rank = turn_ranks(H, W, order)
    for i, j in itertools.product(range(H), range(W)):
        changed = image.clone()
        changed[0, 0, i, j] = 1 - image[0, 0, i, j]
        unlike = (model(changed, condition, order) != before).any(1)[0, 0]
        assert not unlike[rank <= rank[i, j]].any()
        seen = torch.zeros(H, W, dtype=torch.bool)
        for step in (1, 2, 3):  # one may be hidden by a relu
            other = condition.image.clone()
            other[0, 0, i, j] = (other[0, 0, i, j] + step) % 4
            unlike = model(image, dataclasses.replace(condition, image=other), order) != before
            seen |= unlike.any(1)[0, 0]
        if not condition.image_known[0, i, j]:
            assert not seen.any()
            continue
        rows, columns = torch.arange(H)[:, None], torch.arange(W)
        near = ((rows - i).abs() <= reach) & ((columns - j).abs() <= reach)
        assert seen[near].all()


def turn_ranks(H: int, W: int, order: int) -> Tensor:
    """The place of each pixel in an order."""
    rank = torch.empty(H * W, dtype=torch.long)
    rank[turn(torch.arange(H * W).view(H, W), order).flatten()] = torch.arange(H * W)
    return rank.view(H, W)


@pytest.mark.parametrize("blocks", [0, 1, 3, 6])
def test_exactly_the_pixels_within_reach_are_seen_and_unknown_ones_are_not(blocks: int) -> None:
    net = ContextNet(PixelFormat(1, 5), 6, blocks, 3).double()
    torch.nn.init.normal_(net.out.weight)
    reach = 1 + sum((1, 2, 4, 8, 16, 1)[:blocks])
    assert net.reach == reach
    side = 2 * reach + 3
    image, known = torch.randint(5, (1, 1, side, side)), torch.ones(1, side, side, dtype=torch.bool)
    middle = side // 2
    other, unknown = image.clone(), known.clone()
    other[0, 0, middle, middle] = (image[0, 0, middle, middle] + 1) % 5
    unknown[0, middle, middle] = False
    with torch.no_grad():
        seen = (net(image, known) != net(other, known)).any(-1)[0]
        assert torch.equal(net(image, unknown), net(other, unknown))
        assert (net(image, known) != net(image, unknown)).any()
    distance = (torch.arange(side) - middle).abs()
    near = torch.maximum(distance[:, None], distance) <= reach
    assert not seen[~near].any()
    assert seen[near].double().mean() > 0.9  # a relu may hide a few
    assert seen[middle - reach].any()


def test_a_border_is_not_like_an_unknown_pixel() -> None:
    model = context_model()
    images, small = torch.randint(2, (1, 1, 2, 3)), told(model, 1, 2, 2, share=1)
    assert small.image is not None
    assert small.image_known is not None
    wide = Condition(
        image=torch.nn.functional.pad(small.image, (0, 1)),
        image_known=torch.nn.functional.pad(small.image_known, (0, 1)),
    )
    narrow = model.condition_features(1, small, 0, (2, 2))
    extended = model.condition_features(1, wide, 0, (2, 3))
    assert narrow is not None
    assert extended is not None
    assert (narrow[:, :, :2] - extended[:, :, :2]).abs().max() > 1e-4
    assert torch.isfinite(model.nll(images, wide)).all()


def test_an_image_of_which_nothing_is_known_is_not_told() -> None:
    model = context_model(classes=2)
    images = torch.randint(2, (3, 1, 3, 4))
    condition = told(model, 3, 3, 4)
    assert condition.image_known is not None
    condition.image_known[1] = False
    condition.image_known[0, 0, 0] = True
    found = model.nll(images, condition)
    torch.testing.assert_close(found[1:2], model.nll(images[1:2]))
    assert (found[:1] - model.nll(images[:1])).abs().max() > 1e-4
    labelled = dataclasses.replace(condition, label=torch.tensor([0, 1, 1]))
    torch.testing.assert_close(
        model.nll(images, labelled)[1:2], model.nll(images[1:2], Condition(label=torch.tensor([1])))
    )


def test_padding_below_images_has_no_influence() -> None:
    model = context_model(blocks=4)
    heights = [5, 2, 7, 1]
    images = [torch.randint(2, (1, h, 4)) for h in heights]
    conditions = [told(model, 1, h, 4) for h in heights]
    pairs = [condition.context_of(0) for condition in conditions]
    batch = Batch.of(images, contexts=pairs)
    batched = batch.sum_nats(model.checked_nll(batch))
    alone = [model.nll(image[None], told).sum() for image, told in zip(images, conditions, strict=True)]
    torch.testing.assert_close(batched, torch.stack(alone), rtol=1e-12, atol=1e-12)


def test_images_of_one_size_are_evaluated_under_their_condition_images() -> None:
    model = context_model(orders=8)
    images, condition = torch.randint(2, (5, 1, 3, 4)), told(model, 5, 3, 4)
    expected = -model.log_prob(images, condition).sum()
    assert evaluate(model, list(images), 2, condition).nll_nats == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("order", range(8))
def test_a_state_is_stepped_as_a_whole_turned_image_under_its_condition_is(order: int) -> None:
    model = context_model(levels=5, channels=3, orders=8, blocks=3)
    images, condition = torch.randint(2, (2, 1, 3, 4)), told(model, 2, 3, 4)
    expected, turned = turn(model(images, condition, order), order), turn(images, order)
    H, W = turned.shape[2:]
    state = model.init_state(2, W, condition, order)
    for i, j in itertools.product(range(H), range(W)):
        if (i, j) == (1, 1):
            state, chosen = state.copy().select(torch.tensor([1, 0])), torch.tensor([1, 0])
            expected, turned = expected[chosen], turned[chosen]
        features = model.step(state)
        log_probs = model.pixel_log_probs(features, turned[:, :0, i, j])
        torch.testing.assert_close(log_probs, expected[:, :, 0, i, j], rtol=0, atol=1e-10)
        model.feed(state, turned[:, :, i, j])
    with pytest.raises(ValueError, match=rf"^the condition images have {H} rows; there is no row after them$"):
        model.step(state)


@pytest.mark.parametrize("height", [1, 4, 5, 6, 23])
def test_strips_are_the_whole(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_rows, "STRIP", 5)
    model = context_model(blocks=3)
    condition = told(model, 2, height, 4)
    assert condition.image_known is not None
    condition.image_known[1] = False
    whole = model.condition_features(2, condition, 0, (height, 4))
    assert whole is not None
    state = model.init_state(2, 4, condition)
    assert state.condition_rows is not None
    for i in (*range(height), 0, height // 2):  # forward, and back
        row = state.condition_rows.row(i)
        torch.testing.assert_close(row, whole[:, i].expand_as(row), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("features", "size"), [(8, (STRIP + 9, 11)), (32, (28, 28)), (64, (STRIP + 1, 33))])
def test_features_are_the_same_in_any_batch_and_for_any_number_of_threads_to_the_last_bit(
    features: int, size: tuple[int, int]
) -> None:
    H, W = size
    context = ContextConfig(PixelFormat(1, 3), features=features, blocks=5)
    model = small_model(2.0, context=context, condition_dropout=0.1).float()
    condition = told(model, 5, H, W)
    assert condition.image_known is not None
    condition.image_known[3] = False
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            rows = model.init_state(5, W, condition).condition_rows
            assert rows is not None
            found.append([rows.row(i) for i in (0, H // 2, H - 1)])
        for one, other in zip(*found, strict=True):
            assert torch.equal(one, other)
    finally:
        torch.set_num_threads(threads)
    for k in (0, 2, 4):
        alone = model.init_state(1, W, condition.select(torch.tensor([k]))).condition_rows
        assert alone is not None
        assert torch.equal(alone.row(H - 1)[0], found[0][2][k])


def test_one_condition_image_is_that_of_all_and_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, read = context_model(), []
    assert model.conditioning is not None
    assert model.conditioning.context is not None
    model.conditioning.context.register_forward_hook(lambda net, given, found: read.append(len(given[0])))
    condition = told(model, 1, 3, 4, share=1)
    state = model.init_state(6, 4, condition)
    assert state.condition is not None
    assert state.condition.shape == (6, 5, model.config.features)
    assert (state.condition == state.condition[:1]).all()
    assert read == [1]


def test_a_fresh_model_does_not_heed_its_condition_image() -> None:
    context = ContextConfig(PixelFormat(3, 4), features=4, blocks=1)
    model = PixelRNN(small_config(context=context, condition_dropout=0.1))
    image, condition = torch.randint(2, (1, 1, 3, 3)), told(model, 1, 3, 3)
    assert torch.equal(model(image), model(image, condition))
    without = PixelRNN(small_config()).state_dict().keys()
    added = model.state_dict().keys() - without
    assert all(name.startswith(("conditioning.context.", "conditioning.no_image")) for name in added)
    assert without <= model.state_dict().keys()


def test_gradients_reach_all_that_reads_condition_images_told_or_not() -> None:
    model = context_model(levels=4, kind="categorical").train()
    images, condition = torch.randint(2, (2, 1, 3, 3)), told(model, 2, 3, 3)
    assert condition.image_known is not None
    condition.image_known[1] = False
    model.nll(images, condition).sum().backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if name.startswith("conditioning.")}
    assert len(gradients) > 8
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients.values())
    model.zero_grad()
    untold = Batch.of([torch.zeros(1, 2, 2, dtype=torch.uint8)])
    model.checked_nll(untold).sum().backward()  # a share of a batch that tells nothing, on one of several processes
    names = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert not any(name.startswith("conditioning.") for name in names)


def test_a_configuration_is_read_as_it_was_written() -> None:
    context = ContextConfig(PixelFormat(1, 4), 16, 7, "gray+posterize:4")
    config = ModelConfig(PixelFormat(3), context=context, condition_dropout=0.2)
    assert config_from_json(config_to_json(config, None, ""))[0] == config


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"image": torch.zeros(1, 2, 2).long()},
            "image is torch.int64 of [1, 2, 2]; expected levels, [images, C, H, W]",
        ),
        ({"image": torch.zeros(1, 1, 2, 2).bool()}, "image is torch.bool of [1, 1, 2, 2]; expected levels"),
        ({"image": torch.zeros(1, 1, 2, 2)}, "image is torch.float32 of [1, 1, 2, 2]; expected levels"),
        ({"image": torch.zeros(1, 1, 0, 2).long()}, "image is torch.int64 of [1, 1, 0, 2]; expected levels"),
        ({"image_known": torch.ones(1, 2, 2).bool()}, "a condition has image_known and no image"),
        (
            {"image": torch.zeros(1, 1, 2, 2).long(), "image_known": torch.ones(1, 2, 3).bool()},
            "image_known is torch.bool of [1, 2, 3]; expected bool, [1, 2, 2]",
        ),
        (
            {"image": torch.zeros(1, 1, 2, 2).long(), "image_known": torch.ones(1, 2, 2)},
            "image_known is torch.float32 of [1, 2, 2]; expected bool, [1, 2, 2]",
        ),
        (
            {"label": torch.tensor([0]), "image": torch.zeros(2, 1, 2, 2).long()},
            "the parts of a condition are of unlike numbers of images: label of 1, image of 2",
        ),
    ],
)
def test_a_condition_image_that_is_none(fields: dict[str, Tensor], expected: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Condition(**fields)
    assert str(caught.value).startswith(expected)


IMAGE = torch.zeros(1, 1, 2, 2).long()


@pytest.mark.parametrize(
    ("fields", "condition", "expected"),
    [
        ({"context": None}, Condition(image=IMAGE), "the model knows no condition images: it was not trained with"),
        ({}, Condition(image=IMAGE.expand(-1, 3, -1, -1)), "condition images have 3 channels; the model expects 1"),
        ({}, Condition(image=IMAGE + 3), "condition images have levels from 3 to 3; the model expects 0 to 2"),
        ({}, Condition(image=IMAGE - 1), "condition images have levels from -1 to -1; the model expects 0 to 2"),
        ({}, Condition(image=IMAGE[..., :1]), "condition images are 2x1 (rows x columns); the images are 2x2"),
        (
            {"condition_dropout": 0},
            None,
            "the model must be told a condition image of every image, by Condition(image=",
        ),
        (
            {"condition_dropout": 0},
            Condition(image=IMAGE, image_known=torch.zeros(1, 2, 2).bool()),
            "the model must be told a condition image of every image",
        ),
    ],
)
def test_what_a_model_cannot_be_told_of_images(
    fields: dict[str, Any], condition: Condition | None, expected: str
) -> None:
    model = context_model(**fields) if "context" not in fields else small_model()
    images = torch.zeros(1, 1, 2, 2).long()
    with pytest.raises(ValueError, match=r".") as caught:
        model.nll(images, condition)
    assert str(caught.value).startswith(expected)
    with pytest.raises(ValueError, match=r"^(condition|the model|a condition)"):
        evaluate(model, list(images), condition=condition)


def test_condition_images_of_another_width_are_not_walked() -> None:
    model = context_model(orders=8)
    with pytest.raises(ValueError, match=r"^condition images have 2 columns, turned; the images have 3$"):
        model.init_state(1, 3, Condition(image=torch.zeros(1, 1, 2, 5).long()), order=4)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"features": 0}, "ContextConfig.features is 0; it must be a whole number from 1"),
        ({"blocks": -1}, "ContextConfig.blocks is -1; it must be a whole number from 0"),
        ({"blocks": True}, "ContextConfig.blocks is True; it must be a whole number"),
        ({"pixel_format": "gray"}, "ContextConfig.pixel_format is 'gray'; expected a PixelFormat"),
        ({"degradation": 3}, "ContextConfig.degradation is 3; expected a name"),
    ],
)
def test_a_context_that_is_none(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        ContextConfig(**fields)
    assert str(caught.value).startswith(expected)
