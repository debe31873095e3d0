"""Guidance: images are drawn as if their condition were told more strongly.

Ho and Salimans (2022), Classifier-Free Diffusion Guidance, arXiv:2207.12598, section 3.2, for a distribution of values:
(1 + g) log p(value | condition) - g log p(value), normalised. Shapes: V levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pixelseq.model.condition import NO_LABEL, Condition
from pixelseq.model.pixelrnn import PixelRNN


def guided(told: Tensor, untold: Tensor, guidance: float) -> Tensor:
    """Gives the log-weights [..., V], float64, of the guided distribution, from those of two distributions."""
    return (1 + guidance) * told.double() - guidance * untold.double()


def beside_untold(model: PixelRNN, batch: int, condition: Condition | None, guidance: float) -> Condition | None:
    """Gives the condition of a walk's states: as it is without guidance, otherwise of every image twice.

    Args:
        model: the distribution of images.
        batch: the number of images.
        condition: what they are told by.
        guidance: the weight g.

    Returns:
        A condition that tells the first of an image's two states, and not the second.

    Raises:
        ValueError: the guidance is out of range, or there is nothing to guide by.
    """
    if not 0 <= guidance < float("inf"):
        raise ValueError(f"`guidance` is {guidance}; it must be at least 0")
    if not guidance:
        return condition
    if condition is None or condition.batch is None:
        raise ValueError(f"`guidance` is {guidance}, and no condition is told that it could strengthen")
    if not model.config.condition_dropout:
        raise ValueError(
            f"`guidance` is {guidance}; the model was trained without condition_dropout and does not know images that "
            "are told nothing"
        )
    twice = condition.for_images(batch).select(torch.arange(batch).repeat_interleave(2))
    told = torch.arange(2 * batch) % 2 == 0
    label, vector, vector_known, image_known = twice.label, twice.vector, twice.vector_known, twice.image_known
    if label is not None:
        label = torch.where(told.to(label.device), label, NO_LABEL)
    if vector is not None:
        own = told.to(vector.device)
        vector_known = own if vector_known is None else vector_known & own
    if twice.image is not None:
        own = told.to(twice.image.device)[:, None, None]
        image_known = own.expand_as(twice.image[:, 0]) if image_known is None else image_known & own
    return Condition(label, vector, vector_known, twice.image, image_known)
