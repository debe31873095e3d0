"""One pixel of a walk by `PixelRNN.step`, as it is, or captured as a CUDA graph.

Shapes: N images, C colours, W columns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pixelseq.generation.options import Draw
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""From a function to one that does the same to the same memory."""


@torch.no_grad()
def walk_pixel(
    model: PixelRNN,
    state: State,
    uniform: Tensor,
    draw: Draw,
    given: Tensor | None = None,
    known: Tensor | None = None,
    scored: bool = False,
) -> tuple[Tensor, Tensor]:
    """Draws the next pixel of every image, or takes it where it is known, and enters it; never waits for the device.

    Args:
        model: the distribution.
        state: written in place.
        uniform: [N, C], float64 in [0, 1).
        draw: how levels are drawn.
        given: [N, C], levels, used where known.
        known: [N], bool; nothing is known by default.
        scored: compute the nats of known values too.

    Returns:
        levels: [N, C], int64.
        nats: [N, C], float64; 0 where not computed.
    """
    levels = torch.empty(uniform.shape, dtype=torch.long, device=uniform.device)
    nats = torch.empty_like(uniform)
    # In the model's own types, as compiled; and autocast would keep copies of weights that a graph outlives.
    with torch.autocast(uniform.device.type, enabled=False):
        features = model.step(state)
        for c in range(uniform.shape[1]):
            log_probs = model.pixel_log_probs(features, levels[:, :c])
            level = draw(log_probs, uniform[:, c])
            if given is not None and known is not None:
                level = torch.where(known, given[:, c], level)
            levels[:, c] = level
            nats[:, c] = -log_probs.gather(1, level[:, None])[:, 0]
        model.feed(state, levels)
    if known is not None and not scored:
        nats.masked_fill_(known[:, None], 0)
    return levels, nats


class CudaCapture:
    """Captures functions as CUDA graphs that share the memory of what they compute on the way.

    None of them may leave a result there for another: what they pass on, they write to tensors from outside.

    Args:
        device: that they run on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        with torch.cuda.device(device):
            self.pool = torch.cuda.graph_pool_handle()
            # Of its own: torch's stream for captures is one for all devices, and libraries keep memory for each stream.
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


class PixelGraphs:
    """The pixels of a row, each captured when it is first come to and replayed from then on.

    Args:
        model: the distribution; its weights stay where they are.
        batch: N.
        width: W.
        draw: how levels are drawn.
        partly_known: whether pixels may be known.
        scored: as in `walk_pixel`.
        capture: makes a function replayable.
    """

    def __init__(
        self, model: PixelRNN, batch: int, width: int, draw: Draw, partly_known: bool, scored: bool, capture: Capture
    ) -> None:
        self.model, self.draw, self.scored, self.capture = model, draw, scored, capture
        C, device = model.config.channels, model.device
        self.state = model.init_state(batch, width)
        self.uniform = torch.zeros(batch, width, C, dtype=torch.float64, device=device)
        self.nats = torch.zeros_like(self.uniform)
        self.levels = torch.zeros(batch, width, C, dtype=torch.long, device=device)
        self.given = torch.zeros_like(self.levels) if partly_known else None
        self.known = torch.zeros(batch, width, dtype=torch.bool, device=device) if partly_known else None
        self.replays: dict[int, Callable[[], None]] = {}

    @torch.no_grad()
    def walk(self, state: State, uniform: Tensor, given: Tensor | None, known: Tensor | None) -> tuple[Tensor, Tensor]:
        """Walks a stretch of a row: [N, w, C], [N, w, C] and [N, w] -> levels and nats [N, w, C]; writes the state."""
        columns = range(state.column, state.column + uniform.shape[1])
        stretch = slice(columns.start, columns.stop)
        for column in columns:
            if column not in self.replays:
                self.replays[column] = self._captured(column)
        self.state.copy_(state)
        self.uniform[:, stretch] = uniform
        if self.given is not None and self.known is not None:
            assert given is not None
            assert known is not None
            self.given[:, stretch], self.known[:, stretch] = given, known
        for column in columns:
            self.replays[column]()
        row_ends = columns.stop == state.width
        self.state.row, self.state.column = state.row + row_ends, 0 if row_ends else columns.stop
        state.copy_(self.state)
        return self.levels[:, stretch].clone(), self.nats[:, stretch].clone()

    def _captured(self, column: int) -> Callable[[], None]:
        def pixel() -> None:
            self.state.column = column
            given = None if self.given is None else self.given[:, column]
            known = None if self.known is None else self.known[:, column]
            levels, nats = walk_pixel(
                self.model, self.state, self.uniform[:, column], self.draw, given, known, self.scored
            )
            self.levels[:, column], self.nats[:, column] = levels, nats

        return self.capture(pixel)
