"""Images that are drawn for pictures, some for each. Shapes: C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pixelseq.generation.completion import complete
from pixelseq.generation.noise import Seed, whole_seed
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.sampling import sample
from pixelseq.model.batch import Pair
from pixelseq.model.condition import Condition
from pixelseq.model.config import MASK, ModelConfig
from pixelseq.model.inputs import whole_number
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.told import condition_of, label_numbers
from pixelseq.model.trained_on import TrainedOn

AT_ONCE = 256
"""The most images that are drawn together."""


def told_in_turn(
    config: ModelConfig, count: int, labels: Sequence[str] = (), prompts: Sequence[str] = ()
) -> Condition | None:
    """Makes the condition of `count` pictures, which take turns in labels and texts; None where there are none.

    Args:
        config: the configuration of the model.
        count: the number of pictures.
        labels: as in `condition_of`.
        prompts: as in `condition_of`.

    Raises:
        ValueError: the model cannot be told them, or there are more of them than pictures.
    """
    known = label_numbers(config, labels) if labels else []
    for flag, kind, given in (("label", "classes", len(known)), ("prompt", "texts", len(prompts))):
        if given > count:
            raise ValueError(f"`{flag}` gives {given} {kind} for {count} images; give one, or one for each image")
    return condition_of(config, labels, count, prompts)


def size_notes(trained_on: TrainedOn | None, sizes: Sequence[tuple[Path, tuple[int, int]]]) -> list[str]:
    """Says of each size of pictures that is quite another one than the model was trained on, with the first of it.

    Args:
        trained_on: what the model was trained on, where that is known.
        sizes: files, and the rows and columns of each.
    """
    firsts = {size: path for path, size in reversed(sizes)}
    notes = [(path, trained_on and trained_on.size_note(*size)) for size, path in reversed(firsts.items())]
    return [f"{path}: {note}" for path, note in notes if note]


def redraw(
    model: PixelRNN,
    given: Sequence[Pair],
    num: int,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    progress: bool = False,
    *,
    condition: Condition | None = None,
    order: int = 0,
    guidance: float = 0.0,
) -> list[Tensor]:
    """Draws images given condition images; those of neighbours of one size are drawn together.

    What is known of an image, for a model that was trained on the degradation "mask", stays as it is (`complete`),
    unless there is guidance.

    Args:
        model: the distribution of images.
        given: condition images of any sizes, each levels [C', H, W], and what is known of each, bool [H, W].
        num: the images that are drawn given each.
        seed: image n of condition image k depends on the seed and k * num + n alone.
        options: as in `sample`.
        progress: as in `sample`.
        condition: what else the images are told by, of as many as there are condition images or of one for all.
        order: as in `sample`.
        guidance: as in `sample`.

    Returns:
        Levels [num, C, H, W] for each condition image, on the CPU.

    Raises:
        ValueError: for the reasons of `sample`.
    """
    num, seed = whole_number(num, "num"), whole_seed(seed)
    told = (condition or Condition()).for_images(len(given))
    masked = model.config.context is not None and model.config.context.degradation == MASK
    drawn: list[Tensor] = []
    for (height, width), group in groupby(range(len(given)), key=lambda k: tuple(given[k][1].shape)):
        alike = list(group)
        image, known = (torch.stack([given[k][part] for k in alike]) for part in range(2))
        of_group = replace(told.select(torch.tensor(alike)), image=image, image_known=known)
        asked = range(num * alike[0], num * (alike[-1] + 1))
        images = []
        for part in (asked[k : k + AT_ONCE] for k in range(0, len(asked), AT_ONCE)):
            own = of_group.select(torch.tensor(part) // num - alike[0])
            if masked and not guidance:
                assert own.image is not None
                assert own.image_known is not None
                parts = own.image, own.image_known
                request: dict[str, Any] = {"condition": own, "order": order, "first_index": part[0]}
                images.append(complete(model, *parts, 1, seed, options, progress, **request)[:, 0].cpu())
            else:
                request = {"condition": own, "order": order, "guidance": guidance, "first_index": part[0]}
                images.append(sample(model, len(part), height, width, seed, options, progress, **request).cpu())
        drawn += torch.cat(images).split(num)
    return drawn
