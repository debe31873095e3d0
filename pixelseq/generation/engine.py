"""Walks over pixels in raster order: the next values of images are drawn, or taken where they are known.

Three walkers do the same. `StepWalker` goes by `PixelRNN.step`, on any device, and defines the answer;
`compiled.CompiledWalker` takes a stretch of a row in one compiled call, on a CPU; `cuda_graphs.GraphWalker` replays the
steps of a pixel as a CUDA graph. Shapes: N images, C colours, W columns of a stretch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from pixelseq.generation.guidance import guided
from pixelseq.generation.options import SamplingOptions
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State


@dataclass(frozen=True)
class Stretch:
    """A request to a walker: the next pixels of the current row, in all of its images."""

    uniform: Tensor
    """[N, W, C], float64 in [0, 1), one number per value; W columns, at most to the end of the row."""
    options: SamplingOptions = SamplingOptions()
    """How levels are drawn."""
    given: Tensor | None = None
    """[N, W, C], levels, used where pixels are known."""
    known: Tensor | None = None
    """[N, W], bool, whether pixels are known; by default none is."""
    scored: bool = False
    """Whether known values get nats, too, not drawn ones alone."""

    def __post_init__(self) -> None:
        assert (self.given is None) == (self.known is None)


def check_numbers(log_probs: Tensor) -> None:
    """Raises ValueError where log-probabilities are NaN, from which any level would be drawn.

    Args:
        log_probs: log-probabilities that levels have been drawn from, or those of the levels alone.
    """
    if log_probs.isnan().any():
        raise ValueError("the model gives NaN instead of probabilities: its weights are not finite, or far too large")


class Walker(ABC):
    """Images that are being drawn, each up to its next pixel.

    With guidance an image has two states side by side, one that is told its condition and one that is not; both are fed
    what is drawn from the distribution that `guided` makes of theirs.
    """

    guidance: float
    """The weight of guidance; 0 for none."""

    @property
    def states(self) -> int:
        """The number of states per image."""
        return 2 if self.guidance else 1

    def states_of(self, images: Tensor) -> Tensor:
        """Gives the indices of the states of some images, [n] -> [n * states]."""
        return (images[:, None] * self.states + torch.arange(self.states, device=images.device)).flatten()

    def walk(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        """Draws a stretch of the current row; known pixels are entered as given.

        Returns:
            levels: [N, W, C], int64.
            nats: [N, W, C], float64, -log p of each value under the model, whatever the options; 0 where not scored.

        Raises:
            ValueError: the model gives no probabilities.
        """
        levels, nats = self.walk_unchecked(stretch)
        check_numbers(nats)
        return levels, nats

    @abstractmethod
    def walk_unchecked(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        """Does what `walk` does; where the model gives NaN, levels are any and nats NaN."""

    @abstractmethod
    def select(self, images: Tensor) -> Walker:
        """Makes an independent walker over the images of these indices [n], any of them repeatedly."""


class StepWalker(Walker):
    """A walker that calls `PixelRNN.step`, pixel by pixel.

    Args:
        model: the distribution of images.
        state: the state of the images; written in place.
        guidance: as in `Walker`; above 0, an image has two states.
    """

    def __init__(self, model: PixelRNN, state: State, guidance: float = 0.0) -> None:
        self.model = model
        self.state = state
        self.guidance = guidance

    def walk_unchecked(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        columns = []
        for j in range(stretch.uniform.shape[1]):
            given = None if stretch.given is None else stretch.given[:, j]
            known = None if stretch.known is None else stretch.known[:, j]
            uniform, options = stretch.uniform[:, j], stretch.options
            pixel = walk_pixel(self.model, self.state, self.guidance, uniform, options, given, known, stretch.scored)
            columns.append(pixel)
            if self.state.column == self.state.width:
                self.model.end_row(self.state)
        levels, nats = zip(*columns, strict=True)
        return torch.stack(levels, dim=1), torch.stack(nats, dim=1)

    def select(self, images: Tensor) -> StepWalker:
        return StepWalker(self.model, self.state.select(self.states_of(images)), self.guidance)


@torch.no_grad()
def walk_pixel(
    model: PixelRNN,
    state: State,
    guidance: float,
    uniform: Tensor,
    options: SamplingOptions,
    given: Tensor | None,
    known: Tensor | None,
    scored: bool,
) -> tuple[Tensor, Tensor]:
    """Draws the next pixel of every image, or takes it where it is known, and enters it; the row is not closed.

    Nothing in it waits for the device.

    Args:
        model: the distribution of images.
        state: the state of the images; written in place.
        guidance: as in `Walker`.
        uniform: [N, C]; this and the others are as in a `Stretch` that is one pixel wide.
        options: how levels are drawn.
        given: [N, C] or None.
        known: [N] or None.
        scored: whether known values get nats, too.

    Returns:
        levels: [N, C], int64.
        nats: [N, C], float64; 0 where not scored.
    """
    levels = torch.empty(uniform.shape, dtype=torch.long, device=uniform.device)
    nats = torch.empty_like(uniform)
    # In the model's own types, as when compiled; and autocast would keep copies of weights that a graph outlives.
    with torch.autocast(uniform.device.type, enabled=False):
        features = model.step(state)
        for c in range(uniform.shape[1]):
            if guidance:
                both = model.pixel_log_probs(features, levels[:, :c].repeat_interleave(2, dim=0)).unflatten(0, (-1, 2))
                log_probs = both[:, 0]
                level = options.draw(guided(log_probs, both[:, 1], guidance), uniform[:, c])
            else:
                log_probs = model.pixel_log_probs(features, levels[:, :c])
                level = options.draw(log_probs, uniform[:, c])
            if given is not None and known is not None:
                level = torch.where(known, given[:, c], level)
            levels[:, c] = level
            nats[:, c] = -log_probs.gather(1, level[:, None])[:, 0]
        model.enter(state, levels.repeat_interleave(2, dim=0) if guidance else levels)
    if known is not None and not scored:
        nats.masked_fill_(known[:, None], 0)
    return levels, nats
