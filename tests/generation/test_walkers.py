"""The compiled and the captured walk against the walk by steps, and all against the likelihood of whole images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from helpers import small_model
from torch.fx.experimental.proxy_tensor import make_fx

from pixelseq import PixelRNN, sample
from pixelseq.generation.compiled import CompiledModel, CompiledWalker
from pixelseq.generation.cuda_graphs import GraphWalker
from pixelseq.generation.engine import StepWalker, Stretch, Walker
from pixelseq.generation.noise import Noise
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.walkers import start_walk
from pixelseq.kernels.backends import BACKEND_VARIABLE
from pixelseq.kernels.pixel_walk import distributions
from pixelseq.layers import logistic_mixture

# Hidden sizes below, at and off the vector width; every layer, head and kind of pixel.
MODELS: dict[str, dict[str, Any]] = {
    "encoder-only": {"blocks": (), "context_blocks": 0, "context_kernel": 7},
    "row": {"blocks": ("row",), "hidden": 16},
    "diagonal": {"blocks": ("diagonal",), "hidden": 20},
    "conv": {"blocks": ("conv",), "hidden": 33},
    "colour": {"blocks": ("row", "diagonal"), "channels": 3, "levels": 7, "context_kernel": 5},
    "mixture": {"channels": 3, "levels": 5, "head": "logistic_mixture", "mixtures": 3},
    "mixture-binary": {"levels": 2, "head": "logistic_mixture", "mixtures": 2},
    "tiles": {"levels": 6, "kind": "categorical"},
}
DRAWS = [
    SamplingOptions(),
    SamplingOptions(0.7, top_p=0.8),
    SamplingOptions(top_k=2),
    SamplingOptions(0),
    SamplingOptions(1.3, top_k=4, top_p=0.9),
]


SAME = lambda function: function  # noqa: E731


def recorded(function: Callable[[], None]) -> Callable[[], None]:
    """As a CUDA graph would: the operations of one call, with their numbers and the memory they work on."""
    return make_fx(function)()


def walkers(model: PixelRNN, batch: int, width: int) -> list[Walker]:
    """The walk that defines the answer first."""
    return [
        StepWalker(model, model.init_state(batch, width)),
        CompiledWalker.start(CompiledModel(model, width), model.init_state(batch, width)),
        GraphWalker(model, model.init_state(batch, width), capture=SAME),
    ]


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("draw", DRAWS, ids=lambda d: f"t{d.temperature}-k{d.top_k}-p{d.top_p}")
def test_the_other_walks_are_the_walk_by_steps(fields: dict[str, Any], draw: SamplingOptions) -> None:
    N, H, W = 3, 4, 5
    model = small_model(2.0, **fields)
    C, V = model.config.pixel_format.channels, model.config.pixel_format.levels
    steps, *others = walkers(model, N, W)
    noise = Noise(1, range(N), torch.device("cpu"))
    for i in range(H):
        uniform = noise.row(W, C)
        given, known = torch.randint(V, (N, W, C)), torch.rand(N, W) < 0.4
        for part in (slice(0, 2), slice(2, 3), slice(3, W)) if i == 1 else (slice(0, W),):
            stretch = Stretch(uniform[:, part], draw, given[:, part], known[:, part], i % 2 == 0)
            levels, nats = steps.walk(stretch)
            for other in others:
                found, found_nats = other.walk(stretch)
                assert torch.equal(levels, found)
                torch.testing.assert_close(nats, found_nats, rtol=1e-10, atol=1e-10)
            assert torch.equal(levels[known[:, part]], given[:, part][known[:, part]])


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
def test_nats_of_known_values_are_those_of_whole_images(fields: dict[str, Any]) -> None:
    N, H, W = 2, 3, 4
    model = small_model(2.0, **fields)
    C = model.config.pixel_format.channels
    images = torch.randint(model.config.pixel_format.levels, (N, C, H, W))
    expected = model.nll(images).detach().movedim(1, -1)
    images = images.movedim(1, -1)
    known, uniform = torch.ones(N, W, dtype=torch.bool), torch.zeros(N, W, C, dtype=torch.float64)
    for walker in walkers(model, N, W):
        for i in range(H):
            levels, nats = walker.walk(Stretch(uniform, given=images[:, i], known=known, scored=True))
            assert torch.equal(levels, images[:, i])
            torch.testing.assert_close(nats, expected[:, i], rtol=1e-10, atol=1e-10)


def test_values_that_are_not_scored_have_no_nats() -> None:
    model = small_model(2.0)
    known = torch.tensor([[True, False, True]])
    for walker in walkers(model, 1, 3):
        _, nats = walker.walk(
            Stretch(torch.full((1, 3, 1), 0.5).double(), given=torch.zeros(1, 3, 1).long(), known=known)
        )
        assert (nats[0, :, 0] == 0).tolist() == [True, False, True]


def test_select_gives_independent_images_in_the_asked_order() -> None:
    model = small_model(2.0, levels=5)
    uniform = torch.rand(3, 4, 1, dtype=torch.float64)
    for walker in walkers(model, 3, 4):
        walker.walk(Stretch(uniform))
        chosen = walker.select(torch.tensor([2, 0, 2]))
        levels, nats = walker.walk(Stretch(uniform.flip(1)))
        turned = uniform.flip(1)[[2, 0, 2]]
        found, found_nats = chosen.walk(Stretch(turned))
        assert torch.equal(found, levels[[2, 0, 2]])
        torch.testing.assert_close(found_nats, nats[[2, 0, 2]])


def test_one_captured_pixel_serves_all_columns_and_later_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2.0, blocks=("row", "diagonal", "conv"))
    captured: list[Callable[[], None]] = []

    def capture(function: Callable[[], None]) -> Callable[[], None]:
        captured.append(function)
        return recorded(function)

    def rows(walker: Walker) -> torch.Tensor:
        noise = Noise(1, range(2), torch.device("cpu"))
        return torch.stack([walker.walk(Stretch(noise.row(5, 1)))[0] for _ in range(3)])

    expected = rows(StepWalker(model, model.init_state(2, 5)))
    for _ in range(2):
        assert torch.equal(rows(GraphWalker(model, model.init_state(2, 5), capture=capture)), expected)
    assert len(captured) == 2  # a pixel, and the end of a row
    model.double().load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()  # elsewhere in memory
    assert torch.equal(rows(GraphWalker(model, model.init_state(2, 5), capture=capture)), expected)
    assert len(captured) == 4


@pytest.mark.parametrize("width", [1, 2])
def test_a_capture_that_failed_is_made_again(width: int) -> None:
    model = small_model(2.0)
    fail = True

    def capture(function: Callable[[], None]) -> Callable[[], None]:
        if fail:
            function()  # as before a capture, to set libraries up
            raise RuntimeError("no capture")
        return recorded(function)

    graphs = GraphWalker(model, model.init_state(2, width), capture=capture)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no capture"):
            graphs.walk(Stretch(torch.zeros(2, width, 1, dtype=torch.float64)))
    fail = False
    steps = StepWalker(model, model.init_state(2, width))
    noise = Noise(1, range(2), torch.device("cpu"))
    for _ in range(3):
        stretch = Stretch(noise.row(width, 1))
        for found, expected in zip(graphs.walk(stretch), steps.walk(stretch), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_graphs_serve_every_mode_and_see_buffers_that_moved() -> None:
    model = small_model(2.0, levels=4)
    uniform = torch.rand(1, 3, 1, dtype=torch.float64)

    def replayed() -> tuple[torch.Tensor, torch.Tensor]:
        return GraphWalker(model, model.init_state(1, 3), capture=recorded).walk(Stretch(uniform))

    with torch.inference_mode():
        found = replayed()
    for _ in range(2):
        for one, other in zip(replayed(), found, strict=True):
            assert torch.equal(one, other)
    model.pixels.table = 2 * model.pixels.table
    expected = StepWalker(model, model.init_state(1, 3)).walk(Stretch(uniform))
    for one, other in zip(replayed(), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scored", [False, True])
def test_what_is_captured_of_a_pixel_is_all_that_it_needs(scored: bool) -> None:
    N, H, W = 2, 3, 3
    model = small_model(2.0, levels=3, channels=3, blocks=("row", "diagonal"), context_kernel=3)
    steps = StepWalker(model, model.init_state(N, W))
    captured = GraphWalker(model, model.init_state(N, W), capture=recorded)
    noise, draw = Noise(1, range(N), torch.device("cpu")), SamplingOptions(0.7, top_p=0.9)
    for i in range(H):
        stretch = Stretch(noise.row(W, 3), draw, torch.randint(3, (N, W, 3)), torch.rand(N, W) < 0.4, scored)
        for expected, found in zip(steps.walk(stretch), captured.walk(stretch), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
        if i == 1:
            turned = torch.tensor([1, 0])
            steps, captured = steps.select(turned), captured.select(turned)


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("draw", DRAWS, ids=lambda d: f"t{d.temperature}-k{d.top_k}-p{d.top_p}")
def test_what_is_captured_never_asks_for_a_value(
    fields: dict[str, Any], draw: SamplingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor on the device "meta" has none to give; for one on CUDA the processor would wait."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # has no types for "meta"
    model = small_model(**fields).to("meta")
    N, W, C = 2, 2, model.config.pixel_format.channels
    walker = GraphWalker(model, model.init_state(N, W), capture=SAME)
    uniform = torch.empty(N, W, C, dtype=torch.float64, device="meta")
    given, known = (
        torch.empty(N, W, C, dtype=torch.long, device="meta"),
        torch.empty(N, W, dtype=torch.bool, device="meta"),
    )
    for more in ((), (given, known), (given, known, True)):
        levels, nats = walker.walk_unchecked(Stretch(uniform, draw, *more))
        assert (levels.shape, nats.shape) == ((N, W, C), (N, W, C))


@pytest.mark.requires_cuda
@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
def test_cuda_graphs_are_the_walk_by_steps(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BACKEND_VARIABLE, raising=False)
    torch.use_deterministic_algorithms(False)  # cumsum has no deterministic CUDA kernel
    N, H, W = 3, 4, 5
    model = small_model(2.0, **fields).float().cuda()
    C, V = model.config.pixel_format.channels, model.config.pixel_format.levels
    graphs = start_walk(model, N, W)
    assert isinstance(graphs, GraphWalker)
    steps: Walker = StepWalker(model, model.init_state(N, W))
    noise = Noise(1, range(N), model.device)
    for i in range(H):
        given, known = torch.randint(V, (N, W, C), device="cuda"), torch.rand(N, W, device="cuda") < 0.4
        for draw in DRAWS[i], DRAWS[i + 1]:
            uniform = noise.row(W, C)
            for more in ((), (given, known), (given, known, True)):
                stretch = Stretch(uniform, draw, *more)
                for expected, found in zip(steps.walk(stretch), graphs.walk(stretch), strict=True):
                    torch.testing.assert_close(found, expected)
        steps, graphs = (walker.select(torch.tensor([2, 0, 2], device="cuda")) for walker in (steps, graphs))


def test_a_walk_in_autocast_is_in_the_models_own_types() -> None:
    model, rounded = small_model().float(), small_model().bfloat16()
    expected = sample(model, 2, 3, 4)
    with torch.autocast("cpu"):
        assert torch.equal(sample(model, 2, 3, 4), expected)
        with pytest.warns(UserWarning, match="are bfloat16"):
            found = sample(rounded, 2, 3, 4)
    with pytest.warns(UserWarning, match="are bfloat16"):
        assert torch.equal(sample(rounded, 2, 3, 4), found)


def test_any_top_k_is_all_levels_where_it_is_as_many() -> None:
    model = small_model(levels=5)
    assert torch.equal(sample(model, 3, 4, 5, options=SamplingOptions(top_k=10**19)), sample(model, 3, 4, 5))


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8])
def test_a_float32_image_is_the_same_to_the_last_bit_in_any_batch_and_on_any_threads(threads: int) -> None:
    model = small_model(3.0, levels=9, hidden=16, blocks=("row", "diagonal", "conv")).float()
    uniform = torch.rand(5, 6, 1, dtype=torch.float64)

    def rows(images: slice) -> list[torch.Tensor]:
        walker = CompiledWalker.start(CompiledModel(model, 6), model.init_state(len(range(5)[images]), 6))
        return [torch.cat(walker.walk(Stretch(uniform[images])), dim=1) for _ in range(3)]

    alone = [torch.cat(parts) for parts in zip(*(rows(slice(k, k + 1)) for k in range(5)), strict=True)]
    torch.set_num_threads(threads)
    for one, other in zip(alone, rows(slice(0, 5)), strict=True):
        assert torch.equal(one, other)


def test_the_backend_chooses_the_walker(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model()
    monkeypatch.delenv(BACKEND_VARIABLE, raising=False)
    assert isinstance(start_walk(model, 1, 2), CompiledWalker)
    compiled = sample(model, 3, 4, 5, seed=2)
    monkeypatch.setenv(BACKEND_VARIABLE, "reference")
    assert isinstance(start_walk(model, 1, 2), StepWalker)
    assert torch.equal(sample(model, 3, 4, 5, seed=2), compiled)


def test_a_type_that_is_not_compiled_is_walked_by_steps_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BACKEND_VARIABLE, raising=False)
    model = small_model().bfloat16()
    with pytest.warns(UserWarning, match="are bfloat16"):
        assert isinstance(start_walk(model, 1, 2), StepWalker)


def test_both_know_the_same_bounds_of_scales() -> None:
    names = ("MIN_LOG_SCALE", "MAX_LOG_SCALE")
    assert [getattr(distributions, n) for n in names] == [getattr(logistic_mixture, n) for n in names]
