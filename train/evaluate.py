"""Evaluates a trained model: exact nats an image and bits/dim of a split, with their standard errors.

    accelerate launch train/evaluate.py --checkpoint runs/digits

The last line is JSON; it is the same on any number of processes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from pixelseq import PixelRNN
from pixelseq.data import DataOptions, Images, load
from pixelseq.model.checkpoint import newest
from pixelseq.runtime.scripts import one_line_errors
from pixelseq.training import evaluate_shared, join_processes


@dataclass(frozen=True)
class Arguments:
    """Evaluates a trained model on a data set."""

    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=DataOptions)
    """What to evaluate on."""
    on: Literal["test", "validation", "train"] = "test"
    """Part of the data set."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""


def main(arguments: Arguments) -> None:
    accelerator = join_processes("train/evaluate.py")
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(accelerator.device)
    with accelerator.local_main_process_first():  # which decodes for all of its machine
        data = load(arguments.images)
    if (data.channels, data.levels) != (model.config.channels, model.config.levels):
        raise ValueError(
            f"{data.name} has {data.channels} channels of {data.levels} levels; "
            f"the model {model.config.channels} of {model.config.levels}: choose --channels and --levels"
        )
    images = getattr(data, arguments.on)
    if not isinstance(images, Images):
        raise ValueError("a stream of training images has no end; evaluate --on test or validation")
    likelihood = evaluate_shared(accelerator, model, images)
    if accelerator.is_main_process:
        result = {
            "data": data.name,
            "split": arguments.on,
            "images": likelihood.images,
            "nats_per_image": likelihood.nats_per_image,
            "nats_standard_error": likelihood.nats_error,
            "bits_per_dim": likelihood.bits_per_dim,
            "bits_standard_error": likelihood.bits_error,
        }
        print(json.dumps(result))
    accelerator.wait_for_everyone()
    accelerator.end_training()


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
