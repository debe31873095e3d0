"""From features to the distribution of the next value.

Shapes: B batch, C colours, F features, Q numbers a colour value, V levels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CategoricalHead(nn.Module):
    """One logit a level, colour after colour: R, then G given R, then B given both (van den Oord et al. 2016, 3.4).

    The trunk's features know nothing of their own pixel, so each colour has its own two-layer network that is fed the
    pixel's earlier colours: no mask is needed, and none can be wrong.

    Args:
        features: F.
        channels: C.
        pixel_features: Q.
        hidden: width of the hidden layer.
        levels: V.
    """

    def __init__(self, features: int, channels: int, pixel_features: int, hidden: int, levels: int) -> None:
        super().__init__()
        self.from_features = nn.ModuleList(nn.Linear(features, hidden) for _ in range(channels))
        self.from_earlier = nn.ModuleList(nn.Linear(c * pixel_features, hidden, bias=False) for c in range(1, channels))
        self.to_logits = nn.ModuleList(nn.Linear(hidden, levels) for _ in range(channels))

    def channel_logits(self, features: Tensor, earlier: Tensor) -> Tensor:
        """Logits of the colour that follows the c given ones.

        Args:
            features: [..., F], the trunk's output at the pixel.
            earlier: [..., c, Q], encoded values of the pixel's first c colours, 0 <= c < C.

        Returns:
            [..., V].
        """
        c = earlier.shape[-2]
        hidden = self.from_features[c](F.relu(features))
        if c > 0:
            hidden = hidden + self.from_earlier[c - 1](earlier.flatten(-2))
        return self.to_logits[c](F.relu(hidden))

    def forward(self, features: Tensor, pixels: Tensor) -> Tensor:
        """Logits of all colours: features [..., F], encoded values [..., C, Q] -> [..., C, V]."""
        return torch.stack([self.channel_logits(features, pixels[..., :c, :]) for c in range(pixels.shape[-2])], dim=-2)
