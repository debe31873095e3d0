"""Samples images from a trained model, in raster order, of any height and width.

python sample/run.py --checkpoint runs/digits --num 16 --height 40 --out samples.png

A side that is not given is that of the training images. One file holds all images: a .png is a sheet of them,
magnified; a .npy their levels [N, C, H, W]; a .txt one after the other, an empty line between. A folder gets one file
per image: a .png in its own size, a .npy [C, H, W], a .txt.

python sample/run.py --checkpoint runs/digits --num 1 --height 100000 --width 32 --out strip.png

A .png of one image is that image in its own size, written row by row in constant memory. Ctrl-C, SIGTERM and a full
disk leave the rows so far.

python sample/run.py --checkpoint runs/small --then runs/enlarge --then runs/enlarge

draws small images, and given these larger ones, twice.

torchrun --standalone --nproc_per_node 2 -- sample/run.py ...

splits the images over processes, as `accelerate launch` does over GPUs; they are the same. The dashes keep torchrun
from reading --num.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, SamplingOptions, sample, stream
from pixelseq.data.degradations import Degradation
from pixelseq.generation.multiscale import Stage, check_stages, enlarge
from pixelseq.generation.strip import write_strip
from pixelseq.imaging.animation import check_frames, frames, save_animation
from pixelseq.imaging.pictures import check_pictures, sample_sheet, save_levels, save_png, to_picture
from pixelseq.imaging.text import check_text, save_text, to_text
from pixelseq.imaging.tileset import Tileset, read_tileset
from pixelseq.model.checkpoint import newest
from pixelseq.model.inputs import whole_number
from pixelseq.model.told import condition_of, label_numbers
from pixelseq.runtime.processes import LONGEST_WAIT, check_environment, check_processes
from pixelseq.runtime.scripts import check_out, one_line_errors, parse_flags, set_up_torch

BATCH = 256
SHEET_COLUMNS = 16
PER_NAME = 8
"""The images of each class or text by default, where several are named."""
TALL = 4096
"""The most rows of which 16 images are drawn by default; of taller images, one is."""


@dataclass(frozen=True)
class Arguments:
    """Samples images from a trained model, in raster order, of any height and width."""

    height: int | None = None
    """Rows of each image; those of a usual training image where none are given."""
    width: int | None = None
    """Columns of each image; those of a usual training image where none are given."""
    num: int | None = None
    """Number of images, sampled 256 at a time; by default 16, or 8 of each of several classes or texts, and 1 where
    they have more than 4096 rows."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    then: Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction] = ()
    """Nets that draw larger images given those of the net before, one after the other: they were trained with
    --condition-image lowres:2 or another factor. The height, width, order and guidance are those of the first net."""
    seed: int = 0
    """Image k depends on the seed and k alone."""
    sampling: Annotated[SamplingOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=SamplingOptions)
    """How levels are drawn."""
    label: tuple[str, ...] = ()
    """Class of the images, by its name or number, for a net that was trained with --condition label; of several, each
    in turn; all for every class. A sheet has a row for each."""
    prompt: tuple[str, ...] = ()
    """Sentence that says what the images show, for a net that was trained with --condition text; of several, each in
    turn."""
    guidance: float = 0.0
    """Above 0, images are drawn as if what they are told were told more strongly."""
    order: int = 0
    """Raster order that pixels are drawn in, for a net that was trained with --orders."""
    format: Literal["png", "npy", "txt"] = "png"
    """png pictures; npy integer levels; txt one line per row, one character per level (models with a legend)."""
    out: Path | None = None
    """A file of the format for all images, or a folder for one file per image; samples.FORMAT where none is given."""
    tileset: Path | None = None
    """A folder of pictures to draw images in, one per level: named for its character in the legend (#.png) or the code
    point of that (U+0023.png), or where there is no legend for its number (3.png)."""
    animate: Path | None = None
    """A .webp that shows the images being drawn, too."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        run(parse_flags(Arguments, arguments))


def run(arguments: Arguments) -> None:
    """Samples the images that are asked for, and writes them."""
    from accelerate import PartialState
    from accelerate.utils import gather_object

    suffix = f".{arguments.format}"
    out = arguments.out or Path(f"samples{suffix}")
    check_out(out, suffix)
    for name in ("num", "height", "width"):
        if (value := getattr(arguments, name)) is not None:
            whole_number(value, name)
    if arguments.tileset is not None and arguments.format != "png" and arguments.animate is None:
        raise ValueError(f"`tileset` is for pictures; `format` is {arguments.format}")
    check_environment()
    process = PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_WAIT)
    check_processes(process.num_processes, "-- sample/run.py")
    device = set_up_torch(alone=process.num_processes == 1)
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(device)
    height, width = size_of(model, arguments)
    stages = [stage_of(name, device) for name in chain.from_iterable(arguments.then)]
    scale = math.prod(stage.factor for stage in stages)
    asked = names_of(model.config, arguments)
    num = arguments.num if arguments.num is not None else 1 if height * scale > TALL else PER_NAME * len(asked) or 16
    told = condition_of(model.config, arguments.label, num, arguments.prompt)
    (told or Condition()).check(model.config)
    stages = [replace(stage, told=told_as_known(stage.model.config, num, arguments)) for stage in stages]
    check_stages(model, stages)
    pixel_format = [model, *(stage.model for stage in stages)][-1].config.pixel_format
    check_format(pixel_format, arguments.format, arguments.animate is not None)
    tiles = None if arguments.tileset is None else read_tileset(arguments.tileset, pixel_format)
    if arguments.animate is not None:
        check_animation(arguments.animate, num, height * scale, width * scale, tiles)
    if process.is_main_process:
        for note in notes_of_stages(stages, height, width):
            print(note)

    alone = num == 1 and out.suffix == ".png" and arguments.animate is None
    if alone and arguments.order == 0 and not stages:
        if process.is_main_process:
            seed, options, guidance = arguments.seed, arguments.sampling, arguments.guidance
            drawn = stream(model, 1, width, seed, options, condition=told, guidance=guidance)
            write_strip(drawn, height, pixel_format, out, tiles)
        return
    others = other_files(out, [f"{k:05}{suffix}" for k in range(num)])
    kept = []
    with process.split_between_processes(list(range(num))) as share:
        for part in (share[k : k + BATCH] for k in range(0, len(share), BATCH)):
            images = sample(
                model,
                len(part),
                height,
                width,
                arguments.seed,
                arguments.sampling,
                progress=process.is_main_process,
                condition=told and told.select(torch.tensor(part)),
                order=arguments.order,
                guidance=arguments.guidance,
                first_index=part[0],
            )
            own = [stage.select(torch.tensor(part)) for stage in stages]
            images = enlarge(
                own,
                images,
                arguments.seed,
                arguments.sampling,
                progress=process.is_main_process,
                first_index=part[0],
            )
            if out.suffix == suffix or arguments.animate:
                kept.append(images.cpu())
            if out.suffix != suffix:
                for k, image in zip(part, images, strict=True):
                    write_one(image, pixel_format, out / f"{k:05}{suffix}", tiles)
    kept = gather_object(kept)  # in the order of processes, which is that of images
    if process.is_main_process:
        if out.suffix == suffix:
            write_all(torch.cat(kept), pixel_format, out, tiles, asked)
        print(f"wrote {num} images to {out}")
        if others:
            files = "1 other file" if len(others) == 1 else f"{len(others)} other files"
            print(f"{out} holds {files}, too, such as {others[0]}; this command did not make them")
        if arguments.animate:
            pictures = frames(torch.cat(kept), pixel_format, SHEET_COLUMNS, tiles)
            save_animation(pictures, arguments.animate)
            print(f"wrote their drawing in {len(pictures)} frames to {arguments.animate}")
    process.wait_for_everyone()
    process.destroy_process_group()


def size_of(model: PixelRNN, arguments: Arguments) -> tuple[int, int]:
    """Gives the rows and columns to draw: those asked for, or those of a usual training image.

    Raises:
        ValueError: neither is known.
    """
    height, width = arguments.height, arguments.width
    if height is not None and width is not None:
        return height, width
    if model.trained_on is None:
        raise ValueError("the model does not say which size it was trained on; give `height` and `width`")
    usual_height, usual_width = model.trained_on.size
    return height or usual_height, width or usual_width


def stage_of(name: str, device: torch.device) -> Stage:
    """Loads a net that draws larger images given small ones.

    Raises:
        ValueError: it is none that was trained on enlarging alone.
    """
    model = PixelRNN.from_pretrained(name).to(device)
    context = model.config.context
    degradation = context.degradation if context is not None else ""
    factor = Degradation.parse(degradation).factor if re.fullmatch(r"lowres:\d+", degradation) else 1
    if factor == 1:
        found = "no condition images" if context is None else "condition images from elsewhere"
        found = f"the degradation {degradation}" if degradation else found
        raise ValueError(f"`then` names {name}, which knows {found}; expected a net of `condition_image` lowres:2, say")
    return Stage(name, model, factor)


def told_as_known(config: ModelConfig, num: int, arguments: Arguments) -> Condition | None:
    """Makes what a net that draws larger images is told of labels and texts: those kinds that it knows."""
    labels = arguments.label if config.classes else ()
    return condition_of(config, labels, num, arguments.prompt if config.text_encoder else ())


def notes_of_stages(stages: Sequence[Stage], height: int, width: int) -> list[str]:
    """Says of which stages the images, of the first net's size at first, are of quite another size than trained on."""
    notes = []
    for stage in stages:
        height, width = height * stage.factor, width * stage.factor
        trained_on = stage.model.trained_on
        if trained_on is not None and (note := trained_on.size_note(height, width)):
            notes.append(f"{stage.name}: {note}")
    return notes


