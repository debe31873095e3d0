"""The features of condition images row by row. Shapes: N images, C colours, H rows, W columns, F features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.layers import Conditioning

STRIP = 64
"""The rows whose features are made at a time."""


class _Strip(NamedTuple):
    number: int
    features: Tensor
    """[images, STRIP, W + 1, F]; fewer rows at the bottom."""


class _Source:
    """Condition images, and the strip of their features that was asked for last."""

    def __init__(self, conditioning: Conditioning, image: Tensor, known: Tensor | None) -> None:
        self.conditioning, self.image, self.known = conditioning, image, known
        self.last: _Strip | None = None

    def row(self, i: int) -> Tensor:
        """Gives row i of the features of all images, [images, W + 1, F]."""
        strip = self.last
        if strip is None or strip.number != i // STRIP:
            self.last = strip = _Strip(i // STRIP, self._features(i - i % STRIP))
        return strip.features[:, i % STRIP]

    def _features(self, top: int) -> Tensor:
        if self.image.device.type != "cpu":
            return self._of(slice(None), top)
        # One image at a time: a convolution rounds by the images beside one.
        return torch.cat([self._of(slice(k, k + 1), top) for k in range(len(self.image))])

    @torch.no_grad()
    def _of(self, images: slice, top: int) -> Tensor:
        context, H = self.conditioning.context, self.image.shape[2]
        assert context is not None
        bottom = min(top + STRIP, H)
        rows = slice(max(0, top - context.reach), min(bottom + context.reach, H))
        part = self.image[images, :, rows]
        known = torch.ones_like(part[:, 0], dtype=torch.bool) if self.known is None else self.known[images, rows]
        with torch.autocast(part.device.type, enabled=False):
            features = context(part, known)[:, top - rows.start : bottom - rows.start]
        return F.pad(features, (0, 0, 0, 1))


@dataclass(frozen=True, eq=False)
class ConditionRows:
    """What images are told in each row: features of their condition images, made strip by strip, and constant ones.

    A strip is made of as many rows more above and below as the network sees, so that memory does not grow with the
    height and the features are those of the whole image.
    """

    source: _Source
    index: Tensor
    """[N], the image of the source that each has; -1 for none."""
    constant: Tensor
    """[N, F], features that are the same at every pixel."""

    @classmethod
    def of(
        cls, conditioning: Conditioning, constant: Tensor, image: Tensor, known: Tensor | None, told: Tensor
    ) -> Self:
        """Makes the rows of N images.

        Args:
            conditioning: makes the features.
            constant: [N, F], features of what else is told.
            image: [n, C, H, W], levels of condition images, turned; of N images, or of one for all.
            known: [n, H, W], bool, what is known of them; None where all is.
            told: [n], bool, the images that are told their condition image: one of them at least.
        """
        assert conditioning.no_image is not None
        chosen = told.nonzero()[:, 0]
        source = _Source(conditioning, image[chosen], None if known is None else known[chosen])
        index = (told.cumsum(0) - 1).masked_fill(~told, -1).expand(len(constant))
        untold = (index < 0)[:, None]
        return cls(source, index, torch.where(untold, constant + conditioning.no_image, constant).detach())

    @property
    def height(self) -> int:
        """H."""
        return self.source.image.shape[2]

    def row(self, i: int) -> Tensor:
        """Gives what all images are told in row i, [N, W + 1, F].

        Raises:
            ValueError: the condition images have fewer rows.
        """
        if i >= self.height:
            raise ValueError(f"the condition images have {self.height} rows; there is no row after them")
        features = self.source.row(i).index_select(0, self.index.clamp(min=0))
        return self.constant[:, None] + torch.where((self.index >= 0)[:, None, None], features, 0.0)

    def select(self, images: Tensor) -> ConditionRows:
        """Picks the images of these indices [n], any of them repeatedly."""
        return replace(self, index=self.index.index_select(0, images), constant=self.constant.index_select(0, images))
