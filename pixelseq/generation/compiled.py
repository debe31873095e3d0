"""A model laid out for the compiled walk over pixels (`kernels/pixel_walk.py`): flat weights, flat states.

Every axis of features is padded with zeros to a multiple of LANES, each gate by itself.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.kernels.numba.op import run
from pixelseq.kernels.numba.simd import LANES
from pixelseq.kernels.pixel_walk.layers import CONV, DIAGONAL, ROW
from pixelseq.kernels.pixel_walk.walk import walk
from pixelseq.layers import (
    ConvBlock,
    DiagonalBiLSTM,
    ExactLinear,
    Head,
    LogisticMixtureHead,
    MaskedConv,
    ResidualBlock,
    RowLSTM,
)
from pixelseq.model.pixelrnn import PixelRNN


class CompiledModel:
    """The weights of a model as the compiled walk reads them; later changes of the model's own do not reach it.

    Args:
        model: in float32 or float64, on the CPU.
        width: columns of the images.
    """

    def __init__(self, model: PixelRNN, width: int) -> None:
        self.width = width
        self.channels = model.config.channels
        self._parts: list[Tensor] = []
        self._count = 0
        first = model.encoder.first
        X, R, K = first.weight.shape[1], first.rows, first.kernel
        conv = self._add(*_conv(first, X))
        self.state_size = R * (width + 1 + 2 * (K // 2)) * X
        residual: list[ResidualBlock] = [*model.encoder.blocks, *model.blocks]
        blocks = [self._block(block, model.config.features, model.config.hidden) for block in residual]
        self.blocks = torch.tensor(blocks, dtype=torch.int64).view(len(blocks), 8)
        head = model.head
        heads = [self._colour(head, c) for c in range(self.channels)]
        self.head = torch.tensor(heads, dtype=torch.int64)
        self.weights = torch.cat(self._parts)
        self.table = model.pixels.table.detach().contiguous()
        self.features = _padded(model.config.features)
        hidden = _padded(model.config.hidden)
        head_size = max(sum(sizes[3:]) for sizes in heads)
        scratch = max(hidden + max(self.features, 8 * hidden), self.features + head_size)
        mixtures = head.mixtures if isinstance(head, LogisticMixtureHead) else 0
        self.shape = (self.features, self.channels, model.config.levels, width, conv, K, R, X, mixtures, scratch)

    def init_state(self, batch: int) -> Tensor:
        """The state before the first pixel, [batch, size]."""
        return self.weights.new_zeros(batch, self.state_size)

    def walk(
        self,
        state: Tensor,
        first: int,
        given: Tensor,
        known: Tensor,
        uniform: Tensor,
        settings: tuple[float, float, float, float],
    ) -> tuple[Tensor, Tensor]:
        """Walks columns of the current row, from `first` on; see `kernels/pixel_walk.py`.

        Returns:
            levels: [N, W, C], int64.
            nats: [N, W, C], float64.
        """
        levels, nats = torch.empty_like(given), torch.empty_like(uniform)
        features = state.new_zeros(len(state), self.features)
        arrays = (self.blocks, self.head, self.weights, self.table, state)
        run(walk, self.shape, *arrays, first, given, known, uniform, settings, levels, nats, features)
        return levels, nats

    def _add(self, *tensors: Tensor) -> int:
        """Appends weights; returns the offset of the first."""
        offset = self._count
        for tensor in tensors:
            self._parts.append(tensor.detach().flatten())
            self._count += tensor.numel()
        return offset

    def _colour(self, head: Head, c: int) -> list[int]:
        from_features, outputs = head.from_features[c], head.to_outputs[c]
        assert isinstance(from_features, nn.Linear)
        assert isinstance(outputs, ExactLinear)
        to_outputs = _affine(*outputs.weight_and_bias())
        offsets = [self._add(*_linear(from_features)), 0, self._add(*to_outputs)]
        if c > 0:
            from_earlier = head.from_earlier[c - 1]
            assert isinstance(from_earlier, nn.Linear)
            offsets[1] = self._add(_pad(from_earlier.weight.T))
        return [*offsets, _padded(outputs.out_features), _padded(outputs.in_features)]

    def _block(self, block: ResidualBlock, features: int, hidden: int) -> list[int]:
        layer, D, W1 = block.layer, _padded(hidden), self.width + 1
        state_to_state, state = 0, self.state_size
        if isinstance(layer, ConvBlock):
            kind = CONV
            reduce = _linear(layer.reduce)
            offset = self._add(*reduce, *_conv(layer.conv, D))
            self.state_size += 2 * (W1 + 2) * D
        elif isinstance(layer, RowLSTM):
            kind = ROW
            offset = self._add(*_conv(layer.input_to_state, _padded(features), gates=True))
            state_to_state = self._add(_pad_rows(_pad_gates(layer.state_to_state), D))
            self.state_size += (W1 + 2) * _padded(features) + (W1 + 2) * D + 2 * W1 * D
        else:
            assert isinstance(layer, DiagonalBiLSTM)
            kind = DIAGONAL
            weight, bias = layer.input_to_state.weight, layer.input_to_state.bias
            both = (2, 4 * hidden)
            columns = _pad_gates(weight.T.unflatten(1, both)).flatten(1)
            offset = self._add(_pad_gates(bias.unflatten(0, both)), _pad_rows(columns, _padded(features)))
            state_to_state = self._add(_pad_rows(_pad_gates(layer.state_to_state), D))
            self.state_size += 2 * W1 * D + 2 * D + 4 * W1 * D
        project = self._add(*_linear(block.project))
        return [kind, _padded(features), D, offset, state_to_state, project, state, W1]


def _padded(count: int) -> int:
    return count + -count % LANES


def _pad(tensor: Tensor) -> Tensor:
    """Pads the last axis."""
    return F.pad(tensor, (0, -tensor.shape[-1] % LANES))


def _pad_gates(tensor: Tensor) -> Tensor:
    """Pads each of the four gates on the last axis."""
    return _pad(tensor.unflatten(-1, (4, -1))).flatten(-2)


def _pad_rows(tensor: Tensor, count: int) -> Tensor:
    """Pads the axis before the last to `count`."""
    return F.pad(tensor, (0, 0, 0, count - tensor.shape[-2]))


def _linear(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    return _affine(linear.weight, linear.bias)


def _affine(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A linear map's bias, and its weight [in, out]."""
    return _pad(bias), _pad_rows(_pad(weight.T), _padded(weight.shape[1]))


def _conv(conv: MaskedConv, features: int, gates: bool = False) -> list[Tensor]:
    """A masked convolution's bias, and the weights [taps, in, out] of what its mask lets through, row after row."""
    pad = _pad_gates if gates else _pad
    parts = [pad(conv.bias)]
    for row in range(conv.rows):
        taps = int(conv.mask[row].sum())
        weight = conv.weight[:, :, row, :taps].permute(2, 1, 0)
        parts.append(_pad_rows(pad(weight), features))
    return parts
