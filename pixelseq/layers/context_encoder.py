"""The causal CNN at the bottom of the model.

Shapes: B batch, H rows, W columns, X numbers per pixel, F features.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.layers.causal_layer import LayerState
from pixelseq.layers.masked_conv import ConvBlock, MaskedConv
from pixelseq.layers.residual import ResidualBlock, ResidualStack


class ContextEncoder(nn.Module):
    """A mask A convolution, then residual mask B ones, which turn pixels into features of strictly earlier pixels.

    Two things are added to van den Oord et al. 2016, table 1. An extra input channel is 1 inside the image, so that a
    border never looks like a level. An empty column is appended on the right: its features see the last pixel of their
    row, which a Diagonal BiLSTM of the paper hides from most of the next row.

    Args:
        pixel_features: X, without the channel that is 1 inside the image.
        hidden: h; F = 2h.
        kernel: the side of the mask A convolution, odd, at least 3.
        blocks: the number of residual mask B convolutions.
        dropout: share of each block's hidden features that is dropped in training.
    """

    def __init__(self, pixel_features: int, hidden: int, kernel: int, blocks: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = MaskedConv(pixel_features + 1, 2 * hidden, kernel, mask_type="A")
        self.blocks = ResidualStack(
            ResidualBlock(ConvBlock(2 * hidden, hidden), hidden, dropout) for _ in range(blocks)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Encodes pixels: [B, H, W, X] -> [B, H, W + 1, F]; column W is the empty one."""
        inside = F.pad(pixels, (0, 1), value=1.0)
        return self.blocks(self.first(F.pad(inside, (0, 0, 0, 1))))

    def init_state(self, batch: int, width: int) -> list[LayerState]:
        """Makes the state of images of `width` columns, the empty one not counted."""
        return [self.first.init_state(batch, width + 1), *self.blocks.init_state(batch, width + 1)]

    def step(self, state: list[LayerState], column: Tensor) -> Tensor:
        """Gives the features [B, F] at `column` [1], 0 to W, of the current row."""
        return self.blocks.step(self.first.read(state[0], column), state[1:], column)

    def feed(self, pixel: Tensor, state: list[LayerState], column: Tensor) -> None:
        """Enters the pixel [B, X] at `column` [1] of the current row, after its features were read."""
        self.first.write(F.pad(pixel, (0, 1), value=1.0), state[0], column)

    def end_row(self, state: list[LayerState]) -> None:
        """Closes the current row after its empty column."""
        self.first.end_row(state[0])
        self.blocks.end_row(state[1:])
