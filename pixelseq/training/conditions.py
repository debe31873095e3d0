"""What a run tells its model of each image, and what the model has to know for it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import torch

from pixelseq.data.dataset import Dataset
from pixelseq.data.degradations import Degradation
from pixelseq.data.options import DataOptions
from pixelseq.data.store import Images, Telling
from pixelseq.model.config import ContextConfig, ModelConfig
from pixelseq.model.text_encoder import named_encoder
from pixelseq.training.config import TrainConfig

COUNTED = 2**24
"""The most values, from the start of a store, that tell which level is the most frequent."""


def conditional(config: TrainConfig, data: Dataset) -> tuple[ModelConfig, Dataset]:
    """Gives the model and the data of a run, the one able to be told what the other tells.

    Args:
        config: the configuration of the run.
        data: the images.

    Returns:
        The configuration of the model, and the images.

    Raises:
        ValueError: the images have not what is to be told.
    """
    if config.condition is None and config.condition_image is None and config.orders == 1 and config.shift == 0:
        return config.model, data
    train = data.train
    assert isinstance(train, Images)  # as the configuration has it
    model = dataclasses.replace(config.model, orders=config.orders)
    told = Telling("vector" if config.condition == "text" else config.condition)
    if config.condition is not None:
        model = dataclasses.replace(model, **_knowledge(config, data), condition_dropout=config.condition_dropout)
    if config.condition_image is not None:
        degradation = Degradation.parse(config.condition_image)
        try:
            pixel_format = degradation.format_of(data.pixel_format)
        except ValueError as error:
            raise ValueError(f"`condition_image` is {degradation.name}: {error}") from error
        context = ContextConfig(pixel_format, config.condition_features, config.condition_blocks, degradation.name)
        model = dataclasses.replace(model, context=context, condition_dropout=config.condition_dropout)
        told = dataclasses.replace(told, degradation=degradation, pixel_format=data.pixel_format)
    border = _most_frequent(train) if config.shift else ()
    drawn = dataclasses.replace(
        told, dropout=model.condition_dropout, orders=config.orders, shift=config.shift, border=border
    )
    return model, dataclasses.replace(
        data,
        train=dataclasses.replace(train, telling=drawn),
        validation=dataclasses.replace(data.validation, telling=told),
        test=dataclasses.replace(data.test, telling=told),
        more_tests={name: dataclasses.replace(images, telling=told) for name, images in data.more_tests.items()},
    )


def told_as_learned(
    images: Images, class_names: tuple[str, ...], config: ModelConfig, options: DataOptions
) -> tuple[Images, str | None]:
    """Has images tell a model what it was trained to be told; says in a line where that cannot be.

    Args:
        images: the images.
        class_names: the names of their labels.
        config: the model's configuration.
        options: the options that the images were loaded by.

    Raises:
        ValueError: the model must be told labels, vectors or images, and the images have none, or others.
    """
    lacking: dict[str, str] = {}
    condition: Literal["label", "vector"] | None = None
    degradation = None
    if config.classes or config.vector_features:
        noun = "label" if config.classes else "text" if config.text_encoder else "vector"
        of_labels = config.classes > 0
        why = _unlike_labels(images, class_names, config) if of_labels else _unlike_vectors(images, config, options)
        if why is None:
            condition = "label" if of_labels else "vector"
        else:
            lacking[noun] = why
    if config.context is not None:
        if config.context.degradation:
            degradation = Degradation.parse(config.context.degradation)
        else:
            lacking["condition image"] = "no degradation makes them of images"
    for noun, why in lacking.items():
        if not config.condition_dropout:
            raise ValueError(f"{why}, and the model must be told the {noun} of every image")
    if condition is not None or degradation is not None:
        told = Telling(condition, degradation=degradation, pixel_format=config.pixel_format)
        images = dataclasses.replace(images, telling=told)
    note = "; ".join(f"scored without {noun}s: {why}" for noun, why in lacking.items())
    return images, note or None


def _unlike_labels(images: Images, class_names: tuple[str, ...], config: ModelConfig) -> str | None:
    """Says why labels are none that a model knows."""
    if images.labels is None:
        return "the images have no labels"
    if class_names != config.class_names:
        ours, theirs = (", ".join(names) or "no names" for names in (config.class_names, class_names))
        return f"the images are of classes {theirs}, the model knows {ours}"
    if without := int((images.labels < 0).sum()):
        return f"{without} of {len(images)} images have no label"
    if (highest := int(images.labels.max())) >= config.classes:
        return f"the images have labels up to {highest}, the model knows 0 to {config.classes - 1}"
    return None


def _unlike_vectors(images: Images, config: ModelConfig, options: DataOptions) -> str | None:
    """Says why vectors are none that a model knows."""
    flag, noun = ("text_column", "texts") if config.text_encoder else ("vector_column", "vectors")
    if images.vectors is None or getattr(options, flag) is None:
        return f"the images have no {noun} (`{flag}`)"
    if config.text_encoder and named_encoder(options.text_encoder) != config.text_encoder:
        return f"the texts are of `text_encoder` {options.text_encoder}, the model knows {config.text_encoder}"
    if (count := images.vectors.shape[1]) != config.vector_features:
        return f"the images have vectors of {count} numbers, the model knows {config.vector_features}"
    return None


def _knowledge(config: TrainConfig, data: Dataset) -> dict[str, Any]:
    """Gives what the configuration of a model must say for it to know the condition of a run."""
    if config.condition == "label":
        return {"classes": max(len(data.class_names), _highest_label(data) + 1), "class_names": data.class_names}
    counts = {own.shape[1] for images in _parts(data) if (own := images.vectors) is not None}
    if len(counts) != 1:
        raise ValueError(f"the vectors of {data.name} have {sorted(counts)} numbers; expected one length in all splits")
    return {
        "vector_features": counts.pop(),
        "text_encoder": named_encoder(config.images.text_encoder) if config.condition == "text" else "",
    }


def _parts(data: Dataset) -> list[Images]:
    return [*data.splits.values(), *data.more_tests.values()]


def _most_frequent(images: Images) -> tuple[int, ...]:
    """Gives the most frequent level of each colour."""
    counts = torch.zeros(images.channels, 256, dtype=torch.long)
    seen = 0
    for image in dataclasses.replace(images, telling=Telling()):
        counts += torch.stack([colour.flatten().bincount(minlength=256) for colour in image])
        seen += image.numel()
        if seen >= COUNTED:
            break
    return tuple(counts.argmax(1).tolist())


def _highest_label(data: Dataset) -> int:
    labels = [images.labels for images in _parts(data)]
    if any(own is None for own in labels):
        raise ValueError(
            f"`condition` is label, and {data.name} has no labels: it takes folders of classes or a column of labels"
        )
    low = min(int(own.min()) for own in labels if own is not None)
    if low < 0:
        raise ValueError(f"`condition` is label, and {data.name} has labels from {low} on; expected 0 or more")
    return max(int(own.max()) for own in labels if own is not None)
