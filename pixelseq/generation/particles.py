"""Particles: weighted, half-drawn images that stand for a distribution given known pixels further on.

Sequential Monte Carlo with the model itself as the proposal (Doucet and Johansen 2009, A tutorial on particle filtering
and smoothing: fifteen years later, section 3): unknown pixels are drawn, and the probability of each known pixel that
is passed multiplies the weight. Shapes: N images, K particles of each, C colours, H rows, W columns.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.generation.engine import Stretch, Walker


class Particles:
    """K particles of each of N images: entry k * K + j of the walker and of the levels is particle j of image k.

    Args:
        walker: a walker over the N images, at the first pixel of a row up to which their particles are alike.
        images: [N, H, W, C], levels, used where known and in the rows before.
        known: [N, H, W], bool, True = keep.
        count: K.
    """

    def __init__(self, walker: Walker, images: Tensor, known: Tensor, count: int) -> None:
        self.count = count
        self.slots = torch.arange(count, device=images.device)
        copies = torch.arange(len(images), device=images.device).repeat_interleave(count)
        self.walker = walker.select(copies)
        self.levels = images[copies]  # [N * K, H, W, C]
        self.known = known[copies]
        self.log_weights = torch.zeros(len(images), count, dtype=torch.float64, device=images.device)
        self.log_known = self.log_weights.new_zeros(len(images))
        """The logarithm of the estimate of p(known pixels so far), without the factor that is still in the weights."""
        following = F.pad(known.flatten(1)[:, 1:], (0, 1)).view_as(known)
        self.ends = known & ~following  # [N, H, W], the last pixels of runs of known ones
        rows = torch.arange(1, known.shape[1] + 1, device=images.device)
        self.last_row = (known.any(2) * rows).amax(1) - 1  # [N]

    def walk_row(self, i: int, uniform: Tensor, points: Tensor) -> None:
        """Walks row i of all particles; an image that has no known pixels after this row is left with one particle.

        Weights change in a run of known pixels only, and only a draw makes unlike particles of copies: so a run's end
        is where an image may be resampled. Where that is, and by which numbers, depends on the image alone.

        Args:
            i: the row, the next after that of the last call.
            uniform: [N * K, W, C], numbers for the draws.
            points: [N, W + 1], numbers in [0, 1) for resampling after each pixel, and for the choice at the end.
        """
        ends = self.ends[:, i].any(0)
        ends[-1] = True
        begin = 0
        for column in ends.nonzero()[:, 0].tolist():
            part = slice(begin, column + 1)
            given, known = self.levels[:, i, part], self.known[:, i, part]
            levels, nats = self.walker.walk(Stretch(uniform[:, part], given=given, known=known, scored=True))
            self.levels[:, i, part] = levels
            self.log_weights -= (nats * known[:, :, None]).sum((1, 2)).view_as(self.log_weights)
            uneven = self.effective() < self.count / 2
            self._resample(self.ends[:, i, column] & uneven, points[:, column, None])
            begin = column + 1
        self._choose(self.last_row == i, points[:, -1:])

    def effective(self) -> Tensor:
        """Gives the effective sample size of each image's particles, [N], from 1 to K (section 3.5)."""
        return 1 / self.log_weights.softmax(1).square().sum(1)

    def _resample(self, images: Tensor, uniform: Tensor) -> None:
        """Resamples some images, [N], bool, systematically (section 3.4), by one number for each, [N, 1]."""
        self._replace(images, (self.slots + uniform) / self.count)

    def _choose(self, images: Tensor, uniform: Tensor) -> None:
        """Leaves some images, [N], bool, K copies of one particle, drawn by weight and one number for each, [N, 1]."""
        self._replace(images, uniform.expand(-1, self.count))

    def _replace(self, images: Tensor, points: Tensor) -> None:
        """Replaces the particles of some images by those at which the cumulative weights pass points [N, K]."""
        if not images.any():
            return
        cumulative = self.log_weights.softmax(1).cumsum(1)
        ancestors = torch.searchsorted(cumulative, points * cumulative[:, -1:], right=True).clamp(max=self.count - 1)
        ancestors = torch.where(images[:, None], ancestors, self.slots)
        mean = self.log_weights.logsumexp(1) - math.log(self.count)
        self.log_known += mean.masked_fill(~images, 0)
        self.log_weights.masked_fill_(images[:, None], 0)
        index = (ancestors + self.count * torch.arange(len(images), device=images.device)[:, None]).flatten()
        self.walker, self.levels = self.walker.select(index), self.levels[index]