def names_of(config: ModelConfig, arguments: Arguments) -> list[str]:
    """Gives the names of what the images take turns to show, where that is several things."""
    numbers = label_numbers(config, arguments.label) if arguments.label else []
    names = [config.class_names[k] if config.class_names else str(k) for k in numbers] or list(arguments.prompt)
    return names if len(names) > 1 else []


def other_files(folder: Path, ours: list[str]) -> list[str]:
    """Gives the names of the files in a folder, if it is one, that are none of ours."""
    return sorted(path.name for path in folder.iterdir() if path.name not in ours) if folder.is_dir() else []


def check_animation(path: Path, num: int, height: int, width: int, tiles: Tileset | None) -> None:
    """Raises ValueError, before any work is done, where `path` cannot be an animation of such images."""
    if path.suffix != ".webp":
        raise ValueError(f"`animate` is {path}; give a .webp")
    check_out(path, ".webp", "animate")
    if tiles is not None:
        height, width = height * tiles.height, width * tiles.width
    check_frames(num, height, width, SHEET_COLUMNS)


def check_format(pixel_format: PixelFormat, name: str, animated: bool) -> None:
    """Raises ValueError, before any work is done, where the model's images cannot be written in that format."""
    if name == "png" or animated:
        check_pictures(pixel_format)
    if name == "txt":
        check_text(pixel_format)


def write_all(
    images: Tensor, pixel_format: PixelFormat, path: Path, tiles: Tileset | None, names: Sequence[str]
) -> None:
    """Writes images [N, C, H, W], which take turns to show what is named, to one file of the format of its suffix."""
    match path.suffix:
        case ".png" if len(images) == 1:
            write_one(images[0], pixel_format, path, tiles)
        case ".png":
            save_png(sample_sheet(images, pixel_format, SHEET_COLUMNS, tiles, names), path)
        case ".npy":
            save_levels(images, pixel_format, path)
        case ".txt":
            save_text("\n".join(to_text(image, pixel_format) for image in images), path)


def write_one(image: Tensor, pixel_format: PixelFormat, path: Path, tiles: Tileset | None) -> None:
    """Writes an image [C, H, W] to a file of the format that its suffix names."""
    match path.suffix:
        case ".png":
            save_png(to_picture(image, pixel_format, tiles), path)
        case ".npy":
            save_levels(image, pixel_format, path)
        case ".txt":
            save_text(to_text(image, pixel_format), path)


if __name__ == "__main__":
    main(sys.argv[1:])
