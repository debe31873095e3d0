"""Mixtures of logistic distributions over levels (Salimans et al. 2017, arXiv:1701.05517, section 2.1).

Means and scales are counted in levels: the edges of level v, v - 1/2 and v + 1/2, are then exact in floating point, and
what is left of rounding does not add up over the levels. Shapes: K components, V levels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_LOG_SCALE = -3.0
"""The least log-scale: a component of this scale, centred on a level, gives it all but 1e-4 of its probability."""
MAX_LOG_SCALE = 15.0


def mixture_log_prob(logits: Tensor, means: Tensor, log_scales: Tensor, levels: Tensor, count: int) -> Tensor:
    """Gives the log-probability of levels: the mixture's mass between their edges, to infinity at the outermost two.

    Args:
        logits: [..., K], unnormalised log-weights of the components.
        means: [..., K], levels.
        log_scales: [..., K], natural logarithms of scales in levels, clamped to what floats resolve.
        levels: [...], whole numbers from 0 to V - 1; broadcasts against the components' leading axes.
        count: V.

    Returns:
        [...], nats.
    """
    level = levels[..., None]  # [..., 1]
    inverse = (-log_scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)).exp()
    below_upper = F.logsigmoid(((level + 0.5) - means) * inverse)
    above_lower = F.logsigmoid((means - (level - 0.5)) * inverse)
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), and a - b is the inverse scale for every level:
    # no difference of nearly equal numbers is taken, however thin the level or far the mean.
    between = (-torch.expm1(-inverse)).log()
    zero = torch.zeros_like(between)
    first, last = level == 0, level == count - 1
    log_mass = (
        torch.where(last, zero, below_upper)
        + torch.where(first, zero, above_lower)
        + torch.where(first | last, zero, between)
    )
    return (logits.log_softmax(-1) + log_mass).logsumexp(-1)
