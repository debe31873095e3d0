"""Evaluates a trained model: exact nats per image and bits/dim of a data set, with their standard errors.

    python train/evaluate.py --checkpoint runs/digits
    python train/evaluate.py --checkpoint runs/digits --data my/digits --per-image scores.csv
    python train/evaluate.py --checkpoint runs/told --classify uniform
    accelerate launch --multi_gpu --num_processes N train/evaluate.py --checkpoint runs/digits

The last line is JSON; it is the same on any number of processes, to the last bit where each uses as many threads, and
up to rounding where not.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import torch
import tyro

from pixelseq import PixelRNN
from pixelseq.data import DataOptions, Dataset, Images, SourceImages, load, load_as_named
from pixelseq.data.splits import ALL
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.checkpoint import CHECKPOINT, newest
from pixelseq.model.classifier import Classification
from pixelseq.model.likelihood import Likelihood, mean_over_orders
from pixelseq.runtime.files import atomic_write
from pixelseq.runtime.names import as_path
from pixelseq.runtime.processes import join_processes
from pixelseq.runtime.scripts import as_flags, check_out, one_line_errors, parse_flags
from pixelseq.training.arguments import gives
from pixelseq.training.classification import classify, confusion_table, prior_of_labels
from pixelseq.training.conditions import told_as_learned
from pixelseq.training.gradients import nats_shared
from pixelseq.training.settings import read_settings

PREPARATION = ("levels", "pixels", "channels", "range", "resize", "crop", "binarize")
"""The options that other data take over from those that the model was trained on."""


@dataclass(frozen=True)
class Arguments:
    """Evaluates a trained model on a data set: by default the one that its run was trained on."""

    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=DataOptions)
    """What to evaluate on."""
    on: Literal["test", "validation", "train", "all"] | None = None
    """Part of the data set, divided as for training. By default the test images of the run's own data; of other data
    the first of test, validation and train that they name, or all if they name none."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    per_image: Path | None = None
    """A .csv to write, with the name, the nats and the bits/dim of each image."""
    classify: Literal["uniform", "counted"] | None = None
    """Says the label of each image by Bayes' rule, p(label | image), for a net that was trained with --condition label:
    of labels that are equally probable or that are counted in the training images."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        asked = parse_flags(Arguments, arguments)
        if asked.per_image is not None:
            check_table(asked.per_image)
        name = asked.checkpoint or newest()
        model, checkpoint = PixelRNN.from_pretrained(name), as_path(name)
        if not gives(arguments, "data"):
            asked = parse_flags(Arguments, arguments, replace(asked, images=data_of_run(checkpoint, model)))
            evaluate(replace(asked, on=asked.on or "test"), model)
        else:
            alike = prepared_alike(model)
            evaluate(parse_flags(Arguments, arguments, replace(asked, images=alike)), model, alike)


def check_table(path: Path) -> None:
    """Raises ValueError, before any work is done, if `path` cannot be a .csv that is written."""
    if path.suffix != ".csv":
        raise ValueError(f"`per_image` is {path}; give a .csv")
    check_out(path, ".csv", "per_image")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK):
        raise ValueError(f"`per_image` is {path}, but nothing can be written in {folder}")


def data_of_run(checkpoint: Path, model: PixelRNN) -> DataOptions:
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
        known = model.trained_on
        why = f"was trained on {known.data}" if known else "does not say what it was trained on"
        raise ValueError(f"{checkpoint} {why}; name the data by `data`")
    return begun[1].images


def prepared_alike(model: PixelRNN) -> DataOptions:
    """Gives options that make levels of other data as they were made of the data that a model was trained on."""
    channels = model.config.pixel_format.channels
    made = Preprocessing() if model.trained_on is None else model.trained_on.preprocessing
    resize, crop = (None if size is None else f"{size[0]}x{size[1]}" for size in (made.resize, made.crop))
    return DataOptions(
        levels=model.config.pixel_format.levels,
        pixels=model.config.pixel_format.kind,
        binarize="stochastic" if made.binarize else None,
        channels=cast(Any, channels if channels in (1, 3, 4) else None),
        range=None if made.value_range is None else "{:.17g},{:.17g}".format(*made.value_range),
        resize=resize,
        crop=crop,
        text_encoder=model.config.text_encoder or DataOptions().text_encoder,
    )


def choose_images(options: DataOptions, on: str | None, legend: str | None) -> tuple[Dataset | SourceImages, str, str]:
    """Loads a data set, and chooses the part of it to score.

    Args:
        options: the options of the data set.
        on: the part, of the data as training divides them; by default the first of test, validation and train that the
            source itself names, or all where it names none.
        legend: the characters of the model's levels, which text maps are read by.

    Returns:
        The data set, the part, and words that say why.

    Raises:
        ValueError: it cannot be loaded or has no such part.
    """
    data: Dataset | SourceImages = load_as_named(options, legend=legend)
    if on is None:
        on = next(split for split in ("test", "validation", "train", ALL) if split in data.splits)
        return data, on, "all, since it names no split" if on == ALL else f"those that it names {on}"
    if on == ALL and options.streaming:
        raise ValueError("`on` all needs all images at hand; leave `streaming` off, or choose test or validation")
    if on != ALL and (options.streaming or not data.splits.keys().isdisjoint(("train", ALL))):
        data = load(options, legend=legend)
    if on != ALL and on not in data.splits:
        raise ValueError(f"{data.name} has no {on} images at hand; choose from {', '.join(data.splits)} by `on`")
    return data, on, on


def evaluate(arguments: Arguments, model: PixelRNN, alike: DataOptions | None = None) -> None:
    """Prints the likelihood of a data set as JSON.

    Args:
        arguments: what is asked.
        model: the model.
        alike: the options that other data than the run's own were given, where no flag says otherwise.
    """
    options = arguments.images
    accelerator = join_processes("train/evaluate.py")
    model = model.to(accelerator.device)
    with accelerator.local_main_process_first():  # it decodes for all of its machine
        data, on, why = choose_images(options, arguments.on, model.config.pixel_format.legend)
    ours, theirs = model.config.pixel_format, data.pixel_format
    if (theirs.channels, theirs.levels) != (ours.channels, ours.levels):
        raise ValueError(f"{data.name} has {theirs}, the model {ours}: choose `channels` and `levels`")
    parts, untold = tell(data.splits if on == ALL else {on: data.splits[on]}, data.class_names, model, options)
    prior = None
    if arguments.classify is not None:
        prior = prior_of_labels(arguments.classify, model.config, parts, data.splits.get("train"))
        if any(images.telling.condition != "label" for images in parts.values()):
            raise ValueError(f"`classify` needs the labels of the model, and {data.name} is {untold[0]}")
    if accelerator.is_main_process:
        for note in [*preparation_notes(options, alike), *data.notes, *untold, *size_notes(model, parts)]:
            print(f"{data.name}: {as_flags(note)}", file=sys.stderr)
        of_all = "" if options.streaming else f" of {sum(map(len, data.splits.values()))}"
        print(f"scores {sum(map(len, parts.values()))}{of_all} images of {data.name}: {why}", file=sys.stderr)
    by_order = torch.cat([nats_shared(accelerator, model, images) for images in parts.values()], 1)  # [orders, N]
    nats = mean_over_orders(by_order).tolist()
    values = [value for images in parts.values() for value in images.num_values]
    likelihood = Likelihood.of(nats, values)
    classified = None if prior is None else classify(accelerator, model, parts, prior)
    if accelerator.is_main_process:
        names = model.config.class_names or tuple(map(str, range(model.config.classes)))
        if arguments.per_image is not None:
            write_table(arguments.per_image, parts, nats, values, classified, names)
        result = {
            "data": data.name,
            "split": on,
            "images": likelihood.images,
            "nats_per_image": likelihood.nats_per_image,
            "nats_standard_error": likelihood.nats_error,
            "bits_per_dim": likelihood.bits_per_dim,
            "bits_standard_error": likelihood.bits_error,
        }
        if model.config.orders > 1:
            result["nats_by_order"] = [Likelihood.of(own, values).nats_per_image for own in by_order.tolist()]
        if classified is not None:
            result |= {
                "prior": arguments.classify,
                "accuracy": classified.accuracy,
                "accuracy_standard_error": classified.accuracy_error,
                "calibration_error": classified.calibration_error,
            }
            print(as_flags(confusion_table(classified, names)), file=sys.stderr)
        print(json.dumps(result))
    accelerator.wait_for_everyone()
    accelerator.end_training()


def tell(
    parts: Mapping[str, Images], class_names: tuple[str, ...], model: PixelRNN, options: DataOptions
) -> tuple[dict[str, Images], list[str]]:
    """Has images tell a model what it was trained to be told; says in one line where that cannot be."""
    told = {split: told_as_learned(images, class_names, model.config, options) for split, images in parts.items()}
    notes = dict.fromkeys(note for _, note in told.values() if note is not None)
    return {split: images for split, (images, _) in told.items()}, list(notes)


def preparation_notes(options: DataOptions, alike: DataOptions | None) -> list[str]:
    """Says in one line which options count because the model's own data had them; in none if there are none."""
    taken = [
        f"`{name}` {getattr(options, name)}"
        for name in PREPARATION
        if alike is not None and getattr(options, name) == getattr(alike, name) != getattr(DataOptions(), name)
    ]
    return [f"prepared as what the model was trained on: {', '.join(taken)}"] if taken else []


