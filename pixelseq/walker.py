"""Walks over pixels: the next values of images are drawn, or taken where they are known, in raster order.

Two walkers do the same. `StepWalker` goes by `PixelRNN.step`, on any device, and defines the answer; `CompiledWalker`
takes a stretch of a row in one compiled call, on a CPU. Shapes: N images, C colours, W columns of a stretch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from pixelseq.compiled_model import CompiledModel
from pixelseq.draw import Draw
from pixelseq.kernels.backends import choose
from pixelseq.model import PixelRNN
from pixelseq.state import State


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
    if choose(None, model.encoder.first.weight) == "numba":
        return CompiledWalker.start(CompiledModel(model, width), batch)
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

    @torch.no_grad()
    def walk(
        self,
        uniform: Tensor,
        draw: Draw,
        given: Tensor | None = None,
        known: Tensor | None = None,
        scored: bool = False,
    ) -> tuple[Tensor, Tensor]:
        N, W, C = uniform.shape
        levels = torch.empty(N, W, C, dtype=torch.long, device=uniform.device)
        nats = torch.zeros(N, W, C, dtype=torch.float64, device=uniform.device)
        known_to_all = [False] * W if known is None else known.all(dim=0).tolist()
        for column in range(W):
            pixel = levels[:, column]
            features = self.model.step(self.state)
            for c in range(C):
                if given is not None and known_to_all[column] and not scored:
                    pixel[:, c] = given[:, c, column]
                    continue
                log_probs = self.model.pixel_log_probs(features, pixel[:, :c])
                drawn = draw(log_probs, uniform[:, column, c])
                if given is not None and known is not None:
                    drawn = torch.where(known[:, column], given[:, c, column], drawn)
                pixel[:, c] = drawn
                value_nats = -log_probs.gather(1, drawn[:, None])[:, 0].double()
                if known is not None and not scored:
                    value_nats = value_nats.masked_fill(known[:, column], 0)
                nats[:, column, c] = value_nats
            self.model.feed(self.state, pixel)
        return levels.transpose(1, 2), nats.transpose(1, 2)

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
            (float(draw.temperature), float(draw.top_k), float(draw.top_p), float(scored)),
        )
        self.column = (self.column + W) % self.model.width
        return levels.transpose(1, 2), nats.transpose(1, 2)

    def select(self, images: Tensor) -> CompiledWalker:
        return CompiledWalker(self.model, self.state.index_select(0, images), self.column)
