"""What a user tells images by, in words: names of classes, and sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pixelseq.model.condition import Condition
from pixelseq.model.config import ModelConfig
from pixelseq.model.text_encoder import load_text_encoder


def label_numbers(config: ModelConfig, names: Sequence[str]) -> list[int]:
    """Gives the numbers of classes that are named by a name or a number, or all of them for the one name "all".

    Args:
        config: the configuration of the model that knows the classes.
        names: the names.

    Raises:
        ValueError: the model does not know a class, or none at all.
    """
    if not config.classes:
        raise ValueError("`label` is given, and the model knows no labels; train one with `condition` label")
    if list(names) == ["all"]:
        return list(range(config.classes))
    known = {str(k): k for k in range(config.classes)} | {name: k for k, name in enumerate(config.class_names)}
    if unknown := [name for name in names if name not in known]:
        choices = ", ".join(config.class_names or (f"0 to {config.classes - 1}",))
        raise ValueError(f"`label` is {unknown[0]!r}; the model knows {choices}")
    return [known[name] for name in names]


def condition_of(config: ModelConfig, labels: Sequence[str], num: int, prompts: Sequence[str] = ()) -> Condition | None:
    """Makes the condition of `num` images, which take turns in what is asked for; None where nothing is.

    Args:
        config: the configuration of the model.
        labels: classes, by name or number, or all of them by the one name "all".
        num: the number of images.
        prompts: sentences that say what images show.

    Raises:
        ValueError: the model cannot be told this, or its text encoder cannot be loaded.
    """
    if not labels and not prompts:
        return None
    label = vector = None
    turns = torch.arange(num)
    if labels:
        numbers = torch.tensor(label_numbers(config, labels))
        label = numbers[turns % len(numbers)]
    if prompts:
        if not config.text_encoder:
            raise ValueError("`prompt` is given, and the model knows no texts; train one with `condition` text")
        encode = load_text_encoder(config.text_encoder)
        vectors = torch.cat([encode([prompt]) for prompt in prompts])  # each by itself: others beside it would round it
        vector = vectors[turns % len(vectors)]
    return Condition(label, vector)
