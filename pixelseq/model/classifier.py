"""A generative classifier: p(label | image) by Bayes' rule. Shapes: N images, K classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

BINS = 15
"""The bins of confidence that a calibration error is measured in (Guo et al. 2017, arXiv:1706.04599, section 2)."""


def posterior(nats: Tensor, prior: Tensor) -> Tensor:
    """Computes p(label | image), which is as p(image | label) p(label).

    Args:
        nats: [N, K], -log p(image | label) of each image under each label.
        prior: [K], p(label).

    Returns:
        [N, K], each row sums to 1.
    """
    return (prior.log() - nats).softmax(1)


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> float:
    """Computes the expected calibration error: how far the accuracy is from the confidence, as a mean over images.

    Images are put into bins of equal width by their confidence; an image counts the distance of the accuracy of its bin
    from the mean confidence there (Guo et al. 2017, arXiv:1706.04599, equation 3).

    Args:
        confidence: [N], p of the label that is said.
        correct: [N], bool, whether that is the image's own.
        bins: the number of bins; each has its upper end.
    """
    places = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
    excess = torch.zeros(bins, dtype=torch.float64).index_add(0, places, correct.double() - confidence.double())
    return float(excess.abs().sum() / len(confidence))


@dataclass(frozen=True)
class Classification:
    """What is said of images whose labels are known."""

    labels: Tensor
    """[N], int64, the label of each image."""
    posterior: Tensor
    """[N, K], p(label | image)."""

    @cached_property
    def said(self) -> Tensor:
        """The likeliest label of each image [N]."""
        return self.posterior.argmax(1)

    @cached_property
    def confidence(self) -> Tensor:
        """The probability of what is said of each image [N]."""
        return self.posterior.amax(1)

    @property
    def accuracy(self) -> float:
        """The share of images of which the right label is said."""
        return float((self.said == self.labels).double().mean())

    @property
    def accuracy_error(self) -> float:
        """The standard error of `accuracy`."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.labels))

    @property
    def calibration_error(self) -> float:
        """The expected calibration error of what is said."""
        return calibration_error(self.confidence, self.said == self.labels)

    @property
    def confusion(self) -> Tensor:
        """The number of images [K, K] of each label (rows) of which each (columns) is said."""
        K = self.posterior.shape[1]
        return (self.labels * K + self.said).bincount(minlength=K * K).view(K, K)

    def row(self, image: int, names: Sequence[str]) -> tuple[str, str, float]:
        """Gives the name of an image's label, the name of what is said of it, and the probability of that."""
        label, said = int(self.labels[image]), int(self.said[image])
        return names[label], names[said], float(self.confidence[image])
