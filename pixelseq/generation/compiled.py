"""The walk on a CPU: a model packed for the compiled walk over pixels, and the walker that runs it.

`kernels/pixel_walk/layout.py` says where each number lies. Shapes: N images, C colours, W columns of a stretch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.generation.engine import Stretch, Walker
from pixelseq.kernels.numba.op import run
from pixelseq.kernels.numba.simd import LANES
from pixelseq.kernels.pixel_walk import layout
from pixelseq.kernels.pixel_walk.walk import walk
from pixelseq.layers import ExactLinear, Head, LogisticMixtureHead, ResidualBlock
from pixelseq.model.condition_rows import ConditionRows
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State


class CompiledModel:
    """The weights of a model as the compiled walk reads them; later changes of the model's own do not reach it.

    Args:
        model: a model in float32 or float64, on the CPU.
        width: the columns of the images.
    """

    def __init__(self, model: PixelRNN, width: int) -> None:
        self.width = width
        self._parts: list[Tensor] = []
        self._count = 0
        config, head, first = model.config, model.head, model.encoder.first
        C = config.pixel_format.channels
        net = torch.zeros(layout.NET_SIZE, dtype=torch.int64)
        X = first.weight.shape[1]
        net[layout.FIRST] = self._add(
            *first.walk_weights(), pad_inputs=False
        )  # a pixel has few numbers, which are broadcast
        net[layout.ROWS], net[layout.KERNEL], net[layout.INPUTS] = first.rows, first.kernel, X
        (window,) = first.init_state(1, width + 1).values()
        net[layout.WINDOW], self.state_size = window.shape[2], window[0].numel()
        blocks = [
            self._block(block, config.features, config.hidden) for block in (*model.encoder.blocks, *model.blocks)
        ]
        net[layout.CONDITIONED] = len(model.encoder.blocks) if config.conditional else layout.UNCONDITIONAL
        records = torch.stack(blocks) if blocks else torch.zeros(0, layout.BLOCK_SIZE, dtype=torch.int64)
        colours = torch.stack([self._colour(head, c) for c in range(C)])
        weights = torch.cat(self._parts)
        net[layout.STREAM], net[layout.COLOURS] = layout.padded(config.features), C
        net[layout.LEVELS], net[layout.WIDTH] = config.pixel_format.levels, width
        net[layout.MIXTURES] = head.mixtures if isinstance(head, LogisticMixtureHead) else 0
        head_size = int(colours[:, [layout.OUTPUTS, layout.HEAD_HIDDEN]].sum(1).max())
        trunk_size = layout.scratch_size(layout.padded(config.features), layout.padded(config.hidden))
        net[layout.SCRATCH] = max(trunk_size, layout.padded(config.features) + head_size)
        self._features, self._dtype = int(net[layout.STREAM]), weights.dtype
        # Converted once: the walk is called for every row.
        table = model.pixels.table.detach().contiguous()
        self._packed = [tensor.numpy() for tensor in (net, records, colours, weights, table)]

    def init_state(self, states: int) -> Tensor:
        """Makes states before the first pixel, [states, size]."""
        return torch.zeros(states, self.state_size, dtype=self._dtype)

    def pack_condition(self, states: int, condition: Tensor | None) -> Tensor:
        """Flattens what is told in a row, [states, 1 or W + 1, F], to the [states, size] that the walk reads."""
        if condition is None:
            return torch.zeros(states, 0, dtype=self._dtype)
        return F.pad(condition, (0, self._features - condition.shape[2])).flatten(1).contiguous()

    def walk(
        self, state: Tensor, told: Tensor, column: int, guidance: float, stretch: Stretch
    ) -> tuple[Tensor, Tensor]:
        """Walks a stretch of the current row from `column` on; see `Walker` and `Walker.walk`."""
        N, W, C = stretch.uniform.shape
        given, known = stretch.given, stretch.known
        if given is None or known is None:
            given = torch.zeros(N, W, C, dtype=torch.long)
            known = torch.zeros(N, W, dtype=torch.bool)
        levels = torch.empty(N, W, C, dtype=torch.long)
        nats = torch.empty_like(stretch.uniform, memory_format=torch.contiguous_format)
        run(
            walk,
            *self._packed,
            state,
            told,
            column,
            stretch.uniform.contiguous(),
            given.long().contiguous(),
            known.contiguous(),
            stretch.scored,
            float(stretch.options.temperature),
            min(stretch.options.top_k, 2**31),
            float(stretch.options.top_p),
            float(guidance),
            levels,
            nats,
            state.new_zeros(len(state), self._features),
        )
        return levels, nats

    def _add(self, *tensors: Tensor, pad_inputs: bool = True) -> int:
        """Appends weights, shaped as `CausalLayer.walk_weights` says; returns the offset of the first."""
        offset = self._count
        for tensor in tensors:
            inputs = -tensor.shape[-3] % LANES if pad_inputs and tensor.ndim > 2 else 0
            part = F.pad(tensor.detach(), (0, -tensor.shape[-1] % LANES, 0, 0, *((0, inputs) if inputs else ())))
            self._parts.append(part.flatten())
            self._count += part.numel()
        return offset

    def _colour(self, head: Head, c: int) -> Tensor:
        from_features, to_outputs = head.from_features[c], head.to_outputs[c]
        assert isinstance(from_features, nn.Linear)
        assert isinstance(to_outputs, ExactLinear)
        record = torch.zeros(layout.COLOUR_SIZE, dtype=torch.int64)
        record[layout.FROM_FEATURES] = self._add(*_affine(from_features.weight, from_features.bias))
        record[layout.TO_OUTPUTS] = self._add(*_affine(*to_outputs.weight_and_bias()))
        if c > 0:
            from_earlier = head.from_earlier[c - 1]
            assert isinstance(from_earlier, nn.Linear)
            record[layout.FROM_EARLIER] = self._add(from_earlier.weight.T[:, None], pad_inputs=False)
        record[layout.OUTPUTS] = layout.padded(to_outputs.out_features)
        record[layout.HEAD_HIDDEN] = layout.padded(to_outputs.in_features)
        return record

    def _block(self, block: ResidualBlock, features: int, hidden: int) -> Tensor:
        layer = block.layer
        if layer.name not in layout.LAYERS:
            raise ValueError(
                f"no compiled walk knows the layer {layer.name!r}; PIXELSEQ_BACKEND=reference goes step by step"
            )
        record = torch.zeros(layout.BLOCK_SIZE, dtype=torch.int64)
        record[layout.KIND], record[layout.COLUMNS] = layout.LAYERS.index(layer.name), self.width + 1
        record[layout.FEATURES], record[layout.HIDDEN] = layout.padded(features), layout.padded(hidden)
        weights, states = layer.walk_weights(), layer.init_state(1, self.width + 1).values()
        assert len(weights) <= layout.STATE - layout.WEIGHT, "the record has no room for so many weights"
        assert len(states) <= layout.BLOCK_SIZE - layout.STATE, "the record has no room for so many tensors of a state"
        for k, weight in enumerate(weights):
            record[layout.WEIGHT + k] = self._add(weight)
        for k, state in enumerate(states):
            record[layout.STATE + k] = self.state_size
            self.state_size += math.prod(state.shape[1:-1]) * layout.padded(state.shape[-1])
        record[layout.PROJECT] = self._add(*_affine(block.project.weight, block.project.bias))
        return record


class CompiledWalker(Walker):
    """A walker that runs a compiled model.

    Args:
        model: the compiled model, for the images' width.
        state: [N * states, size], written in place.
        told: what is told in the row that is walked, as `CompiledModel.pack_condition` lays it out.
        condition_rows: what is told in each row; None where it is the same in all.
        row: the row of the next pixel.
        column: the column of the next pixel.
        guidance: as in `Walker`.
    """

    def __init__(
        self,
        model: CompiledModel,
        state: Tensor,
        told: Tensor,
        condition_rows: ConditionRows | None = None,
        row: int = 0,
        column: int = 0,
        guidance: float = 0.0,
    ) -> None:
        self.model = model
        self.state = state
        self.told = told
        self.condition_rows = condition_rows
        self.row = row
        self.column = column
        self.guidance = guidance

    @classmethod
    def start(cls, model: CompiledModel, state: State, guidance: float = 0.0) -> CompiledWalker:
        """Makes a walker at the first pixel of images; it takes the condition of a state that is there, too."""
        told = model.pack_condition(state.batch, state.condition)
        return cls(model, model.init_state(state.batch), told, state.condition_rows, guidance=guidance)

    def walk_unchecked(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        if self.condition_rows is not None and self.column == 0:
            self.told = self.model.pack_condition(len(self.state), self.condition_rows.row(self.row))
        found = self.model.walk(self.state, self.told, self.column, self.guidance, stretch)
        self.column += stretch.uniform.shape[1]
        if self.column == self.model.width:
            self.row, self.column = self.row + 1, 0
        return found

    def select(self, images: Tensor) -> CompiledWalker:
        states = self.states_of(images)
        rows = None if self.condition_rows is None else self.condition_rows.select(states)
        state, told = self.state.index_select(0, states), self.told.index_select(0, states)
        return CompiledWalker(self.model, state, told, rows, self.row, self.column, self.guidance)


def _affine(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Gives a linear map's bias [1, out] and weight [in, 1, out]."""
    return bias[None], weight.T[:, None]
