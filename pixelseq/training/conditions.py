"""What a run tells its model of each image, and what the model has to know for it."""

from __future__ import annotations

import dataclasses

from pixelseq.data.dataset import Dataset
from pixelseq.data.store import Images, Telling
from pixelseq.model.config import ModelConfig
from pixelseq.training.config import TrainConfig


def conditional(config: TrainConfig, data: Dataset) -> tuple[ModelConfig, Dataset]:
    """Gives the model and the data of a run, the one able to be told what the other tells.

    Args:
        config: the configuration of the run.
        data: the images.

    Returns:
        The configuration of the model, and the images.

    Raises:
        ValueError: the images have no labels, or are streamed.
    """
    if config.condition is None and config.orders == 1:
        return config.model, data
    train = data.train
    if not isinstance(train, Images):
        raise ValueError("`condition` and `orders` need images that are at hand; leave `streaming` off")
    model = dataclasses.replace(config.model, orders=config.orders)
    labels = config.condition == "label"
    dropout = config.condition_dropout if labels else 0.0
    if labels:
        classes = max(len(data.class_names), _highest_label(data) + 1)
        model = dataclasses.replace(model, classes=classes, class_names=data.class_names, condition_dropout=dropout)
    told = Telling(labels)
    return model, dataclasses.replace(
        data,
        train=dataclasses.replace(train, telling=Telling(labels, dropout, config.orders)),
        validation=dataclasses.replace(data.validation, telling=told),
        test=dataclasses.replace(data.test, telling=told),
        more_tests={name: dataclasses.replace(images, telling=told) for name, images in data.more_tests.items()},
    )


def with_labels(images: Images, class_names: tuple[str, ...], config: ModelConfig) -> tuple[Images, str | None]:
    """Has images tell their labels to a model that knows them; says in a line where that cannot be.

    Args:
        images: the images.
        class_names: the names of their labels.
        config: the model's configuration.

    Raises:
        ValueError: the model must be told labels, and the images have none, or others.
    """
    if not config.classes:
        return images, None
    if images.labels is None:
        why = "the images have no labels"
    elif class_names != config.class_names:
        ours, theirs = (", ".join(names) or "no names" for names in (config.class_names, class_names))
        why = f"the images are of classes {theirs}, the model knows {ours}"
    else:
        return dataclasses.replace(images, telling=Telling(labels=True)), None
    if not config.condition_dropout:
        raise ValueError(f"{why}, and the model must be told the label of every image")
    return images, f"scored without labels: {why}"


def _highest_label(data: Dataset) -> int:
    parts = [*data.splits.values(), *data.more_tests.values()]
    labels = [images.labels for images in parts]
    if any(own is None for own in labels):
        raise ValueError(
            f"`condition` is label, and {data.name} has no labels: it takes folders of classes or a column of labels"
        )
    low = min(int(own.min()) for own in labels if own is not None)
    if low < 0:
        raise ValueError(f"`condition` is label, and {data.name} has labels from {low} on; expected 0 or more")
    return max(int(own.max()) for own in labels if own is not None)
