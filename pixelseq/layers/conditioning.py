"""What the network is told beside the image. Shapes: B batch, H rows, W columns, F features, K numbers of a vector."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelseq.layers.context_net import ContextNet


class Conditioning(nn.Module):
    """Features of a condition, which are added to the encoder's output and reach the gates of every block from there.

    As in van den Oord et al. 2016, Conditional Image Generation with PixelCNN Decoders, arXiv:1606.05328, section 2.3,
    but once instead of in every layer. Everything is zero at first.

    Args:
        classes: the number of labels, or 0.
        vector_features: K, or 0.
        orders: the number of raster orders.
        context: the network that reads condition images, or None.
        features: F.
    """

    def __init__(
        self, classes: int, vector_features: int, orders: int, context: ContextNet | None, features: int
    ) -> None:
        super().__init__()
        self.features = features
        self.label = nn.Embedding(classes + 1, features) if classes else None  # the last one: not told
        self.vector = nn.Linear(vector_features, features) if vector_features else None
        self.no_vector = nn.Parameter(torch.zeros(features)) if vector_features else None
        self.order = nn.Embedding(orders, features) if orders > 1 else None
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
        self.context = context
        self.no_image = nn.Parameter(torch.zeros(features)) if context is not None else None

    def forward(
        self, batch: int, label: Tensor | None, vector: Tensor | None, vector_known: Tensor | None, order: Tensor | None
    ) -> Tensor:
        """Gives the features [B, F] of what is told of an image as a whole; an image's own in any batch.

        Args:
            batch: B.
            label: [B], int64, -1 where it is not told; None tells none.
            vector: [B, K]; None tells none.
            vector_known: [B], bool; None where all vectors that there are are told.
            order: [B], int64; None for order 0.
        """
        parts = []
        if self.label is not None:
            untold = self.label.num_embeddings - 1
            told = self.label.weight.new_full((batch,), untold, dtype=torch.long) if label is None else label
            parts.append(self.label(torch.where(told < 0, untold, told)))
        if self.no_vector is not None:
            parts.append(self._of_vectors(batch, vector, vector_known))
        if self.order is not None:
            order = self.order.weight.new_zeros(batch, dtype=torch.long) if order is None else order
            parts.append(self.order(order))
        if self.no_image is not None and not parts:
            return self.no_image.new_zeros(batch, self.features)
        return torch.stack(parts).sum(0)

    def of_images(self, image: Tensor | None, known: Tensor | None, inside: Tensor | None = None) -> Tensor:
        """Gives the features of condition images, which are added to those of the rest.

        An image of which nothing is known is not told: it gives features that have been learned for that.

        Args:
            image: [B, C, H, W], levels; None tells none.
            known: [B, H, W], bool; None where all is known.
            inside: [B, H, W], bool, False in the padding below an image; None without padding.

        Returns:
            [B, H, W + 1, F]; zero at the empty column on the right. [1, 1, 1, F] where none is told.
        """
        assert self.context is not None
        assert self.no_image is not None
        if image is None:
            return self.no_image[None, None, None]
        if known is None:
            known = torch.ones_like(image[:, 0], dtype=torch.bool)
        told = known.flatten(1).any(1)[:, None, None, None]
        features = F.pad(self.context(image, known, inside), (0, 0, 0, 1))
        return torch.where(told, features, self.no_image)

    def _of_vectors(self, batch: int, vector: Tensor | None, known: Tensor | None) -> Tensor:
        assert self.vector is not None
        assert self.no_vector is not None
        if vector is None:
            vector = self.no_vector.new_zeros(batch, self.vector.in_features)
            known = torch.zeros(batch, dtype=torch.bool, device=vector.device)
        # No matrix product, which may sum in another order in another batch.
        told = (vector.to(self.no_vector.dtype)[:, None] * self.vector.weight).sum(-1) + self.vector.bias
        return told if known is None else torch.where(known[:, None], told, self.no_vector)
