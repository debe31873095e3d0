"""Evaluates a trained model: exact nats per image and bits/dim of a split, with their standard errors.

    accelerate launch train/evaluate.py --checkpoint runs/digits

The last line is JSON; it is the same on any number of processes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from pixelseq import PixelRNN
from pixelseq.data import DataOptions, Images, load
from pixelseq.model.checkpoint import CHECKPOINT, newest
from pixelseq.runtime.names import as_path
from pixelseq.runtime.processes import join_processes
from pixelseq.runtime.scripts import one_line_errors, parse_flags
from pixelseq.training.gradients import evaluate_shared
from pixelseq.training.settings import read_settings


@dataclass(frozen=True)
class Arguments:
    """Evaluates a trained model on a data set: by default the one that its run was trained on."""

    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=DataOptions)
    """What to evaluate on."""
    on: Literal["test", "validation", "train"] = "test"
    """Part of the data set."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        asked = parse_flags(Arguments, arguments)
        checkpoint = asked.checkpoint or newest()
        if not any(argument.split("=")[0] == "--data" for argument in arguments):
            asked = parse_flags(Arguments, arguments, replace(asked, images=data_of_run(as_path(checkpoint))))
        evaluate(asked, checkpoint)


def data_of_run(checkpoint: Path) -> DataOptions:
    """Gives the data that the run of a checkpoint was trained on.

    Raises:
        ValueError: nothing says what it was trained on.
    """
    run = checkpoint.parent if checkpoint.name == CHECKPOINT else checkpoint
    try:
        begun = read_settings(run)
    except ValueError as error:
        raise ValueError(f"{error}; name the data by `data`") from error
    if begun is None:
        raise ValueError(f"{checkpoint} does not say what it was trained on; name the data by `data`")
    return begun[1].images


def evaluate(arguments: Arguments, checkpoint: str | Path) -> None:
    """Prints the likelihood of a part of a data set as JSON."""
    accelerator = join_processes("train/evaluate.py")
    model = PixelRNN.from_pretrained(checkpoint).to(accelerator.device)
    with accelerator.local_main_process_first():  # it decodes for all of its machine
        data = load(arguments.images, legend=model.config.pixel_format.legend)
    ours, theirs = model.config.pixel_format, data.pixel_format
    if (theirs.channels, theirs.levels) != (ours.channels, ours.levels):
        raise ValueError(f"{data.name} has {theirs}, the model {ours}: choose `channels` and `levels`")
    images = getattr(data, arguments.on)
    if not isinstance(images, Images):
        raise ValueError("a stream of training images has no end; evaluate test or validation by `on`")
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
    main(sys.argv[1:])
