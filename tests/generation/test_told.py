"""What is drawn under conditions, in every order, and with guidance, by every walker."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from helpers import all_images, small_model
from test_walkers import SAME

from pixelseq import Condition, PixelFormat, PixelRNN, SamplingOptions, complete, log_known, sample, stream
from pixelseq.generation.compiled import CompiledModel, CompiledWalker
from pixelseq.generation.cuda_graphs import GraphWalker
from pixelseq.generation.engine import StepWalker, Stretch, Walker
from pixelseq.generation.guidance import beside_untold
from pixelseq.generation.noise import Noise
from pixelseq.model.config import ContextConfig

CONTEXT = ContextConfig(PixelFormat(1, 5), features=4, blocks=2)
MODELS: dict[str, dict[str, Any]] = {
    "labels": {"classes": 3, "condition_dropout": 0.1},
    "orders": {"orders": 8, "blocks": ("row", "conv"), "hidden": 17},
    "vectors": {"vector_features": 5, "condition_dropout": 0.1, "levels": 5, "channels": 3},
    "encoder-only": {"classes": 3, "orders": 2, "condition_dropout": 0.1, "blocks": (), "context_blocks": 0},
    "mixture": {"classes": 2, "condition_dropout": 0.1, "head": "logistic_mixture", "levels": 6, "channels": 3},
    "images": {"context": CONTEXT, "condition_dropout": 0.1, "classes": 3, "orders": 4, "channels": 3, "levels": 3},
    "images-encoder-only": {"context": CONTEXT, "condition_dropout": 0.1, "blocks": (), "context_blocks": 0},
    "tiles": {"classes": 2, "condition_dropout": 0.1, "kind": "categorical", "levels": 6},
}

CASES = {
    f"{name}-{guidance}": (fields, guidance)
    for name, fields in MODELS.items()
    for guidance in (0, 1.5)
    if "condition_dropout" in fields or not guidance
}
GUIDED_OR_NOT = pytest.mark.parametrize(("fields", "guidance"), CASES.values(), ids=CASES.keys())


def told(model: PixelRNN, batch: int, height: int, width: int) -> Condition | None:
    """What unlike images are told, the last one nothing."""
    config = model.config
    if not config.condition_dropout:
        return None
    known = torch.arange(batch) < batch - 1
    label = torch.where(known, torch.arange(batch) % max(config.classes, 1), -1) if config.classes else None
    vector = torch.randn(batch, config.vector_features) if config.vector_features else None
    image = image_known = None
    if config.context is not None:
        image = torch.randint(5, (batch, 1, height, width))
        image_known = known[:, None, None] & (torch.rand(batch, height, width) < 0.8)
    return Condition(label, vector, None if vector is None else known, image, image_known)


def walkers(
    model: PixelRNN, batch: int, width: int, condition: Condition | None, order: int, guidance: float
) -> list[Walker]:
    """The walk that defines the answer first."""
    states = batch * (2 if guidance else 1)
    both = beside_untold(model, batch, condition, guidance)
    start = lambda: model.init_state(states, width, both, order)  # noqa: E731
    return [
        StepWalker(model, start(), guidance),
        CompiledWalker.start(CompiledModel(model, width), start(), guidance),
        GraphWalker(model, start(), guidance, capture=SAME),
    ]


@GUIDED_OR_NOT
def test_the_other_walks_are_the_walk_by_steps(fields: dict[str, Any], guidance: float) -> None:
    N, H, W = 3, 4, 5
    model = small_model(2.0, **fields)
    C, V = model.config.pixel_format.channels, model.config.pixel_format.levels
    condition = told(model, N, H, W)
    steps, *others = walkers(model, N, W, condition, model.config.orders - 1, guidance)
    noise = Noise(1, range(N), torch.device("cpu"))
    for i in range(H):
        if i == 2:
            chosen = torch.tensor([2, 0, 0])
            steps, others = steps.select(chosen), [other.select(chosen) for other in others]
        uniform = noise.row(W, C)
        given, known = torch.randint(V, (N, W, C)), torch.rand(N, W) < 0.4
        for part in (slice(0, 2), slice(2, 3), slice(3, W)) if i == 1 else (slice(0, W),):
            draw = SamplingOptions(0.7, top_p=0.9) if i else SamplingOptions()
            stretch = Stretch(uniform[:, part], draw, given[:, part], known[:, part], i % 2 == 0)
            levels, nats = steps.walk(stretch)
            for other in others:
                found, found_nats = other.walk(stretch)
                assert torch.equal(levels, found)
                torch.testing.assert_close(nats, found_nats, rtol=1e-10, atol=1e-10)


@GUIDED_OR_NOT
def test_nats_of_known_values_are_those_under_the_condition(fields: dict[str, Any], guidance: float) -> None:
    N, H, W = 2, 3, 4
    model = small_model(2.0, **fields)
    C, order = model.config.pixel_format.channels, model.config.orders - 1
    order &= ~4  # not transposed: the walk is then of the same size
    condition = told(model, N, H, W)
    images = torch.randint(model.config.pixel_format.levels, (N, C, H, W))
    flips = [axis for axis, bit in ((2, 1), (3, 2)) if order & bit]
    expected = model.nll(images, condition, order).detach().flip(flips).movedim(1, -1)
    turned = images.flip(flips).movedim(1, -1)
    known, uniform = torch.ones(N, W, dtype=torch.bool), torch.zeros(N, W, C, dtype=torch.float64)
    for walker in walkers(model, N, W, condition, order, guidance):
        for i in range(H):
            _, nats = walker.walk(Stretch(uniform, given=turned[:, i], known=known, scored=True))
            torch.testing.assert_close(nats, expected[:, i], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
def test_image_k_is_the_same_in_any_batch(fields: dict[str, Any]) -> None:
    model = small_model(2.0, **fields).float()
    condition = told(model, 5, 3, 4)
    for order in {0, model.config.orders - 1}:
        whole = sample(model, 5, 3, 4, seed=3, condition=condition, order=order)
        assert whole.shape[2:] == (3, 4)
        for k in range(5):
            own = None if condition is None else condition.select(torch.tensor([k]))
            alone = sample(model, 1, 3, 4, seed=3, condition=own, order=order, first_index=k)
            assert torch.equal(alone[0], whole[k])


def test_one_condition_is_that_of_all_images_and_a_stream_is_a_sample() -> None:
    model = small_model(2.0, classes=3, condition_dropout=0.1)
    one, all_alike = Condition(torch.tensor([2])), Condition(torch.tensor([2, 2, 2, 2]))
    whole = sample(model, 4, 3, 5, condition=one, guidance=2.0)
    assert torch.equal(whole, sample(model, 4, 3, 5, condition=all_alike, guidance=2.0))
    rows = list(itertools.islice(stream(model, 4, 5, condition=one, guidance=2.0), 3))
    assert torch.equal(torch.stack(rows, dim=2), whole)
    assert not torch.equal(whole, sample(model, 4, 3, 5, condition=one))


@pytest.mark.parametrize("order", range(8))
def test_samples_of_an_order_have_its_likelihood(order: int) -> None:
    model = small_model(2.0, orders=8, blocks=("diagonal",))
    images = all_images(2, 1, 2, 2)
    expected = (-model.nll(images, order=order).sum((1, 2, 3))).exp()
    drawn = sample(model, 20_000, 2, 2, order=order)
    codes = (drawn.flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1)
    found = codes.bincount(minlength=16) / len(drawn)
    assert (found - expected).abs().sum() / 2 < 0.02
    others = [(-model.nll(images, order=other).sum((1, 2, 3))).exp() for other in range(8) if other != order]
    assert min((found - other).abs().sum() / 2 for other in others) > 0.02


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["labels", "images, too"])
@pytest.mark.parametrize("order", [0, 5])
@pytest.mark.parametrize("guidance", [0, 2.0])
def test_the_fixed_point_is_what_raster_order_draws(order: int, guidance: float, context: ContextConfig | None) -> None:
    model = small_model(2.0, levels=3, channels=3, classes=3, orders=8, condition_dropout=0.1, context=context)
    options = SamplingOptions(0.9, top_p=0.95)
    condition = told(model, 3, 3, 4)
    request: dict[str, Any] = {"condition": condition, "order": order, "guidance": guidance, "options": options}
    drawn = sample(model, 3, 3, 4, **request)
    assert torch.equal(sample(model, 3, 3, 4, method="fixed_point", **request), drawn)


@pytest.mark.parametrize("guidance", [0, 1.5])
def test_there_is_nothing_below_condition_images(guidance: float) -> None:
    model = small_model(2.0, context=CONTEXT, condition_dropout=0.1)
    condition = Condition(image=torch.zeros(1, 1, 2, 3).long())
    assert len(list(stream(model, 1, 3, condition=condition, guidance=guidance))) == 2
    stretch = Stretch(torch.zeros(1, 3, 1, dtype=torch.float64))
    for walker in walkers(model, 1, 3, condition, 0, guidance):
        walker.walk(stretch)
        walker.walk(stretch)
        with pytest.raises(ValueError, match=r"^the condition images have 2 rows; there is no row after them$"):
            walker.walk(stretch)
    with pytest.raises(ValueError, match=r"^condition images are 2x3 \(rows x columns\); the images are 3x3$"):
        sample(model, 1, 3, 3, condition=condition, guidance=guidance)


def test_guidance_draws_from_the_sharpened_distribution() -> None:
    model = small_model(3.0, levels=3, classes=2, condition_dropout=0.1)
    condition, g = Condition(torch.tensor([1])), 1.5
    images = all_images(3, 1, 1, 2)
    weights = (1 + g) * model(images, condition) - g * model(images)  # [9, 3, 1, 1, 2]
    expected = weights.log_softmax(1).gather(1, images[:, None])[:, 0].sum((1, 2, 3)).exp()
    drawn = sample(model, 20_000, 1, 2, condition=condition, guidance=g)
    found = (drawn.flatten(1) * torch.tensor([3, 1])).sum(1).bincount(minlength=9) / len(drawn)
    plain = (-model.nll(images, condition).sum((1, 2, 3))).exp()
    assert expected.sum().item() == pytest.approx(1)
    assert (found - expected).abs().sum() / 2 < 0.02
    assert (found - plain).abs().sum() / 2 > 0.05


HALVES = {
    "upper": torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]]).bool(),
    "left": torch.tensor([[0, 1, 1], [0, 1, 1], [0, 1, 1]]).bool(),
    "right": torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 0]]).bool(),
    "lower": torch.tensor([[1, 1, 1], [0, 0, 0], [0, 0, 0]]).bool(),
}


@pytest.mark.parametrize("half", HALVES)
def test_a_missing_half_is_completed_exactly_by_an_order_of_its_own(half: str) -> None:
    model, known = small_model(3.0, orders=8, blocks=("diagonal",)), HALVES[half]
    image = torch.tensor([[[1, 0, 1], [0, 1, 1], [1, 0, 0]]])
    order = {"upper": 1, "left": 6, "right": 4, "lower": 0}[half]
    images = all_images(2, 1, 3, 3)
    agreeing = ((images == image) | ~known).all(-1).all(-1)[:, 0]
    joint = (-model.nll(images, order=order).sum((1, 2, 3))).exp() * agreeing
    powers = 2 ** torch.arange(8, -1, -1)
    drawn = complete(model, image[None], known, num=20_000)[0]
    found = (drawn.flatten(1) * powers).sum(1).bincount(minlength=512) / len(drawn)
    assert (found - joint / joint.sum()).abs().sum() / 2 < 0.02
    exact = log_known(model, image[None], known, particles=1)
    torch.testing.assert_close(exact, joint.sum().log()[None])


def test_images_of_a_request_take_different_orders_and_are_the_same_alone() -> None:
    model = small_model(2.0, levels=4, channels=3, orders=8, classes=3, condition_dropout=0.1)
    images = torch.randint(4, (5, 3, 3, 4))
    known = torch.zeros(5, 3, 4).bool()
    known[0, 1:], known[1, :, 2:], known[2, :2], known[3] = True, True, True, torch.rand(3, 4) < 0.5
    condition = told(model, 5, 3, 4)
    for particles in (1, 3):
        whole = complete(model, images, known, num=2, particles=particles, condition=condition)
        assert torch.equal(
            torch.where(known[:, None, None], whole, 0),
            torch.where(known[:, None], images, 0)[:, None].expand_as(whole),
        )
        for k in range(5):
            own = None if condition is None else condition.select(torch.tensor([k]))
            request: dict[str, Any] = {"particles": particles, "condition": own, "first_index": 2 * k, "num": 2}
            assert torch.equal(complete(model, images[k : k + 1], known[k : k + 1], **request)[0], whole[k])
    fixed = complete(model, images, known, condition=condition, order=0)
    assert not torch.equal(fixed, complete(model, images, known, condition=condition))


@pytest.mark.parametrize(
    ("fields", "request_", "expected"),
    [
        ({"classes": 2, "condition_dropout": 0.1}, {"guidance": -1.0}, "`guidance` is -1.0; it must be at least 0"),
        ({"classes": 2, "condition_dropout": 0.1}, {"guidance": 1.0}, "`guidance` is 1.0, and no condition is told"),
        (
            {"classes": 2},
            {"guidance": 1.0, "condition": Condition(torch.tensor([1]))},
            "`guidance` is 1.0; the model was trained without condition_dropout",
        ),
        ({}, {"order": 1}, "`order` is 1; the model has learned order 0 alone"),
        (
            {"classes": 2, "condition_dropout": 0.1},
            {"condition": Condition(torch.tensor([2]))},
            "labels are from 2 to 2",
        ),
    ],
)
@pytest.mark.parametrize("method", ["raster", "fixed_point"])
def test_what_cannot_be_drawn(fields: dict[str, Any], request_: dict[str, Any], expected: str, method: Any) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        sample(small_model(**fields), 1, 2, 2, method=method, **request_)
    assert str(caught.value).startswith(expected)
