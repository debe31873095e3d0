"""How a level enters the network. Shapes: V levels, Q numbers a value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMBEDDING_FEATURES = 16


class PixelEncoding(nn.Module):
    """A table of what each level looks like to the network.

    Args:
        levels: V.
        kind: "ordinal", evenly spaced numbers from -1 to 1 (Q = 1), for ordered levels such as intensities;
            "categorical", learned vectors (Q = 16), for levels without an order such as tiles and tokens.
    """

    table: Tensor

    def __init__(self, levels: int, kind: str) -> None:
        super().__init__()
        if kind == "ordinal":
            self.register_buffer("table", torch.linspace(-1, 1, levels)[:, None], persistent=False)
        else:
            self.table = nn.Parameter(torch.randn(levels, EMBEDDING_FEATURES))

    @property
    def features(self) -> int:
        """Q."""
        return self.table.shape[1]

    def forward(self, levels: Tensor) -> Tensor:
        """Levels [...] -> [..., Q]."""
        return F.embedding(levels.long(), self.table)
