"""Stages that draw larger images, and images that are drawn for several pictures."""

from __future__ import annotations

import pytest
import torch
from helpers import small_model

from pixelseq import Condition, PixelFormat, PixelRNN, sample
from pixelseq.generation import requests
from pixelseq.generation.multiscale import Stage, check_stages, enlarge, stage_seed
from pixelseq.model.config import ContextConfig


def larger_model(**fields: object) -> PixelRNN:
    torch.manual_seed(0)
    return small_model(3.0, levels=3, context=ContextConfig(PixelFormat(1, 3), 4, 1, "lowres:2"), **fields)


def test_stages_are_those_that_are_drawn_by_hand() -> None:
    model, images = larger_model(classes=2), torch.randint(3, (4, 1, 2, 3))
    label = torch.tensor([0, 1, 1, 0])
    stages = [Stage("a", model, 2, Condition(label)), Stage("b", model, 3, Condition(label[:1]))]
    told = Condition(label, image=images.repeat_interleave(2, 2).repeat_interleave(2, 3))
    middle = sample(model, 4, 4, 6, stage_seed(7, 1), condition=told, first_index=5)
    told = Condition(label[:1].expand(4), image=middle.repeat_interleave(3, 2).repeat_interleave(3, 3))
    expected = sample(model, 4, 12, 18, stage_seed(7, 2), condition=told, first_index=5)
    assert torch.equal(enlarge(stages, images, 7, first_index=5), expected)
    chosen = torch.tensor([1, 2])
    assert torch.equal(
        enlarge([stage.select(chosen) for stage in stages], images[chosen], 7, first_index=6), expected[chosen]
    )


def test_no_stages_draw_nothing() -> None:
    images = torch.randint(3, (2, 1, 2, 3))
    assert torch.equal(enlarge([], images), images)


def test_no_two_stages_have_one_seed() -> None:
    seeds = [*range(50), 2**32, 2**32 + 1, 2**64 - 1]
    found = [stage_seed(seed, stage) for seed in seeds for stage in range(8)]
    assert len(set(found)) == len(found)
    assert [stage_seed(seed, 0) for seed in seeds] == seeds
    assert all(0 <= seed < 2**64 for seed in found)


def test_what_a_stage_is_given_is_checked() -> None:
    gray, larger = small_model(levels=3), larger_model()
    check_stages(gray, [Stage("a", larger, 2), Stage("b", larger, 2)])
    with pytest.raises(
        ValueError, match="a is given images of 1 channel of 3 ordinal levels, and the first net before"
    ):
        check_stages(small_model(levels=4), [Stage("a", larger, 2)])
    finer = small_model(levels=4, context=ContextConfig(PixelFormat(1, 3), 4, 1, "lowres:2"))
    with pytest.raises(ValueError, match=r"c is given images .* 3 ordinal levels, and b before it draws .* 4 ordinal"):
        check_stages(gray, [Stage("b", finer, 2), Stage("c", larger, 2)])
    with pytest.raises(ValueError, match="the model must be told the label of every image"):
        check_stages(gray, [Stage("a", larger_model(classes=2), 2)])


def test_images_for_pictures_of_several_sizes_are_those_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "AT_ONCE", 3)
    model = larger_model(classes=2)
    sizes = [(2, 3), (2, 3), (4, 2), (2, 3)]
    given = [(torch.randint(3, (1, *size)), torch.rand(size) < 0.8) for size in sizes]
    label = torch.tensor([0, 1, 0, 1])
    found = requests.redraw(model, given, 2, seed=3, condition=Condition(label))
    for k, (image, known) in enumerate(given):
        told = Condition(label[k : k + 1], image=image[None], image_known=known[None])
        expected = sample(model, 2, *known.shape, seed=3, condition=told, first_index=2 * k)
        assert torch.equal(found[k], expected)
