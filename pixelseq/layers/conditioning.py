"""What the network is told beside the image. Shapes: B batch, F features, K numbers of a vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conditioning(nn.Module):
    """Features of a condition, which are added to the encoder's output and reach the gates of every block from there.

    As in van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, arXiv:1606.05328, section 2.3,
    but once instead of in every layer. Everything is zero at first.

    Args:
        classes: the number of labels, or 0.
        vector_features: K, or 0.
        orders: the number of raster orders.
        features: F.
    """

    def __init__(self, classes: int, vector_features: int, orders: int, features: int) -> None:
        super().__init__()
        self.label = nn.Embedding(classes + 1, features) if classes else None  # the last one: not told
        self.vector = nn.Linear(vector_features, features) if vector_features else None
        self.no_vector = nn.Parameter(torch.zeros(features)) if vector_features else None
        self.order = nn.Embedding(orders, features) if orders > 1 else None
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()

    def forward(self, label: Tensor, vector: Tensor, vector_known: Tensor, order: Tensor) -> Tensor:
        """Gives the features [B, 1, 1, F] of a condition, the same at every pixel.

        Args:
            label: [B], int64, -1 where it is not told.
            vector: [B, K].
            vector_known: [B], bool.
            order: [B], int64.
        """
        parts = []
        if self.label is not None:
            parts.append(self.label(torch.where(label < 0, self.label.num_embeddings - 1, label)))
        if self.vector is not None and self.no_vector is not None:
            told = self.vector(vector.to(self.no_vector.dtype))
            parts.append(torch.where(vector_known[:, None], told, self.no_vector))
        if self.order is not None:
            parts.append(self.order(order))
        return torch.stack(parts).sum(0)[:, None, None]
