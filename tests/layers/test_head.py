"""Both heads: distributions, one definition for tables and single levels, memory, bfloat16."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from helpers import HEADS
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pixelseq import ModelConfig, PixelFormat, PixelRNN
from pixelseq.layers import ExactLinear, Head, LogisticMixtureHead, OrderedLogits, PixelEncoding, SoftmaxHead

LEVELS = [2, 5, 17, 256]
FEATURES = 6


def build(name: str, channels: int, levels: int) -> Head:
    """A head of that name for ordinal pixels."""
    if name == "softmax":
        return SoftmaxHead(FEATURES, channels, 1, 16, levels, ordered=True)
    return LogisticMixtureHead(FEATURES, channels, 16, levels, mixtures=5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", HEADS)
@torch.no_grad()
def test_probabilities_sum_to_one_and_the_closed_form_is_in_the_table(
    name: str, channels: int, levels: int, dtype: torch.dtype, tolerance: float
) -> None:
    head = build(name, channels, levels).to(dtype)
    features = 3 * torch.randn(20, 7, FEATURES, dtype=dtype)
    image = torch.randint(levels, (20, 7, channels))
    pixels = PixelEncoding(PixelFormat(levels=levels)).to(dtype)(image)
    table = head.log_probs(features, pixels)
    assert table.shape == (20, 7, channels, levels)
    assert (table.double().exp().sum(-1) - 1).abs().max() < tolerance
    picked = -table.gather(-1, image[..., None]).squeeze(-1)
    torch.testing.assert_close(head.nll(features, pixels, image), picked, rtol=tolerance, atol=tolerance)
    for c in range(channels):
        stepped = head.channel_log_probs(features, pixels[..., :c, :])
        torch.testing.assert_close(stepped, table[..., c, :], rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_logits_of_ordered_levels_are_cosines_over_them() -> None:
    logits = OrderedLogits(1, levels=4).double()
    level = torch.arange(4, dtype=torch.float64)
    for k in range(4):
        logits.weight.zero_()
        logits.bias.zero_()
        logits.bias[k] = 1
        height = 1 + 1 / (2 * math.sin(math.pi * k / 8)) ** 2 if k else 0
        cosine = height * math.sqrt(0.5) * (math.pi / 4 * k * (level + 0.5)).cos()
        found = logits(torch.zeros(1, dtype=torch.float64))
        torch.testing.assert_close(found, cosine, rtol=0, atol=1e-6)


@pytest.mark.parametrize("levels", [3, 17, 256])
@torch.no_grad()
def test_new_ordered_logits_are_a_linear_maps(levels: int) -> None:
    """Whatever is drawn for a linear map, cosines can be: none of its freedom is lost."""
    torch.manual_seed(0)
    linear = ExactLinear(6, levels)
    torch.manual_seed(0)
    logits = OrderedLogits(6, levels)
    x = torch.randn(5, 6)
    torch.testing.assert_close(logits(x).log_softmax(-1), linear(x).log_softmax(-1), rtol=0, atol=1e-5)
    assert sum(p.numel() for p in logits.parameters()) == sum(p.numel() for p in linear.parameters())


@pytest.mark.parametrize("kind", [ExactLinear, OrderedLogits])
def test_what_is_learned_of_a_level_holds_for_its_neighbours(kind: type[ExactLinear]) -> None:
    layer, x = kind(6, 256), torch.ones(6)
    before = layer(x).detach()
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    torch.nn.functional.cross_entropy(layer(x), torch.tensor(100)).backward()
    optimizer.step()
    gain = layer(x).detach() - before
    assert gain.argmax() == 100
    assert (gain[200:] < 0).all()
    assert (gain[98:103] > 0.9 * gain[100]).all() == (kind is OrderedLogits)


@pytest.mark.parametrize("kind", [ExactLinear, OrderedLogits])
def test_autocast_does_not_reach_the_weights_of_logits(kind: type[ExactLinear]) -> None:
    layer = kind(6, 256)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer.weight_and_bias()
    for tensor, exact in zip(found, layer.weight_and_bias(), strict=True):
        torch.testing.assert_close(tensor, exact, rtol=0, atol=0)


@pytest.mark.parametrize("levels", [8, 256])
def test_the_weights_of_logits_are_the_same_to_the_last_bit_on_any_threads(levels: int) -> None:
    layer, found = OrderedLogits(64, levels), []
    torch.nn.init.normal_(layer.bias)
    for threads in (1, 2, 4, 8):
        torch.set_num_threads(threads)
        found.append(layer.weight_and_bias())
        assert torch.get_num_threads() == threads
    for weight, bias in found[1:]:
        assert torch.equal(weight, found[0][0])
        assert torch.equal(bias, found[0][1])


def test_only_more_than_two_ordered_levels_have_cosines() -> None:
    for levels, ordered, kind in [(2, True, ExactLinear), (3, True, OrderedLogits), (3, False, ExactLinear)]:
        head = SoftmaxHead(FEATURES, 3, 1, 16, levels, ordered)
        assert {type(last) for last in head.to_outputs} == {kind}
    assert type(PixelRNN(ModelConfig(PixelFormat(levels=9, kind="categorical"))).head.to_outputs[0]) is ExactLinear
    assert type(PixelRNN(ModelConfig(PixelFormat(levels=9))).head.to_outputs[0]) is OrderedLogits


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_means_are_linear_in_the_earlier_colours(channels: int) -> None:
    """With all weights 0 but a coefficient, the last colour's mean is that multiple of the first's value."""
    head = LogisticMixtureHead(FEATURES, channels, 4, levels=17, mixtures=1).double()
    for parameter in head.parameters():
        parameter.data.zero_()
    last = head.to_outputs[-1].bias.data.view(3 + channels - 1, 1)
    last[1] = 0.25  # mean, of [-1, 1]
    if channels > 1:
        last[3] = 0.5  # coefficient of the first colour
    earlier = torch.zeros(channels - 1, 1, dtype=torch.float64)
    earlier[:1] = -1
    _, mean, _ = head.components(torch.zeros(FEATURES, dtype=torch.float64), earlier)
    assert mean.item() == pytest.approx((0.25 - 0.5 * (channels > 1) + 1) * 8)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", HEADS)
def test_a_new_model_is_close_to_uniform(name: str, channels: int, levels: int) -> None:
    model = PixelRNN(ModelConfig(PixelFormat(channels, levels), head=name, blocks=()))  # type: ignore[arg-type]
    images = torch.randint(levels, (8, channels, 8, 8))
    with torch.no_grad():
        assert model.nll(images).mean() < 1.1 * math.log(levels)


class LargestTensor(TorchDispatchMode):
    """Records the sides and the largest number of elements of all tensors that are made."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: set[int] = set()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self.sides.update(tensor.shape)
                self.elements = max(self.elements, tensor.numel())
        return made


