"""Images that a run tells others by: a function of seed, image and epoch, drawn once and for all for evaluation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers import small_model
from torch import Tensor

from pixelseq import Condition, PixelFormat
from pixelseq.data import DataOptions, load
from pixelseq.data.batches import batches_by_width, training_batches
from pixelseq.data.degradations import Degradation
from pixelseq.data.store import Images, Store, Telling
from pixelseq.model.config import ContextConfig
from pixelseq.model.likelihood import nats_of_images
from pixelseq.model.orders import turn
from pixelseq.training.conditions import conditional, told_as_learned
from pixelseq.training.config import TrainConfig
from pixelseq.training.presets import PRESETS

GRAY4 = PixelFormat(levels=4)


def unlike_images(degradation: str = "noise:0.3+mask", count: int = 40, **telling: object) -> Images:
    """Images of unlike sizes, and what makes their condition images."""
    random = np.random.Generator(np.random.Philox(3))
    images = [
        torch.from_numpy(random.integers(4, size=(1, 3 + k % 3, 3 + k % 2), dtype=np.uint8)) for k in range(count)
    ]
    told = Telling(degradation=Degradation.parse(degradation), pixel_format=GRAY4, **telling)  # type: ignore[arg-type]
    return dataclasses.replace(Images.of(Store.of(images, torch.arange(count))), telling=told)


def given(images: Images) -> list[tuple[list, list]]:
    """All condition images, and what is known of them."""
    return [tuple(part.tolist() for part in images.degraded(k)) for k in range(len(images))]  # type: ignore[misc]


def training(images: Images, epoch: int, seed: int = 1) -> Images:
    return images.drawn(np.arange(len(images)), np.full(len(images), epoch), seed)


def test_training_degrades_an_image_anew_in_each_epoch_and_evaluation_once_and_for_all() -> None:
    images = unlike_images()
    first = given(training(images, 0))
    assert first == given(training(images, 0))
    assert sum(one != other for one, other in zip(first, given(training(images, 1)), strict=True)) > 35
    assert sum(one != other for one, other in zip(first, given(training(images, 0, seed=2)), strict=True)) > 35
    assert given(images) == given(images)
    assert sum(one != other for one, other in zip(first, given(images), strict=True)) > 35
    assert given(images)[5:9] == given(images[5:9])  # whatever is looked at beside it
    assert given(images)[::-7] == given(images.subset(np.arange(40)[::-7]))


def test_training_leaves_out_a_share_of_condition_images_and_of_labels_half_of_them_together() -> None:
    images = unlike_images("lowres:2", 400, condition="label", dropout=0.25)
    drawn = training(images, 0)
    untold = torch.tensor([not drawn.degraded(k)[1].any() for k in range(400)])
    assert drawn.condition is not None
    assert drawn.condition.label is not None
    unlabelled = drawn.condition.label < 0
    assert 60 < untold.sum() < 140
    assert 60 < unlabelled.sum() < 140
    assert 25 < (untold & unlabelled).sum() < 75
    assert all(images.degraded(k)[1].all() for k in range(400))


@pytest.mark.parametrize("orders", [1, 8])
def test_a_condition_image_is_turned_as_its_image_is(orders: int) -> None:
    images = unlike_images("lowres:2", orders=orders)
    drawn = training(images, 0)
    for k, image in enumerate(drawn):
        levels, known = drawn.degraded(k)
        upright, _ = images.degraded(k)  # nothing of it is drawn at random
        assert levels.shape[1:] == image.shape[1:] == known.shape
        assert torch.equal(levels, turn(upright, int(drawn.orders[k])))


def test_what_is_degraded_is_what_is_seen() -> None:
    random = np.random.default_rng(0)
    stored = torch.from_numpy(random.integers(256, size=(12, 1, 9, 9), dtype=np.uint8))
    images = Images.of(Store.of(list(stored)))
    telling = Telling(degradation=Degradation.parse("posterize:2"), pixel_format=PixelFormat())
    view = dataclasses.replace(images.view, crop=(4, 5), flip=True)
    images = dataclasses.replace(images, view=view, telling=telling)
    for seen in (images, training(images, 3)):
        for k, image in enumerate(seen):
            assert torch.equal(seen.degraded(k)[0], (image > 127).to(torch.uint8))


def told_of(batches: list) -> list[str]:
    """What batches hold, image by image."""
    found = []
    for batch in batches:
        told = batch.condition
        for k, height in enumerate(batch.heights.tolist()):
            parts = (batch.levels[k], told.image[k], told.image_known[k], told.label[k])
            found.append(str([part[..., :height, :].tolist() if part.ndim > 1 else int(part) for part in parts]))
    return found


def test_batches_have_the_same_condition_images_on_any_number_of_processes() -> None:
    images = unlike_images(condition="label", dropout=0.2, orders=8)

    def batches(rank: int, world: int) -> list[list[str]]:
        shares = zip(training_batches(images, 6, 5, rank=rank, world=world), range(20), strict=False)
        return [told_of(batches_by_width(share)) for share, _ in shares]

    alone, first, second = batches(0, 1), batches(0, 2), batches(1, 2)
    assert any(len(batch) > 1 for batch in alone)
    for whole, one, other in zip(alone, first, second, strict=True):
        assert sorted(one + other) == sorted(whole)


def test_the_likelihood_is_that_under_the_condition_images() -> None:
    images = unlike_images("mask", 7)
    context = ContextConfig(GRAY4, features=4, blocks=2, degradation="mask")
    model = small_model(2.0, levels=4, orders=8, context=context, condition_dropout=0.1)
    found = nats_of_images(model, images, images.shapes, 3, context_of=images.degraded)
    shares = [
        nats_of_images(model, images, images.shapes, 3, rank=rank, world=2, context_of=images.degraded)
        for rank in (0, 1)
    ]
    assert torch.equal(sum(shares, torch.zeros(8, 7)), found)
    for k, image in enumerate(images):
        levels, known = images.degraded(k)
        told = Condition(image=levels[None], image_known=known[None])
        for order in range(8):
            expected = model.nll(image[None], told, order).double().sum().item()
            assert found[order, k].item() == pytest.approx(expected, rel=1e-12)


def test_a_run_fits_its_model_to_its_condition_images() -> None:
    data = load(DataOptions("digits"))
    config = TrainConfig(condition="label", condition_image="posterize:3", condition_features=7, condition_blocks=2)
    model, told = conditional(config, data)
    assert model.context == ContextConfig(PixelFormat(levels=3), 7, 2, "posterize:3")
    assert (model.classes, model.condition_dropout) == (10, 0.1)
    assert isinstance(told.train, Images)
    posterize = Degradation.parse("posterize:3")
    assert told.train.telling == Telling("label", 0.1, degradation=posterize, pixel_format=data.pixel_format)
    assert told.test.telling == Telling("label", degradation=posterize, pixel_format=data.pixel_format)
    assert told.test.degraded(0)[0].max() < 3
    seen, note = told_as_learned(
        data.test, data.class_names, dataclasses.replace(model, pixel_format=data.pixel_format), DataOptions()
    )
    assert (seen.telling, note) == (told.test.telling, None)
    foreign = dataclasses.replace(model, classes=0, class_names=(), context=ContextConfig())
    assert told_as_learned(data.test, (), foreign, DataOptions()) == (
        data.test,
        "scored without condition images: no degradation makes them of images",
    )
    with pytest.raises(
        ValueError, match="no degradation makes them of images, and the model must be told the condition"
    ):
        told_as_learned(data.test, (), dataclasses.replace(foreign, condition_dropout=0.0), DataOptions())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blur", "`condition_image`: there is no degradation 'blur'; choose from mask, lowres:F"),
        ("lowres:1", "`condition_image`: there is no degradation 'lowres:1'; choose from mask"),
        ("mask+gray", "`condition_image`: the degradation is 'mask\\+gray'; mask comes last"),
        ("gray", "`condition_image` is gray: gray is for images of colours; those of 1 channel are gray already"),
        ("posterize:17", "`condition_image` is posterize:17: posterize:17 is for more levels than it leaves"),
    ],
)
def test_a_degradation_that_does_not_suit(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{message}"):
        conditional(TrainConfig(condition_image=name), load(DataOptions("digits")))


def test_streams_have_no_condition_images() -> None:
    with pytest.raises(
        ValueError, match="`streaming` is True; `condition`, `condition_image`, `orders`, `shift` need images at hand"
    ):
        TrainConfig(images=DataOptions("x", streaming=True), condition_image="mask")


def test_presets_of_condition_images_suit_their_data() -> None:
    named = {name: preset for name, preset in PRESETS.items() if preset.condition_image is not None}
    assert {"restore", "enlarge", "colour", "restyle", "digits_restore"} <= named.keys()
    for preset in named.values():
        if preset.images.bundled is not None:
            model, data = conditional(preset, load(preset.images))
            assert model.context is not None
            levels, known = data.test.degraded(0)
            assert model.context.degradation == preset.condition_image
            assert levels.shape[0] == model.context.pixel_format.channels
            assert known.shape == data.test[0].shape[1:]


def test_losses_of_a_batch_are_those_of_its_images() -> None:
    images = unlike_images("mask", 12, dropout=0.3)
    context = ContextConfig(GRAY4, features=4, blocks=3, degradation="mask")
    model = small_model(2.0, levels=4, context=context, condition_dropout=0.3)
    share, found = training(images, 2), []
    for batch in batches_by_width(share):
        found += batch.sum_nats(model.checked_nll(batch)).tolist()
    expected: list[Tensor] = []
    for width in dict.fromkeys(share.sizes[:, 1].tolist()):
        for k in np.flatnonzero(share.sizes[:, 1] == width).tolist():
            levels, known = share.degraded(k)
            expected.append(model.nll(share[k][None], Condition(image=levels[None], image_known=known[None])).sum())
    assert found == pytest.approx(torch.stack(expected).tolist(), rel=1e-10)
