"""Says how a level enters the network. Shapes: V levels, Q numbers per value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.pixel_format import PixelFormat

EMBEDDING_FEATURES = 16


class PixelEncoding(nn.Module):
    """A table of what each level looks like to the network.

    Args:
        pixel_format: the format of the images; ordered levels look like evenly spaced numbers from -1 to 1 (Q = 1),
            levels without an order like learned vectors (Q = 16).
    """

    table: Tensor

    def __init__(self, pixel_format: PixelFormat) -> None:
        super().__init__()
        levels = pixel_format.levels
        if pixel_format.ordered:
            self.register_buffer("table", torch.linspace(-1, 1, levels)[:, None], persistent=False)
        else:
            self.table = nn.Parameter(torch.randn(levels, EMBEDDING_FEATURES))

    @property
    def features(self) -> int:
        """Q, the numbers per value."""
        return self.table.shape[1]

    def forward(self, levels: Tensor) -> Tensor:
        """Encodes levels: [...] -> [..., Q]."""
        return F.embedding(levels.long(), self.table)