@pytest.mark.parametrize("name", HEADS)
def test_only_the_softmax_nll_has_an_axis_of_levels(name: str) -> None:
    config = ModelConfig(
        PixelFormat(3, 256), hidden=4, blocks=(), context_blocks=0, context_kernel=3, head_features=8,
        head=name, mixtures=10,
    )  # type: ignore[arg-type]  # fmt: skip
    model = PixelRNN(config)
    images = torch.randint(256, (16, 3, 64, 64), dtype=torch.uint8)
    with LargestTensor() as seen:
        model.nll(images).sum().backward()
    axis_of_levels = 256 in seen.sides or seen.elements >= images.numel() * 256 // 3
    assert axis_of_levels == (name == "softmax")
    if name == "logistic_mixture":
        assert seen.elements <= 16 * 64 * 64 * 5 * 10  # the numbers that describe one colour


@pytest.mark.parametrize("levels", [2, 256])
@pytest.mark.parametrize("name", HEADS)
def test_bfloat16_autocast_is_close_to_float32(name: str, levels: int) -> None:
    config = ModelConfig(PixelFormat(3, levels), hidden=8, blocks=("row", "diagonal", "conv"), head=name)  # type: ignore[arg-type]
    model = PixelRNN(config)
    images = torch.randint(levels, (4, 3, 6, 5))
    means = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            nats = model.nll(images)
            table = model(images)
        assert nats.dtype == table.dtype == torch.float32
        assert (table.double().exp().sum(1) - 1).abs().max() < 1e-6
        nats.mean().backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
        means.append(nats.mean().item())
    assert means[1] == pytest.approx(means[0], rel=0.01)


@pytest.mark.parametrize("name", HEADS)
def test_outputs_under_autocast_are_finer_than_bfloat16(name: str) -> None:
    head = build(name, 1, 256)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        outputs = head.channel_outputs(torch.randn(5, FEATURES), torch.zeros(5, 0, 1))
    assert (outputs != outputs.bfloat16().float()).float().mean() > 0.9
