"""Training in stages: the context encoder with the head first, then the recurrent blocks on top of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from pixelseq.data.store import ORDER, Images, generator
from pixelseq.model.config import ModelConfig
from pixelseq.model.pixelrnn import PixelRNN

STAGES = 1
"""The number that tells this random order from that of splits that are made, which has 0."""
SHARED = ("pixels.", "encoder.", "conditioning.", "head.")
"""The parts that an encoder-stage model has in common with the whole one."""


def stage_model(config: ModelConfig, stage: str) -> PixelRNN:
    """Builds the model that a stage trains: without recurrent blocks in stage "encoder", whole in the others."""
    return PixelRNN(dataclasses.replace(config, blocks=()) if stage == "encoder" else config)


def start_from(model: PixelRNN, name: str | Path) -> None:
    """Copies the encoder and the head of a trained model into `model`.

    Args:
        model: the model that is written to.
        name: the name of the trained model, as in `PixelRNN.from_pretrained`.

    Raises:
        FileNotFoundError: there is no model of that name.
        ValueError: its encoder or head has other shapes.
    """
    theirs = {
        key: value for key, value in PixelRNN.from_pretrained(name).state_dict().items() if key.startswith(SHARED)
    }
    ours = model.state_dict()
    if missing := sorted({key for key in ours if key.startswith(SHARED)} - theirs.keys()):
        raise ValueError(f"{name} cannot start this model: it has no {', '.join(missing)}")
    for key, value in theirs.items():
        if key not in ours or ours[key].shape != value.shape:
            raise ValueError(f"{name} cannot start this model: its {key} is {list(value.shape)}")
    model.load_state_dict(theirs, strict=False)


def take_fitting(model: PixelRNN, name: str | Path) -> tuple[str, list[str]]:
    """Copies into `model` every layer of a trained model whose tensors have the same names and shapes.

    Args:
        model: the model that is written to.
        name: the name of the trained model, as in `PixelRNN.from_pretrained`.

    Returns:
        What was taken and what was not, in one line, and the parts that were taken as a whole.

    Raises:
        FileNotFoundError: there is no model of that name.
        ValueError: nothing fits.
    """
    theirs, ours = PixelRNN.from_pretrained(name).state_dict(), model.state_dict()
    unlike = {_layer(key) for key in ours if key not in theirs or ours[key].shape != theirs[key].shape}
    fitting = {key: theirs[key] for key in ours if _layer(key) not in unlike}
    if not fitting:
        raise ValueError(f"nothing of {name} has the shapes of this model; choose its `model.hidden`, or another net")
    model.load_state_dict(fitting, strict=False)
    fits_of: dict[str, list[bool]] = {}
    for key in ours:
        first, second = key.split(".")[:2]
        fits_of.setdefault(f"block {second}" if first == "blocks" else first, []).append(key in fitting)
    taken = [part for part, fits in fits_of.items() if all(fits)]
    partly = [f"{part} in part" for part, fits in fits_of.items() if any(fits) and not all(fits)]
    new = [part for part, fits in fits_of.items() if not any(fits)]
    rest = f"; new: {', '.join(new)}" if new else ""
    return f"taken from {name}: {', '.join(taken + partly)}{rest}", taken


def parts(model: PixelRNN) -> set[str]:
    """Gives the names of the parts of a model that have weights."""
    return {name.split(".")[0] for name, _ in model.named_parameters()}


def _layer(key: str) -> str:
    """Gives the name of what a tensor is taken with: a bias without its weight is worth nothing."""
    layer, _, name = key.rpartition(".")
    return layer if name in ("weight", "bias") else key


def freeze_encoder(model: PixelRNN) -> None:
    """Has training leave the encoder, and how pixels enter it, as they are; the head is trained all the same."""
    model.pixels.requires_grad_(False)
    model.encoder.requires_grad_(False)


def stage_note(model: PixelRNN, stage: str) -> str:
    """Says in one line what a stage trains, and how many parameters."""
    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    parts = "encoder and head" if stage == "encoder" else "blocks and head"
    frozen = not any(parameter.requires_grad for parameter in model.encoder.parameters())
    parts += ", encoder too" if stage == "recurrent" and not frozen else ""
    return f"stage {stage} trains {parts}: {count} parameters"


def stage_images(images: Images, stage: str) -> Images:
    """Gives the half of the training images that a stage trains on; the two halves have no image in common.

    Args:
        images: all training images.
        stage: "encoder" takes the first half of an order that is always the same, "recurrent" the second.
    """
    order = generator(0, STAGES, 0, ORDER).permutation(len(images))
    half = order[: len(order) // 2] if stage == "encoder" else order[len(order) // 2 :]
    return images.subset(np.sort(half))
