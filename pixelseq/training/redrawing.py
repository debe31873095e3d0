"""How well a model draws images given what a degradation has left of them, beside plain methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pixelseq.data.given_pictures import GivenPicture
from pixelseq.data.plain_methods import plainly_restored
from pixelseq.imaging.levels import shades
from pixelseq.imaging.measures import Likeness, likeness, mean_likeness
from pixelseq.model.condition import Condition
from pixelseq.model.likelihood import Likelihood, mean_over_orders, nats_of_images
from pixelseq.model.pixelrnn import PixelRNN


@dataclass(frozen=True)
class Redrawn:
    """Measures of one original, or of several on average."""

    likelihood: Likelihood
    """Of the original, given what is left of it."""
    drawn: Likeness | None
    """How alike to it what the model draws is, all that is drawn together; None for levels without an order."""
    method: str | None
    """The name of the plain method; None where there is none."""
    plain: Likeness | None
    """How alike to it is what the plain method makes."""

    def __str__(self) -> str:
        nats, bits = self.likelihood.nats_per_image, self.likelihood.bits_per_dim
        parts = [f"{nats:.2f} nats, {bits:.4f} bits/dim"]
        parts += [] if self.drawn is None else [f"drawn: {self.drawn}"]
        parts += [] if self.plain is None else [f"{self.method}: {self.plain}"]
        return "; ".join(parts)

    @property
    def by_name(self) -> dict[str, float | str | None]:
        """The measures as JSON has them: None for those that there are not, and for an infinite PSNR."""
        return {
            "nats": self.likelihood.nats_per_image,
            "bits_per_dim": self.likelihood.bits_per_dim,
            "psnr": _finite(self.drawn and self.drawn.psnr),
            "ssim": self.drawn and self.drawn.ssim,
            "plain_psnr": _finite(self.plain and self.plain.psnr),
            "plain_ssim": self.plain and self.plain.ssim,
            "plain": self.method,
        }

    @classmethod
    def mean(cls, several: Sequence[Redrawn]) -> Redrawn:
        """Gives the measures of several originals on average; bits/dim are those of all values together."""
        nats = [one.likelihood.nll_nats for one in several]
        drawn = [one.drawn for one in several if one.drawn is not None]
        plain = [one.plain for one in several if one.plain is not None]
        return cls(
            Likelihood.of(nats, [one.likelihood.values for one in several]),
            mean_likeness(drawn) if drawn else None,
            several[0].method,
            mean_likeness(plain) if plain else None,
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
    in_orders = nats_of_images(
        model,
        originals,
        [tuple(image.shape) for image in originals],
        condition=told,
        context_of=lambda k: (pictures[k].levels, pictures[k].known),
    )
    looks = shades(config.pixel_format.levels)
    measured = []
    for picture, original, images, nats in zip(
        pictures, originals, drawn, mean_over_orders(in_orders).tolist(), strict=True
    ):
        target, own, method, plain = looks[original.long()].numpy(), None, None, None
        if config.pixel_format.ordered:
            own = mean_likeness([likeness(looks[image.long()].numpy(), target) for image in images])
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
        measured.append(Redrawn(Likelihood.of([nats], [original.numel()]), own, method, plain))
    return measured


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
