"""What a run tells its model: labels and orders of images, as a function of seed, image and epoch."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
from helpers import small_model

from pixelseq import Condition, evaluate
from pixelseq.data import DataOptions, load
from pixelseq.data.batches import batches_by_width, training_batches
from pixelseq.data.store import Images, Store, Telling
from pixelseq.model.orders import turn
from pixelseq.training.conditions import conditional, told_as_learned
from pixelseq.training.config import TrainConfig
from pixelseq.training.presets import PRESETS


def labelled(count: int = 40, telling: Telling = Telling()) -> Images:  # noqa: B008
    """Images of unlike sizes, each with a label of its own."""
    random = np.random.Generator(np.random.Philox(3))
    images = [
        torch.from_numpy(random.integers(4, size=(1, 2 + k % 3, 2 + k % 2), dtype=np.uint8)) for k in range(count)
    ]
    return dataclasses.replace(Images.of(Store.of(images, torch.arange(count))), telling=telling)


def test_training_leaves_out_a_share_of_the_labels_and_evaluation_none() -> None:
    images = labelled(400, Telling("label", dropout=0.25))
    told = images.condition
    assert told is not None
    assert told.label is not None
    assert told.label.tolist() == list(range(400))
    drawn = images.drawn(np.arange(400), np.zeros(400, int), seed=1).condition
    assert drawn is not None
    assert drawn.label is not None
    left_out = drawn.label < 0
    assert 60 < left_out.sum() < 140
    assert torch.equal(drawn.label[~left_out], torch.arange(400)[~left_out])
    other = images.drawn(np.arange(400), np.ones(400, int), seed=1).condition
    assert other is not None
    assert not torch.equal(other.label, drawn.label)  # type: ignore[arg-type]


@pytest.mark.parametrize("orders", [1, 2, 4, 8])
def test_training_turns_each_image_to_one_of_the_orders(orders: int) -> None:
    images = labelled(telling=Telling(orders=orders))
    seen = set()
    for epoch in range(3):
        drawn = images.drawn(np.arange(40), np.full(40, epoch), seed=1)
        seen |= set(drawn.orders.tolist())
        for k, image in enumerate(drawn):
            assert torch.equal(image, turn(images[k], int(drawn.orders[k])))
            assert image.shape[1:] == tuple(drawn.sizes[k])
            assert torch.equal(image, drawn[k])
    assert seen == set(range(orders))
    assert set(images.orders.tolist()) == {0}


def test_batches_tell_each_image_its_own_label_and_order_on_any_number_of_processes() -> None:
    images = labelled(telling=Telling("label", dropout=0.2, orders=8))

    def batches(rank: int, world: int) -> list[dict[tuple[int, int], tuple[list, int, int]]]:
        given = []
        for share, _ in zip(training_batches(images, 6, 5, rank=rank, world=world), range(20), strict=False):
            told = {}
            for batch in batches_by_width(share):
                assert batch.condition.label is not None
                assert batch.orders is not None
                for levels, height, label, order in zip(
                    batch.levels, batch.heights, batch.condition.label, batch.orders, strict=True
                ):
                    told[len(told), int(height)] = levels[:, :height].tolist(), int(label), int(order)
            given.append(told)
        return given

    alone = batches(0, 1)
    for k, told in enumerate(alone):
        both = [value for rank in (0, 1) for value in batches(rank, 2)[k].values()]
        assert sorted(map(str, both)) == sorted(map(str, told.values()))


def test_batches_are_of_turned_widths() -> None:
    images = [torch.zeros(1, 2, 5, dtype=torch.uint8)] * 64
    flat = dataclasses.replace(Images.of(Store.of(images)), telling=Telling(orders=8))
    widths = [
        {image.shape[2] for image in share} for share, _ in zip(training_batches(flat, 8, 0), range(8), strict=False)
    ]
    assert sum(len(own) == 1 for own in widths) >= 6  # all but where one width follows the other
    assert set.union(*widths) == {2, 5}


def test_the_likelihood_is_that_under_the_labels_and_of_all_orders() -> None:
    model = small_model(2.0, levels=4, classes=7, orders=8, condition_dropout=0.1)
    images = labelled(7)
    labels = torch.arange(7)
    expected = [model.log_prob(images[k][None], Condition(label=labels[k : k + 1])).item() for k in range(len(images))]
    found = evaluate(model, images, batch_size=3, condition=Condition(label=labels))
    assert found.nll_nats == pytest.approx(-sum(expected), rel=1e-12)
    assert found.nll_nats != pytest.approx(evaluate(model, images).nll_nats, rel=1e-6)


def test_a_run_fits_its_model_to_the_labels_of_the_data() -> None:
    data = load(DataOptions("digits"))
    config = dataclasses.replace(PRESETS["digits"], condition="label", orders=4)
    model, told = conditional(config, data)
    assert (model.classes, model.orders, model.condition_dropout) == (10, 4, 0.1)
    assert model.class_names == tuple("0123456789")
    assert told.test.condition is not None
    assert isinstance(told.train, Images)
    assert told.train.telling == Telling("label", 0.1, 4)
    assert conditional(TrainConfig(), data) == (TrainConfig().model, data)


def test_labels_that_are_not_there() -> None:
    columns = load(DataOptions("bundled:digit_columns"))
    with pytest.raises(ValueError, match=r"`condition` is label, and .*digit_columns has no labels: it takes folders"):
        conditional(TrainConfig(condition="label"), columns)
    config = small_model(classes=2, condition_dropout=0.1).config
    without = (columns.test, "scored without labels: the images have no labels")
    assert told_as_learned(columns.test, (), config, DataOptions()) == without
    strict = dataclasses.replace(config, condition_dropout=0.0)
    with pytest.raises(ValueError, match="the images have no labels, and the model must be told the label of every"):
        told_as_learned(columns.test, (), strict, DataOptions())


def test_some_labels_that_are_not_there_are_said() -> None:
    images = labelled(4)
    images = dataclasses.replace(images, store=dataclasses.replace(images.store, labels=torch.tensor([0, -1, 1, 1])))
    config = small_model(classes=2, condition_dropout=0.1).config
    _, note = told_as_learned(images, (), config, DataOptions())
    assert note == "scored without labels: 1 of 4 images have no label"
    config = small_model(classes=1, condition_dropout=0.1).config
    _, note = told_as_learned(labelled(4), (), config, DataOptions())
    assert note == "scored without labels: the images have labels up to 3, the model knows 0 to 0"


@pytest.mark.parametrize(
    ("encoder", "options", "note"),
    [
        ("own", DataOptions("x", text_column="said", text_encoder="own"), None),
        (
            "own",
            DataOptions("x", text_column="said", text_encoder="other"),
            "scored without texts: the texts are of `text_",
        ),
        (
            "own",
            DataOptions("x", vector_column="said"),
            r"scored without texts: the images have no texts \(`text_column`",
        ),
        (
            "",
            DataOptions("x", text_column="said"),
            r"scored without vectors: the images have no vectors \(`vector_column`",
        ),
        ("", DataOptions("x", vector_column="said"), None),
    ],
)
def test_vectors_of_another_kind_are_none(encoder: str, options: DataOptions, note: str | None) -> None:
    images = labelled(4)
    images = dataclasses.replace(images, store=dataclasses.replace(images.store, vectors=torch.ones(4, 3)))
    config = small_model(vector_features=3, text_encoder=encoder, condition_dropout=0.1).config
    told, found = told_as_learned(images, (), config, options)
    assert (found is None) == (note is None)
    assert (told.condition is None) == (note is not None)
    if note is not None:
        assert re.match(note, str(found))
    other = dataclasses.replace(config, vector_features=2)
    if note is None:
        note = told_as_learned(images, (), other, options)[1]
        assert str(note).endswith(": the images have vectors of 3 numbers, the model knows 2")
