"""The walk on CUDA: the steps of a pixel captured as one graph for all columns, and replayed.

Shapes: N images, C colours, W columns.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from pixelseq.generation.engine import Stretch, Walker, walk_pixel
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""Makes of a function one that does the same to the same memory at each call."""


class GraphWalker(Walker):
    """A walker that replays CUDA graphs; within a stretch the processor never waits for the device.

    Args:
        model: the distribution of images.
        state: the state of the images; written in place.
        guidance: as in `Walker`; above 0, an image has two states.
        capture: makes a function replayable; CUDA graphs by default.
    """

    def __init__(self, model: PixelRNN, state: State, guidance: float = 0.0, capture: Capture | None = None) -> None:
        self.model = model
        self.state = state
        self.guidance = guidance
        self.capture = CudaCapture(model.device) if capture is None else capture

    def walk_unchecked(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        self.state.take_condition()
        # Graphs outlive the call: what they hold must not depend on the mode that it was made in.
        with torch.inference_mode(False):
            graphs = _graphs(self.model, self.state, self.guidance, stretch)
        with graphs.lock:
            found = graphs.walk(self.model, self.state, stretch, self.capture)
            self.state.copy_(graphs.state)
        return found

    def select(self, images: Tensor) -> GraphWalker:
        return GraphWalker(self.model, self.state.select(self.states_of(images)), self.guidance, self.capture)


class PixelGraphs:
    """The graphs of a pixel and of the end of a row, captured at first use and replayed from then on.

    Args:
        model: the distribution of images.
        state: a state as those that are walked; copied.
        guidance: as in `Walker`.
        stretch: says what is captured: how levels are drawn, whether pixels may be known, and whether they are scored.
    """

    def __init__(self, model: PixelRNN, state: State, guidance: float, stretch: Stretch) -> None:
        self.options, self.scored, self.guidance = stretch.options, stretch.scored, guidance
        batch, width = len(stretch.uniform), state.width
        C, device = model.config.pixel_format.channels, model.device
        self.state = dataclasses.replace(state.copy(), condition_rows=None)  # what is told is copied for each row
        self.uniform = torch.zeros(batch, width, C, dtype=torch.float64, device=device)
        self.nats = torch.zeros_like(self.uniform)
        self.levels = torch.zeros(batch, width, C, dtype=torch.long, device=device)
        partly_known = stretch.known is not None
        self.given = torch.zeros_like(self.levels) if partly_known else None
        self.known = torch.zeros(batch, width, dtype=torch.bool, device=device) if partly_known else None
        self.lock = threading.Lock()
        """Held by the one thread that walks."""
        self.replay_pixel: Callable[[], None] | None = None
        self.replay_end: Callable[[], None] | None = None

    @torch.inference_mode(False)
    @torch.no_grad()
    def walk(self, model: PixelRNN, state: State, stretch: Stretch, capture: Capture) -> tuple[Tensor, Tensor]:
        """Walks a stretch as `Walker.walk` does; `self.state` is then what `state` has to become."""
        columns = slice(state.column, state.column + stretch.uniform.shape[1])
        row_ends = columns.stop == state.width
        if self.replay_pixel is None:
            self.state.position.zero_()  # an attempt that failed has moved it
            self.replay_pixel = capture(lambda: self._pixel(model))
        if row_ends and self.replay_end is None:
            self.replay_end = capture(lambda: model.end_row(self.state))
        self.state.copy_(state)
        self.uniform[:, columns] = stretch.uniform
        if self.given is not None and self.known is not None:
            assert stretch.given is not None
            assert stretch.known is not None
            self.given[:, columns], self.known[:, columns] = stretch.given, stretch.known
        for _ in range(columns.start, columns.stop):
            self.replay_pixel()
        if row_ends:
            assert self.replay_end is not None
            self.replay_end()
        # A replay changes the tensors alone.
        row, column = (state.row + 1, 0) if row_ends else (state.row, columns.stop)
        self.state.row, self.state.column, self.state.stepped = row, column, False
        return self.levels[:, columns].clone(), self.nats[:, columns].clone()

    def _pixel(self, model: PixelRNN) -> None:
        column = self.state.position.clone()

        def read(row: Tensor) -> Tensor:
            return row.index_select(1, column)[:, 0]

        given = None if self.given is None else read(self.given)
        known = None if self.known is None else read(self.known)
        self.state.stepped = False  # as captured, not as it was left
        levels, nats = walk_pixel(
            model, self.state, self.guidance, read(self.uniform), self.options, given, known, self.scored
        )
        self.levels.index_copy_(1, column, levels[:, None])
        self.nats.index_copy_(1, column, nats[:, None])


class CudaCapture:
    """Captures functions as CUDA graphs that share the memory of what they compute on the way.

    None of them may leave a result there for another: what they pass on, they write to tensors from outside.

    Args:
        device: the device that the functions run on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        with torch.cuda.device(device):
            self.pool = torch.cuda.graph_pool_handle()
            # A stream of its own: torch's is one for all devices, and libraries keep memory for each stream.
            self.stream = torch.cuda.Stream()

    def __call__(self, function: Callable[[], None]) -> Callable[[], None]:
        with torch.cuda.device(self.device):
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):  # a first call sets libraries up, which cannot be captured
                function()
            torch.cuda.current_stream().wait_stream(self.stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                function()
        return graph.replay


MAX_CAPTURED = 16
"""Kinds of walks per model whose graphs are kept, the last ones."""
_CAPTURED: WeakKeyDictionary[PixelRNN, dict[tuple[Any, ...], PixelGraphs]] = WeakKeyDictionary()
"""The graphs of each model, by what they depend on. They know the weights by where they lie, and keep none alive."""
_LOOKING = threading.Lock()


def _graphs(model: PixelRNN, state: State, guidance: float, stretch: Stretch) -> PixelGraphs:
    """Gives the graphs of a walk, from an earlier call if the weights still lie where they lay."""
    weights = tuple(tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers()))
    columns = 0 if state.condition is None else state.condition.shape[1]
    partly_known = stretch.known is not None
    key = (weights, state.batch, state.width, columns, guidance, stretch.options, partly_known, stretch.scored)
    with _LOOKING:
        captured = _CAPTURED.setdefault(model, {})
        graphs = captured.pop(key, None) or PixelGraphs(model, state, guidance, stretch)
        captured[key] = graphs  # the last one used comes last
        for old in [old for old in captured if old[0] != weights] + list(captured)[:-MAX_CAPTURED]:
            captured.pop(old, None)
    return graphs
