"""Classifies images by the likelihood of each under each label. Shapes: N images, K classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.data.store import Images
from pixelseq.model.classifier import Classification, posterior
from pixelseq.model.condition import Condition
from pixelseq.model.config import ModelConfig
from pixelseq.model.likelihood import mean_over_orders
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.training.gradients import nats_shared

if TYPE_CHECKING:
    from accelerate import Accelerator

MOST_CLASSES = 20
"""The most classes of a confusion table that is laid out."""


def prior_of_labels(
    kind: Literal["uniform", "counted"], config: ModelConfig, parts: Mapping[str, Images], train: Images | None
) -> Tensor:
    """Gives the probability of each label, and checks that images have labels to compare with.

    Args:
        kind: whether labels are equally probable, or as frequent as in the training images.
        config: the configuration of the model.
        parts: the images of each split that are to be classified.
        train: the training images, if there are any.

    Returns:
        [K], float64, which sums to 1.

    Raises:
        ValueError: the model knows no labels, images have none or others, or there are no training images to count.
    """
    if not config.classes:
        raise ValueError(f"`classify` is {kind}, and the model knows no labels; train one with `condition` label")
    for images in parts.values():
        _labels(images, "images", config)
    if kind == "uniform":
        return torch.full((config.classes,), 1 / config.classes, dtype=torch.float64)
    if train is None:
        raise ValueError("`classify` is counted, and there are no training images whose labels to count; take uniform")
    counts = _labels(train, "training images", config).bincount(minlength=config.classes).double()
    return counts / counts.sum()


def classify(accelerator: Accelerator, model: PixelRNN, parts: Mapping[str, Images], prior: Tensor) -> Classification:
    """Finds the probability of each label given each image; each process takes its share of the images.

    Args:
        accelerator: the accelerator.
        model: the model.
        parts: the images of each split.
        prior: [K], the probability of each label, as `prior_of_labels` gives it.
    """
    labels = torch.cat([_labels(images, "images", model.config) for images in parts.values()])
    nats = []
    for label in tqdm(range(len(prior)), "classifying", unit="label", disable=not accelerator.is_main_process):
        for images in parts.values():
            told = replace(images.condition or Condition(), label=torch.full((len(images),), label))
            nats.append(mean_over_orders(nats_shared(accelerator, model, images, told)))
    return Classification(labels, posterior(torch.cat(nats).view(len(prior), -1).T, prior))


def confusion_table(classified: Classification, names: Sequence[str]) -> str:
    """Lays out the confusion table as text, or says where to find what is said of images of many classes."""
    if len(names) > MOST_CLASSES:
        return f"{len(names)} classes are too many for a table to read; `per_image` writes what is said of each image"
    rows = [["", *names]]
    rows += [[name, *map(str, row)] for name, row in zip(names, classified.confusion.tolist(), strict=True)]
    width = max(len(cell) for row in rows for cell in row)
    lines = [" ".join(cell.rjust(width) for cell in row) for row in rows]
    return "\n".join(["labels (rows), and what is said of them (columns):", *lines])


def _labels(images: Images, called: str, config: ModelConfig) -> Tensor:
    """Gives the labels [N] of images, which messages call so.

    Raises:
        ValueError: some have none, or one that the model does not know.
    """
    if images.labels is None:
        raise ValueError(f"`classify` needs labels, and the {called} have none")
    if missing := int((images.labels < 0).sum()):
        raise ValueError(f"`classify` needs labels, and {missing} of {len(images)} {called} have none")
    Condition(label=images.labels).check(config)
    return images.labels
