"""The compiled walk against the walk by steps, and both against the likelihood of whole images."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import small_model

from pixelseq import PixelRNN, sample
from pixelseq.compiled_model import CompiledModel
from pixelseq.draw import Draw, Noise
from pixelseq.kernels import numba_draw
from pixelseq.kernels.backends import VARIABLE
from pixelseq.layers import logistic_mixture
from pixelseq.walker import CompiledWalker, StepWalker, start_walk

# Hidden sizes below, at and off the vector width; every layer, head and kind of pixel.
MODELS: dict[str, dict[str, Any]] = {
    "encoder-only": {"blocks": (), "context_blocks": 0, "context_kernel": 7},
    "row": {"blocks": ("row",), "hidden": 16},
    "diagonal": {"blocks": ("diagonal",), "hidden": 20},
    "conv": {"blocks": ("conv",), "hidden": 33},
    "colour": {"blocks": ("row", "diagonal"), "channels": 3, "levels": 7, "context_kernel": 5},
    "mixture": {"channels": 3, "levels": 5, "head": "logistic_mixture", "mixtures": 3},
    "mixture-binary": {"levels": 2, "head": "logistic_mixture", "mixtures": 2},
    "tiles": {"levels": 6, "pixels": "categorical"},
}
DRAWS = [Draw(), Draw(0.7, top_p=0.8), Draw(top_k=2), Draw(0), Draw(1.3, top_k=4, top_p=0.9)]


def walkers(model: PixelRNN, batch: int, width: int) -> tuple[StepWalker, CompiledWalker]:
    return (
        StepWalker(model, model.init_state(batch, width)),
        CompiledWalker.start(CompiledModel(model, width), batch),
    )


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("draw", DRAWS, ids=lambda d: f"t{d.temperature}-k{d.top_k}-p{d.top_p}")
def test_the_compiled_walk_is_the_walk_by_steps(fields: dict[str, Any], draw: Draw) -> None:
    N, H, W = 3, 4, 5
    model = small_model(2.0, **fields)
    C, V = model.config.channels, model.config.levels
    steps, compiled = walkers(model, N, W)
    noise = Noise(1, range(N), torch.device("cpu"))
    for i in range(H):
        uniform = noise.row(W, C)
        given, known = torch.randint(V, (N, C, W)), torch.rand(N, W) < 0.4
        for part in (slice(0, 2), slice(2, 3), slice(3, W)) if i == 1 else (slice(0, W),):
            arguments = (uniform[:, part], draw, given[:, :, part], known[:, part], i % 2 == 0)
            (levels, nats), (found, found_nats) = steps.walk(*arguments), compiled.walk(*arguments)
            assert torch.equal(levels, found)
            torch.testing.assert_close(nats, found_nats, rtol=1e-10, atol=1e-10)
            assert torch.equal(levels.movedim(1, 2)[known[:, part]], given.movedim(1, 2)[:, part][known[:, part]])


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
def test_nats_of_known_values_are_those_of_whole_images(fields: dict[str, Any]) -> None:
    N, H, W = 2, 3, 4
    model = small_model(2.0, **fields)
    C = model.config.channels
    images = torch.randint(model.config.levels, (N, C, H, W))
    expected = model.nll(images)
    known, uniform = torch.ones(N, W, dtype=torch.bool), torch.zeros(N, W, C, dtype=torch.float64)
    for walker in walkers(model, N, W):
        for i in range(H):
            levels, nats = walker.walk(uniform, Draw(), images[:, :, i], known, scored=True)
            assert torch.equal(levels, images[:, :, i])
            torch.testing.assert_close(nats, expected[:, :, i].detach(), rtol=1e-10, atol=1e-10)


def test_values_that_are_not_scored_have_no_nats() -> None:
    model = small_model(2.0)
    known = torch.tensor([[True, False, True]])
    for walker in walkers(model, 1, 3):
        _, nats = walker.walk(torch.full((1, 3, 1), 0.5).double(), Draw(), torch.zeros(1, 1, 3).long(), known)
        assert (nats[0, 0] == 0).tolist() == [True, False, True]


def test_select_gives_independent_images_in_the_asked_order() -> None:
    model = small_model(2.0, levels=5)
    uniform = torch.rand(3, 4, 1, dtype=torch.float64)
    for walker in walkers(model, 3, 4):
        walker.walk(uniform, Draw())
        chosen = walker.select(torch.tensor([2, 0, 2]))
        levels, nats = walker.walk(uniform.flip(1), Draw())
        turned = uniform.flip(1)[[2, 0, 2]]
        found, found_nats = chosen.walk(turned, Draw())
        assert torch.equal(found, levels[[2, 0, 2]])
        torch.testing.assert_close(found_nats, nats[[2, 0, 2]])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_float32_image_is_the_same_to_the_last_bit_in_any_batch_and_on_any_threads(threads: int) -> None:
    model = small_model(3.0, levels=9, hidden=16, blocks=("row", "diagonal", "conv")).float()
    uniform = torch.rand(5, 6, 1, dtype=torch.float64)
    compiled = CompiledModel(model, 6)

    def rows(images: slice) -> list[torch.Tensor]:
        walker = CompiledWalker.start(compiled, len(range(5)[images]))
        return [torch.cat(walker.walk(uniform[images], Draw()), dim=1) for _ in range(3)]

    alone = [torch.cat(parts) for parts in zip(*(rows(slice(k, k + 1)) for k in range(5)), strict=True)]
    torch.set_num_threads(threads)
    for one, other in zip(alone, rows(slice(0, 5)), strict=True):
        assert torch.equal(one, other)


def test_the_backend_chooses_the_walker(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    monkeypatch.delenv(VARIABLE, raising=False)
    assert isinstance(start_walk(model, 1, 2), CompiledWalker)
    compiled = sample(model, 3, 4, 5, seed=2)
    monkeypatch.setenv(VARIABLE, "reference")
    assert isinstance(start_walk(model, 1, 2), StepWalker)
    assert torch.equal(sample(model, 3, 4, 5, seed=2), compiled)


def test_a_type_that_is_not_compiled_is_walked_by_steps_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    model = small_model().bfloat16()
    with pytest.warns(UserWarning, match="are bfloat16"):
        assert isinstance(start_walk(model, 1, 2), StepWalker)


def test_both_know_the_same_bounds_of_scales() -> None:
    names = ("MIN_LOG_SCALE", "MAX_LOG_SCALE")
    assert [getattr(numba_draw, n) for n in names] == [getattr(logistic_mixture, n) for n in names]
