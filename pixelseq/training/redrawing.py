"""How well a model draws images given what a degradation has left of them, beside plain methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pixelseq.data.given_pictures import GivenPicture
from pixelseq.data.plain_methods import plainly_restored
from pixelseq.imaging.levels import shades
from pixelseq.imaging.measures import Likeness, likeness, mean_likeness
from pixelseq.model.batch import Pair
from pixelseq.model.condition import Condition
from pixelseq.model.likelihood import Likelihood, mean_over_orders, nats_of_images
from pixelseq.model.pixelrnn import PixelRNN


@dataclass(frozen=True)
class Redrawn:
    """Measures of one original, or of several on average."""

    likelihood: Likelihood
    """Of the original, given what is left of it."""
    untold: Likelihood | None
    """Of the original by itself; None for a model that must be told what is left."""
    drawn: Likeness | None
    """How alike to it what the model draws is, all that is drawn together; None for levels without an order."""
    mean_drawn: Likeness | None
    """How alike to it is the mean of what the model draws: the guess of the least squared error."""
    method: str | None
    """The name of the plain method; None where there is none."""
    plain: Likeness | None
    """How alike to it is what the plain method makes."""

    def __str__(self) -> str:
        nats, bits = self.likelihood.nats_per_image, self.likelihood.bits_per_dim
        parts = [f"{nats:.2f} nats, {bits:.4f} bits/dim"]
        parts += [] if self.untold is None else [f"untold {self.untold.bits_per_dim:.4f} bits/dim"]
        parts += [] if self.drawn is None else [f"drawn: {self.drawn}"]
        parts += [] if self.mean_drawn is None else [f"their mean: {self.mean_drawn}"]
        parts += [] if self.plain is None else [f"{self.method}: {self.plain}"]
        return "; ".join(parts)

    @property
    def by_name(self) -> dict[str, float | str | None]:
        """The measures as JSON has them: None for those that there are not, and for an infinite PSNR."""
        return {
            "nats": self.likelihood.nats_per_image,
            "bits_per_dim": self.likelihood.bits_per_dim,
            "untold_bits_per_dim": None if self.untold is None else self.untold.bits_per_dim,
            "psnr": _finite(self.drawn and self.drawn.psnr),
            "ssim": self.drawn and self.drawn.ssim,
            "mean_psnr": _finite(self.mean_drawn and self.mean_drawn.psnr),
            "mean_ssim": self.mean_drawn and self.mean_drawn.ssim,
            "plain_psnr": _finite(self.plain and self.plain.psnr),
            "plain_ssim": self.plain and self.plain.ssim,
            "plain": self.method,
        }

    @classmethod
    def mean(cls, several: Sequence[Redrawn]) -> Redrawn:
        """Gives the measures of several originals on average; bits/dim are those of all values together."""
        untold = [one.untold for one in several if one.untold is not None]
        return cls(
            Likelihood.of([one.likelihood.nll_nats for one in several], [one.likelihood.values for one in several]),
            Likelihood.of([one.nll_nats for one in untold], [one.values for one in untold]) if untold else None,
            _mean([one.drawn for one in several]),
            _mean([one.mean_drawn for one in several]),
            several[0].method,
            _mean([one.plain for one in several]),
        )


def measure(
    model: PixelRNN, pictures: Sequence[GivenPicture], drawn: Sequence[Tensor], told: Condition | None = None
) -> list[Redrawn]:
    """Measures what a model draws of degraded pictures.

    Args:
        model: the model, which knows their degradation.
        pictures: what is left of pictures, and their originals.
        drawn: levels, each [num, C, H, W], on the CPU.
        told: what else the images are told by, of all pictures or of one for all.

    Raises:
        ValueError: scikit-image is not installed, or for the reasons of `nats_of_images`.
    """
    config = model.config
    assert config.context is not None
    originals = [picture.original for picture in pictures if picture.original is not None]
    shapes = [tuple(image.shape) for image in originals]

    def likelihoods(context_of: Callable[[int], Pair] | None) -> list[Likelihood]:
        nats = mean_over_orders(nats_of_images(model, originals, shapes, condition=told, context_of=context_of))
        return [Likelihood.of([own], [image.numel()]) for own, image in zip(nats.tolist(), originals, strict=True)]

    given = likelihoods(lambda k: (pictures[k].levels, pictures[k].known))
    untold: Sequence[Likelihood | None] = [None] * len(originals)
    if config.condition_dropout:
        untold = likelihoods(None)
    looks, measured = shades(config.pixel_format.levels), []
    for k, (picture, original) in enumerate(zip(pictures, originals, strict=True)):
        target, own, mean, method, plain = looks[original.long()].numpy(), None, None, None, None
        if config.pixel_format.ordered:
            images = [looks[image.long()].numpy() for image in drawn[k]]
            own = mean_likeness([likeness(image, target) for image in images])
            mean = likeness(np.stack(images).mean(0).round().astype(np.uint8), target)
        restored = plainly_restored(
            config.context.degradation,
            picture.levels,
            picture.known,
            config.context.pixel_format,
            original,
            config.pixel_format,
        )
        if restored is not None:
            method, plain = restored[0], likeness(restored[1], target)
        measured.append(Redrawn(given[k], untold[k], own, mean, method, plain))
    return measured


def _mean(several: Sequence[Likeness | None]) -> Likeness | None:
    """Gives the mean of those that there are."""
    known = [one for one in several if one is not None]
    return mean_likeness(known) if known else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
