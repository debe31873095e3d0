"""Each layer sees exactly what its definition allows: the Jacobian is zero where forbidden, non-zero where allowed."""

from __future__ import annotations

import pytest
import torch
from relations import BLOCKS, compose, mask_a, mask_b, reached, relation, residual

from pixelseq.layers import (
    CausalLayer,
    ContextEncoder,
    ConvBlock,
    DiagonalBiLSTM,
    LogisticMixtureHead,
    MaskedConv,
    ResidualBlock,
    RowLSTM,
    SoftmaxHead,
)

SIZES = [(1, 6), (6, 1), (3, 5), (5, 3), (4, 4)]
ids = "{0[0]}x{0[1]}".format
LAYERS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM, "conv": ConvBlock}


@pytest.mark.parametrize("size", SIZES, ids=ids)
@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_masked_conv(size: tuple[int, int], kernel: int, mask_type: str) -> None:
    layer = MaskedConv(2, 2, kernel, mask_type).double()  # type: ignore[arg-type]
    sees = (mask_a if mask_type == "A" else mask_b)(kernel)
    assert torch.equal(reached(layer, (1, *size, 2)), relation(*size, sees))


@pytest.mark.parametrize("size", SIZES, ids=ids)
@pytest.mark.parametrize("name", LAYERS)
def test_layer_and_its_residual_block(size: tuple[int, int], name: str) -> None:
    layer: CausalLayer = LAYERS[name](6, 3).double()
    expected = relation(*size, BLOCKS[name])
    assert torch.equal(reached(layer, (1, *size, 6)), expected)
    assert torch.equal(reached(ResidualBlock(layer, 3).double(), (1, *size, 6)), expected)


@pytest.mark.parametrize("size", SIZES, ids=ids)
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_context_encoder(size: tuple[int, int], blocks: int) -> None:
    H, W = size
    encoder = ContextEncoder(pixel_features=2, hidden=8, kernel=5, blocks=blocks).double()
    expected = relation(H, W + 1, mask_a(5))
    for _ in range(blocks):
        expected = compose(residual(relation(H, W + 1, mask_b(3))), expected)
    image = [i * (W + 1) + j for i in range(H) for j in range(W)]  # the appended column is no input
    assert torch.equal(reached(encoder, (1, H, W, 2)), expected[:, image])


def test_the_appended_column_sees_the_last_pixel_of_its_row() -> None:
    encoder = ContextEncoder(pixel_features=1, hidden=4, kernel=3, blocks=0).double()
    pixels = torch.zeros(1, 2, 3, 1, dtype=torch.float64, requires_grad=True)
    encoder(pixels)[0, 0, 3].sum().backward()
    assert pixels.grad is not None
    assert pixels.grad[0, 0, 2] != 0


def test_a_border_differs_from_every_level() -> None:
    encoder = ContextEncoder(pixel_features=1, hidden=4, kernel=3, blocks=0).double()
    interior = encoder(torch.zeros(1, 3, 3, 1, dtype=torch.float64))[0, 2, 1]
    border = encoder(torch.zeros(1, 3, 3, 1, dtype=torch.float64))[0, 0, 1]
    assert (interior - border).abs().max() > 1e-3  # all values are 0 there and here; only the inside channel differs


@pytest.mark.parametrize("size", SIZES, ids=ids)
@pytest.mark.parametrize("name", LAYERS)
def test_step_equals_forward(size: tuple[int, int], name: str) -> None:
    H, W = size
    layer = ResidualBlock(LAYERS[name](6, 3), 3).double()
    x = torch.randn(2, H, W, 6, dtype=torch.float64)
    expected = layer(x)
    state = layer.init_state(2, W)
    with torch.no_grad():
        for i in range(H):
            for j in range(W):
                torch.testing.assert_close(
                    layer.step(x[:, i, j], state, torch.tensor([j])), expected[:, i, j], rtol=0, atol=1e-10
                )
            layer.end_row(state)


@pytest.mark.parametrize("size", SIZES, ids=ids)
def test_encoder_step_equals_forward(size: tuple[int, int]) -> None:
    H, W = size
    encoder = ContextEncoder(pixel_features=3, hidden=4, kernel=5, blocks=2).double()
    pixels = torch.randn(2, H, W, 3, dtype=torch.float64)
    expected = encoder(pixels)
    state = encoder.init_state(2, W)
    with torch.no_grad():
        for i in range(H):
            for j in range(W + 1):
                torch.testing.assert_close(
                    encoder.step(state, torch.tensor([j])), expected[:, i, j], rtol=0, atol=1e-10
                )
                if j < W:
                    encoder.feed(pixels[:, i, j], state, torch.tensor([j]))
            encoder.end_row(state)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["softmax-ordinal", "softmax-categorical", "logistic-mixture"])
def test_the_head_sees_the_features_and_the_earlier_colours(channels: int, name: str) -> None:
    Q = 5 if name == "softmax-categorical" else 1
    mixture = name == "logistic-mixture"
    head = (
        LogisticMixtureHead(6, channels, 16, 3, 2) if mixture else SoftmaxHead(6, channels, Q, 16, 3, ordered=True)
    ).double()
    of_colours = torch.zeros(channels, channels, dtype=torch.bool)
    of_features = torch.zeros(channels, 6, dtype=torch.bool)
    for _ in range(8):
        features = torch.rand(6, dtype=torch.float64)  # positive, so that the head's ReLU hides none
        pixels = torch.randn(channels, Q, dtype=torch.float64)
        by_features, by_pixels = torch.autograd.functional.jacobian(head.log_probs, (features, pixels))
        of_features |= (by_features != 0).any(1)
        of_colours |= (by_pixels != 0).any(-1).any(1)
    assert of_features.all()
    assert torch.equal(of_colours, torch.ones(channels, channels).tril(-1).bool())