def size_notes(model: PixelRNN, parts: Mapping[str, Images]) -> list[str]:
    """Says in one line how many images are of quite another size than those trained on; in none if none is."""
    if model.trained_on is None:
        return []
    sizes = [size for images in parts.values() for size in images.sizes.tolist()]
    notes = [note for height, width in sizes if (note := model.trained_on.size_note(height, width))]
    return [f"{len(notes)} of {len(sizes)} images: {notes[0]}"] if notes else []


def write_table(
    path: Path,
    parts: Mapping[str, Images],
    nats: Sequence[float],
    values: Sequence[int],
    classified: Classification | None,
    class_names: Sequence[str],
) -> None:
    """Writes the name, the nats and the bits/dim of each image to a .csv, and what is said of its label."""
    names = []
    for split, images in parts.items():
        prefix = f"{split} " if images.store.names_file is None and split != ALL else ""
        names += [prefix + name for name in images.read_names()]
    with (
        atomic_write(path) as beside,
        beside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        table = csv.writer(file)
        table.writerow(["name", "nats", "bits_per_dim", *([] if classified is None else ["label", "said", "p"])])
        for k, (name, own, count) in enumerate(zip(names, nats, values, strict=True)):
            said = [] if classified is None else classified.row(k, class_names)
            table.writerow([name, own, Likelihood.of([own], [count]).bits_per_dim, *said])


if __name__ == "__main__":
    main(sys.argv[1:])
