"""Heads, which turn features into the distribution of the next value.

Shapes: B batch, C colours, F features, K mixture components, Q numbers per colour value, V levels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.layers.logistic_mixture import mixture_log_prob
from pixelseq.layers.ordered_logits import ExactLinear, OrderedLogits


class Head(nn.Module, ABC):
    """The distribution of a pixel, one colour after another: R, then G given R, then B given both.

    van den Oord et al. 2016, section 3.4.

    The trunk's features know nothing of their own pixel, so each colour has its own two-layer network that is fed the
    pixel's earlier colours: no mask is needed, and none can be wrong. A subclass says what distribution the network's
    outputs stand for: `channel_log_probs` gives all of it, `channel_nll` the value of one level.

    Args:
        features: F.
        channels: C.
        pixel_features: Q.
        hidden: the width of the hidden layer.
        to_outputs: builds for colour c the map from the hidden layer to the numbers that describe its distribution.
    """

    def __init__(
        self, features: int, channels: int, pixel_features: int, hidden: int, to_outputs: Callable[[int], ExactLinear]
    ) -> None:
        super().__init__()
        self.from_features = nn.ModuleList(nn.Linear(features, hidden) for _ in range(channels))
        self.from_earlier = nn.ModuleList(nn.Linear(c * pixel_features, hidden, bias=False) for c in range(1, channels))
        self.to_outputs = nn.ModuleList(to_outputs(c) for c in range(channels))

    def channel_outputs(self, features: Tensor, earlier: Tensor) -> Tensor:
        """Runs the network of the colour that follows the c given ones.

        Args:
            features: [..., F], the trunk's output at the pixel.
            earlier: [..., c, Q], encoded values of the pixel's first c colours, 0 <= c < C.

        Returns:
            [..., outputs of colour c].
        """
        c = earlier.shape[-2]
        hidden = self.from_features[c](F.relu(features))
        if c > 0:
            hidden = hidden + self.from_earlier[c - 1](earlier.flatten(-2))
        return self.to_outputs[c](F.relu(hidden))

    @abstractmethod
    def channel_log_probs(self, features: Tensor, earlier: Tensor) -> Tensor:
        """Gives the log-probabilities [..., V], in nats, of the colour that follows the c given ones.

        The arguments are those of `channel_outputs`.
        """

    @abstractmethod
    def channel_nll(self, features: Tensor, earlier: Tensor, levels: Tensor) -> Tensor:
        """Gives the negative log-likelihood [...], in nats, of levels [...], int64, of the colour that follows.

        The other arguments are those of `channel_outputs`.
        """

    def log_probs(self, features: Tensor, pixels: Tensor) -> Tensor:
        """Gives the log-probabilities [..., C, V], in nats, of all colours of a pixel.

        Args:
            features: [..., F], the trunk's output at the pixel.
            pixels: [..., C, Q], the encoded values of the pixel.
        """
        colours = range(pixels.shape[-2])
        return torch.stack([self.channel_log_probs(features, pixels[..., :c, :]) for c in colours], dim=-2)

    def nll(self, features: Tensor, pixels: Tensor, levels: Tensor) -> Tensor:
        """Gives the negative log-likelihood [..., C], in nats, of all colours of a pixel.

        Args:
            features: [..., F], the trunk's output at the pixel.
            pixels: [..., C, Q], the encoded values of the pixel.
            levels: [..., C], int64, the same values as levels.
        """
        colours = range(pixels.shape[-2])
        nats = [self.channel_nll(features, pixels[..., :c, :], levels[..., c]) for c in colours]
        return torch.stack(nats, dim=-1)


class SoftmaxHead(Head):
    """A head with one logit per level; V = 2 is the Bernoulli case.

    Args:
        features: F.
        channels: C.
        pixel_features: Q.
        hidden: the width of the hidden layer.
        levels: V.
        ordered: whether neighbouring levels are alike.
    """

    def __init__(
        self, features: int, channels: int, pixel_features: int, hidden: int, levels: int, ordered: bool
    ) -> None:
        # Two levels have one difference of logits, and nothing to be smooth.
        kind = OrderedLogits if ordered and levels > 2 else ExactLinear
        super().__init__(features, channels, pixel_features, hidden, lambda _: kind(hidden, levels))

    def channel_log_probs(self, features: Tensor, earlier: Tensor) -> Tensor:
        return self.channel_outputs(features, earlier).log_softmax(-1)

    def channel_nll(self, features: Tensor, earlier: Tensor, levels: Tensor) -> Tensor:
        logits = self.channel_outputs(features, earlier)
        return F.cross_entropy(logits.flatten(0, -2), levels.flatten(), reduction="none").view(levels.shape)


class LogisticMixtureHead(Head):
    """A discretised mixture of logistics, for ordered levels (Salimans et al. 2017, arXiv:1701.05517, section 2.2).

    As there, the means of a colour's components are linear in the pixel's earlier colours, with coefficients that the
    network predicts for each component. Beyond it, every parameter of a colour is a function of the earlier colours.

    Args:
        features: F.
        channels: C.
        hidden: the width of the hidden layer.
        levels: V.
        mixtures: K.
    """

    def __init__(self, features: int, channels: int, hidden: int, levels: int, mixtures: int) -> None:
        # A component of colour c has a logit, a mean, a log-scale and c coefficients; Q = 1, a number in [-1, 1].
        super().__init__(features, channels, 1, hidden, lambda c: ExactLinear(hidden, (3 + c) * mixtures))
        self.levels = levels
        self.mixtures = mixtures
        with torch.no_grad():
            for last in self.to_outputs:
                assert isinstance(last, nn.Linear)
                last.bias.zero_()
                _, means, log_scales, *_ = last.bias.view(-1, mixtures)
                # Side by side over all levels, each about as wide as its share: nearly uniform at first.
                means.copy_((2 * torch.arange(mixtures) + 1) / mixtures - 1)
                log_scales.fill_(math.log(max(0.5, (levels - 1) / (2 * mixtures))))

    def components(self, features: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gives logits, means and log-scales [..., K], the last two in levels, of the colour after `earlier`."""
        outputs = self.channel_outputs(features, earlier).unflatten(-1, (-1, self.mixtures))  # [..., 3 + c, K]
        logits, means, log_scales = outputs[..., :3, :].unbind(-2)
        means = means + (outputs[..., 3:, :] * earlier).sum(-2)  # earlier: [..., c, 1]
        return logits, (means + 1) * ((self.levels - 1) / 2), log_scales

    def channel_log_probs(self, features: Tensor, earlier: Tensor) -> Tensor:
        logits, means, log_scales = (x[..., None, :] for x in self.components(features, earlier))  # [..., 1, K]
        levels = torch.arange(self.levels, device=features.device)
        return mixture_log_prob(logits, means, log_scales, levels, self.levels)

    def channel_nll(self, features: Tensor, earlier: Tensor, levels: Tensor) -> Tensor:
        return -mixture_log_prob(*self.components(features, earlier), levels, self.levels)
