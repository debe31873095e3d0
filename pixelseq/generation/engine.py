"""Walks over pixels: the next values of images are drawn, or taken where they are known, in raster order.

Three walkers do the same. `StepWalker` goes by `PixelRNN.step`, on any device, and defines the answer; `CompiledWalker`
takes a stretch of a row in one compiled call, on a CPU; `GraphWalker` replays the steps of a pixel as a CUDA graph.
Shapes: N images, C colours, W columns of a stretch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from pixelseq.generation.compiled import CompiledModel
from pixelseq.generation.cuda_graphs import Capture, CudaCapture, PixelGraphs, walk_pixel
from pixelseq.generation.options import Draw
from pixelseq.kernels.backends import choose
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State


class Walker(ABC):
    """Images that are being drawn, each up to its next pixel."""

    @abstractmethod
    def walk(
        self,
        uniform: Tensor,
        draw: Draw,
        given: Tensor | None = None,
        known: Tensor | None = None,
        scored: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Draws the next pixels of the current row; known ones are entered as given.

        Args:
            uniform: [N, W, C], float64 in [0, 1), a number for each value; W columns, up to the end of the row.
            draw: how levels are drawn.
            given: [N, C, W], levels, used where known.
            known: [N, W], bool; nothing is known by default.
            scored: compute the nats of known values too, not of drawn ones alone.

        Returns:
            levels: [N, C, W], int64.
            nats: [N, C, W], float64, -log p of each value under the model, whatever `draw`; 0 where not computed.
        """

    @abstractmethod
    def select(self, images: Tensor) -> Walker:
        """An independent walker over the images of these indices [n], any of them repeatedly."""


def start_walk(model: PixelRNN, batch: int, width: int) -> Walker:
    """A walker at the first pixel of `batch` images of `width` columns: the fastest for the model's device and type.

    The environment variable PIXELSEQ_BACKEND chooses as for the scans: "reference" steps.

    Raises:
        ValueError: batch or width below 1.
    """
    state = model.init_state(batch, width)
    with torch.autocast(model.device.type, enabled=False):  # walks are in the model's own types
        backend = choose(None, model.encoder.first.weight)
    if backend == "numba":
        return CompiledWalker.start(CompiledModel(model, width), batch)
    if backend == "triton" and model.device.type == "cuda":
        return GraphWalker.start(model, state)
    return StepWalker(model, state)


class StepWalker(Walker):
    """A walk by `PixelRNN.step`, pixel by pixel.

    Args:
        model: the distribution.
        state: of the images; written in place.
    """

    def __init__(self, model: PixelRNN, state: State) -> None:
        self.model = model
        self.state = state

    def walk(
        self,
        uniform: Tensor,
        draw: Draw,
        given: Tensor | None = None,
        known: Tensor | None = None,
        scored: bool = False,
    ) -> tuple[Tensor, Tensor]:
        columns = []
        for j in range(uniform.shape[1]):
            pixel = None if given is None else given[:, :, j]
            mask = None if known is None else known[:, j]
            columns.append(walk_pixel(self.model, self.state, uniform[:, j], draw, pixel, mask, scored))
        levels, nats = zip(*columns, strict=True)
        return torch.stack(levels, dim=2), torch.stack(nats, dim=2)

    def select(self, images: Tensor) -> StepWalker:
        return StepWalker(self.model, self.state.select(images))


class CompiledWalker(Walker):
    """A walk by a compiled model.

    Args:
        model: compiled, for the images' width.
        state: [N, size], written in place.
        column: of the next pixel.
    """

    def __init__(self, model: CompiledModel, state: Tensor, column: int) -> None:
        self.model = model
        self.state = state
        self.column = column

    @classmethod
    def start(cls, model: CompiledModel, batch: int) -> CompiledWalker:
        """A walker at the first pixel of `batch` images."""
        return cls(model, model.init_state(batch), 0)

    def walk(
        self,
        uniform: Tensor,
        draw: Draw,
        given: Tensor | None = None,
        known: Tensor | None = None,
        scored: bool = False,
    ) -> tuple[Tensor, Tensor]:
        N, W, C = uniform.shape
        if given is None or known is None:
            given = torch.zeros(N, C, W, dtype=torch.long)
            known = torch.zeros(N, W, dtype=torch.bool)
        levels, nats = self.model.walk(
            self.state,
            self.column,
            given.long().transpose(1, 2).contiguous(),
            known.contiguous(),
            uniform.contiguous(),
            (float(draw.temperature), float(min(draw.top_k, 2**31)), float(draw.top_p), float(scored)),
        )
        self.column = (self.column + W) % self.model.width
        return levels.transpose(1, 2), nats.transpose(1, 2)

    def select(self, images: Tensor) -> CompiledWalker:
        return CompiledWalker(self.model, self.state.index_select(0, images), self.column)


class GraphWalker(Walker):
    """A walk by CUDA graphs, one a column; within a stretch the processor never waits for the device.

    Args:
        model: the distribution.
        state: of the images; written in place.
        capture: makes a function replayable.
        graphs: captured so far, by what they depend on; shared by all walkers that come from one by `select`.
    """

    def __init__(
        self, model: PixelRNN, state: State, capture: Capture, graphs: dict[tuple[int, Draw, bool, bool], PixelGraphs]
    ) -> None:
        self.model = model
        self.state = state
        self.capture = capture
        self.graphs = graphs

    @classmethod
    def start(cls, model: PixelRNN, state: State) -> GraphWalker:
        """A walker at the next pixel of the state's images, on CUDA."""
        return cls(model, state, CudaCapture(model.device), {})

    def walk(
        self,
        uniform: Tensor,
        draw: Draw,
        given: Tensor | None = None,
        known: Tensor | None = None,
        scored: bool = False,
    ) -> tuple[Tensor, Tensor]:
        batch, partly_known = self.state.batch, known is not None
        key = (batch, draw, partly_known, scored)
        if key not in self.graphs:
            self.graphs[key] = PixelGraphs(
                self.model, batch, self.state.width, draw, partly_known, scored, self.capture
            )
        given = None if given is None else given.transpose(1, 2)
        levels, nats = self.graphs[key].walk(self.state, uniform, given, known)
        return levels.transpose(1, 2), nats.transpose(1, 2)

    def select(self, images: Tensor) -> GraphWalker:
        return GraphWalker(self.model, self.state.select(images), self.capture, self.graphs)
