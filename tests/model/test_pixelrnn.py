"""The whole model: what it sees, that it is a distribution, that forward and step agree, its shapes."""

from __future__ import annotations

import pytest
import torch
from helpers import HEADS, all_images, small_model
from relations import BLOCKS, compose, mask_a, mask_b, reached, relation, residual
from torch import Tensor

from pixelseq import ModelConfig, PixelFormat, PixelRNN, complete, evaluate, sample

SIZES = [(1, 4), (4, 1), (2, 4), (4, 2), (1, 1)]
STACKS: list[tuple[str, ...]] = [(), ("conv",), ("row",), ("diagonal",), ("row", "diagonal", "conv")]
size_id = "{0[0]}x{0[1]}".format
stack_id = lambda blocks: "-".join(blocks) or "encoder"  # noqa: E731


def trunk_relation(height: int, width: int, kernel: int, context_blocks: int, blocks: tuple[str, ...]) -> Tensor:
    """Which features see which pixels, composed from the layers' definitions; W + 1 columns, then cropped."""
    wide = (height, width + 1)
    seen = relation(*wide, mask_a(kernel))
    for sees in [mask_b(3)] * context_blocks + [BLOCKS[name] for name in blocks]:
        seen = compose(residual(relation(*wide, sees)), seen)
    image = [i * (width + 1) + j for i in range(height) for j in range(width)]
    return seen[image][:, image]


def value_relation(pixels: Tensor, channels: int) -> Tensor:
    """The relation between colour values: earlier pixels whole, and the earlier colours of the own pixel."""
    earlier = torch.ones(channels, channels, dtype=torch.bool)
    own = torch.ones(channels, channels).tril(-1).bool()
    return torch.kron(pixels.int(), earlier.int()).bool() | torch.kron(torch.eye(len(pixels)).int(), own.int()).bool()


def values_reached(model: PixelRNN, channels: int, height: int, width: int) -> Tensor:
    """The Jacobian's relation between values, as an image of C * W columns."""
    Q = model.pixels.features

    def function(values: Tensor) -> Tensor:  # [1, H, W * C, Q] -> [1, H, W * C, V]
        return model.log_probs(values.unflatten(2, (width, channels))).flatten(2, 3)

    return reached(function, (1, height, width * channels, Q), tries=4)


@pytest.mark.parametrize("size", SIZES, ids=size_id)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("blocks", STACKS, ids=stack_id)
@pytest.mark.parametrize("head", HEADS)
def test_sees_exactly_what_its_layers_allow(
    size: tuple[int, int], channels: int, blocks: tuple[str, ...], head: str
) -> None:
    model = small_model(channels=channels, blocks=blocks, hidden=6, head_features=16, head=head)
    expected = value_relation(trunk_relation(*size, 3, 1, blocks), channels)
    assert torch.equal(values_reached(model, channels, *size), expected)


@pytest.mark.parametrize("size", [*SIZES, (3, 9), (5, 5)], ids=size_id)
@pytest.mark.parametrize("blocks", [("diagonal",), ("row", "diagonal")], ids=stack_id)
def test_a_diagonal_block_sees_every_earlier_value(size: tuple[int, int], blocks: tuple[str, ...]) -> None:
    values = 3 * size[0] * size[1]
    model = small_model(channels=3, blocks=blocks, context_blocks=0, hidden=6, head_features=16)
    assert torch.equal(values_reached(model, 3, *size), torch.ones(values, values).tril(-1).bool())


def test_categorical_pixels_see_every_earlier_value() -> None:
    model = small_model(channels=3, blocks=("diagonal",), kind="categorical", levels=3, hidden=6, head_features=16)
    assert torch.equal(values_reached(model, 3, 2, 3), torch.ones(18, 18).tril(-1).bool())


