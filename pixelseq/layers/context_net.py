"""The network that reads a condition image: not causal, all of it may be seen.

Shapes: B batch, C colours, H rows, W columns, G features of the network, F features that it gives.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.layers.pixels import PixelEncoding
from pixelseq.pixel_format import PixelFormat

DILATIONS = (1, 2, 4, 8, 16)
"""The dilations of one block after the other, and again from the first (Yu and Koltun 2016, arXiv:1511.07122)."""


class ContextNet(nn.Module):
    """A residual network of dilated 3x3 convolutions without masks, whose features reach `reach` pixels each way.

    Two extra input channels are 1 where a pixel is known, and 1 inside the image, so that neither an unknown pixel nor
    a border ever looks like a level. What it gives is zero at first.

    Args:
        pixel_format: the format of the condition image.
        hidden: G.
        blocks: the number of residual blocks.
        features: F.
    """

    def __init__(self, pixel_format: PixelFormat, hidden: int, blocks: int, features: int) -> None:
        super().__init__()
        self.pixels = PixelEncoding(pixel_format)
        self.first = nn.Conv2d(pixel_format.channels * self.pixels.features + 2, hidden, 3, padding=1)
        dilations = [DILATIONS[k % len(DILATIONS)] for k in range(blocks)]
        self.blocks = nn.ModuleList(DilatedBlock(hidden, dilation) for dilation in dilations)
        self.out = nn.Linear(hidden, features)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.reach = 1 + sum(dilations)
        """The pixels up, down, to the left and to the right that a pixel's features see."""

    def forward(self, image: Tensor, known: Tensor, inside: Tensor | None = None) -> Tensor:
        """Gives the features [B, H, W, F] of condition images.

        Args:
            image: [B, C, H, W], levels; what stands at unknown pixels has no influence.
            known: [B, H, W], bool.
            inside: [B, H, W], bool, False in the padding below an image, which has no influence; None without padding.
        """
        if inside is not None:
            known = known & inside
        pixels = self.pixels(image).permute(0, 1, 4, 2, 3).flatten(1, 2)
        pixels = torch.where(known[:, None], pixels, 0.0)
        borders = torch.ones_like(known) if inside is None else inside
        x = self.first(torch.cat([pixels, torch.stack([known, borders], 1).to(pixels.dtype)], 1))
        for block in self.blocks:
            x = block(x if inside is None else torch.where(inside[:, None], x, 0.0))
        return self.out(x.relu().permute(0, 2, 3, 1))


class DilatedBlock(nn.Module):
    """x + 1x1(relu(3x3(relu(x)))), the 3x3 convolution dilated.

    Args:
        hidden: G.
        dilation: the distance of the taps of the convolution.
    """

    def __init__(self, hidden: int, dilation: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation)
        # As a matrix product: a 1x1 convolution of torch rounds by the number of threads.
        self.project = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, G, H, W] to the same."""
        spread = F.relu(self.spread(F.relu(x)))
        return x + self.project(spread.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