@pytest.mark.parametrize(
    ("levels", "channels", "height", "width"),
    [(2, 1, 2, 3), (2, 1, 3, 2), (3, 1, 2, 2), (2, 3, 1, 2), (2, 4, 2, 1), (2, 1, 1, 6), (2, 1, 6, 1)],
)
@pytest.mark.parametrize(
    ("kind", "head"), [("ordinal", "softmax"), ("categorical", "softmax"), ("ordinal", "logistic_mixture")]
)
def test_probabilities_of_all_images_sum_to_one(
    levels: int, channels: int, height: int, width: int, kind: str, head: str
) -> None:
    blocks = ("row", "diagonal", "conv")
    model = small_model(2.0, levels=levels, channels=channels, kind=kind, head=head, blocks=blocks)
    images = all_images(levels, channels, height, width)
    likelihoods = (-model.nll(images).sum((1, 2, 3))).exp()
    assert likelihoods.sum().item() == pytest.approx(1, abs=1e-12)
    assert likelihoods.std() > 0.1 / len(images)  # not merely uniform


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("head", HEADS)
def test_nll_is_the_entry_of_the_table(channels: int, head: str) -> None:
    model = small_model(2.0, levels=5, channels=channels, head=head)
    images = torch.randint(5, (2, channels, 3, 4), dtype=torch.uint8)
    table = model(images)
    assert table.shape == (2, 5, channels, 3, 4)
    torch.testing.assert_close(table.exp().sum(1), torch.ones(2, channels, 3, 4, dtype=torch.float64))
    picked = -table.gather(1, images.long().unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(model.nll(images), picked)


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (3, 4), (4, 3), (1, 1)], ids=size_id)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("head", HEADS)
def test_stepping_equals_forward(size: tuple[int, int], channels: int, head: str) -> None:
    H, W = size
    model = small_model(2.0, channels=channels, levels=5, blocks=("row", "diagonal", "conv", "diagonal"), head=head)
    images = torch.randint(5, (2, channels, H, W))
    expected = model(images)
    state = model.init_state(2, W)
    for i in range(H):
        for j in range(W):
            assert (state.row, state.column) == (i, j)
            if (i + j) % 3 == 1:
                state = state.copy()
            features = model.step(state)
            for c in range(channels):
                log_probs = model.pixel_log_probs(features, images[:, :c, i, j])
                torch.testing.assert_close(log_probs, expected[:, :, c, i, j], rtol=0, atol=1e-10)
            model.feed(state, images[:, :, i, j])


def test_a_state_is_copied_expanded_and_selected() -> None:
    H, W = 3, 4
    model = small_model(2.0, levels=3, blocks=("row", "diagonal", "conv"))
    images = torch.randint(3, (2, 1, H, W))
    state = model.init_state(2, W)
    prefix = [(0, j) for j in range(W)] + [(1, 0), (1, 1)]
    for i, j in prefix:
        model.step(state)
        model.feed(state, images[:, :, i, j])

    kept = state.copy()
    expanded = state.expand(3)  # images 0, 0, 0, 1, 1, 1
    chosen = state.select(torch.tensor([1, 1, 0]))
    tails = images.repeat_interleave(3, dim=0).clone()
    tails[:, :, 1, 2:] = torch.randint(3, (6, 1, 2))
    tails[:, :, 2:] = torch.randint(3, (6, 1, 1, W))
    rest = [(1, 2), (1, 3)] + [(2, j) for j in range(W)]
    for other, whole in [(expanded, tails), (chosen, tails[[4, 5, 0]]), (state, images), (kept, images)]:
        assert other.batch == len(whole)
        expected = model(whole)
        for i, j in rest:
            log_probs = model.pixel_log_probs(model.step(other), whole[:, :0, i, j])
            torch.testing.assert_close(log_probs, expected[:, :, 0, i, j], rtol=0, atol=1e-10)
            model.feed(other, whole[:, :, i, j])


def test_the_state_does_not_grow() -> None:
    model = small_model()
    state = model.init_state(2, 3)

    def shapes() -> list[torch.Size]:
        return [tensor.shape for layer in state.encoder + state.blocks for tensor in layer.values()]

    before = shapes()
    for _ in range(15):
        model.step(state)
        model.feed(state, torch.ones(2, 1, dtype=torch.long))
    assert shapes() == before
    assert (state.row, state.column) == (5, 0)


def test_nll_does_not_depend_on_padding_below_or_on_the_batch() -> None:
    model = small_model(2.0, levels=4, blocks=("row", "diagonal", "conv"))
    images = torch.randint(4, (5, 1, 3, 4))
    alone = torch.cat([model.nll(image[None]) for image in images])
    torch.testing.assert_close(model.nll(images), alone, rtol=0, atol=1e-12)
    padded = torch.cat([images, torch.randint(4, (5, 1, 4, 4))], dim=2)
    torch.testing.assert_close(model.nll(padded)[:, :, :3], alone, rtol=0, atol=1e-12)


def test_the_papers_mnist_net() -> None:
    """7 Diagonal BiLSTM layers of h = 16 (van den Oord et al. 2016, tables 1 and 4), counted by hand."""
    h, head, levels = 16, 64, 2
    model = PixelRNN(
        ModelConfig(
            PixelFormat(levels=levels), hidden=h, blocks=("diagonal",) * 7, context_blocks=0, head_features=head
        )
    )
    first = 2 * h * (24 * 2 + 1)  # 7x7 mask A keeps 24 taps; input: value and inside; bias
    input_to_state = 2 * 4 * h * (2 * h + 1)  # 1x1, 2h -> 4h, both directions
    state_to_state = 2 * 2 * h * 4 * h  # 2x1, h -> 4h, both directions, no bias of its own
    upsample = 2 * h * (h + 1)  # 1x1, h -> 2h
    output = head * (2 * h + 1) + levels * (head + 1)  # two 1x1 layers
    assert model.num_parameters == first + 7 * (input_to_state + state_to_state + upsample) + output == 65858
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    assert shapes["encoder.first.weight"] == (32, 2, 4, 7)
    assert shapes["blocks.0.layer.input_to_state.weight"] == (128, 32)
    assert shapes["blocks.0.layer.state_to_state"] == (2, 2, 16, 64)
    assert shapes["blocks.6.project.weight"] == (32, 16)
    assert model(torch.zeros(1, 1, 28, 28, dtype=torch.uint8)).shape == (1, 2, 1, 28, 28)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 4, 4, dtype=torch.long), r"\[1, 4, 4\]; expected \[batch, channels"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.long), "have 3 channels; the model has 1"),
        (torch.zeros(1, 1, 0, 4, dtype=torch.long), "at least 1"),
        (torch.zeros(1, 1, 4, 4), "expected integer levels 0 to 1"),
        (torch.full((1, 1, 4, 4), 2), "levels from 2 to 2; the model has 2 levels"),
        (torch.full((1, 1, 4, 4), -1), "levels from -1"),
        (torch.full((1, 1, 4, 4), 9, dtype=torch.uint16), "levels from 9 to 9"),
    ],
    ids=["rank", "channels", "empty", "float", "too-high", "negative", "uint16"],
)
def test_images_that_are_not_levels(images: Tensor, message: str) -> None:
    model = small_model()
    for call in (model, model.nll):
        with pytest.raises(ValueError, match=message):
            call(images)


def test_step_and_feed_take_turns() -> None:
    model = small_model()
    state = model.init_state(1, 2)
    with pytest.raises(ValueError, match="call step first"):
        model.feed(state, torch.zeros(1, 1, dtype=torch.long))
    model.step(state)
    with pytest.raises(ValueError, match="call feed before"):
        model.step(state)
    with pytest.raises(ValueError, match=r"the pixel is \[2, 1\]; expected \[1, 1\]"):
        model.feed(state, torch.zeros(2, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="expected integer levels"):
        model.feed(state, torch.zeros(1, 1))
    with pytest.raises(ValueError, match="1 colours are given; a pixel has 1"):
        model.pixel_log_probs(torch.zeros(1, 6).double(), torch.zeros(1, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="`width` is 0"):
        model.init_state(1, 0)


@pytest.mark.requires_cuda
@pytest.mark.parametrize("head", HEADS)
def test_cuda_equals_cpu(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    monkeypatch.setenv("PIXELSEQ_BACKEND", "reference")
    torch.use_deterministic_algorithms(False)  # cumsum has no deterministic CUDA kernel
    model = small_model(levels=5, channels=3, blocks=("row", "diagonal", "conv"), head=head)
    images, known = torch.randint(5, (2, 3, 4, 5)), torch.rand(2, 4, 5) < 0.5
    results = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        log_probs = model(images.to(device))
        model.nll(images.to(device)).sum().backward()
        gradients = [parameter.grad.cpu() for parameter in model.parameters() if parameter.grad is not None]
        drawn = sample(model, 3, 4, 5), complete(model, images, known, num=2)
        evaluated = torch.tensor(evaluate(model, list(images)).nll_nats)
        results.append([log_probs.detach().cpu(), *gradients, *(tensor.cpu() for tensor in drawn), evaluated])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
