"""Draws images given others with a model that was trained to: restores, enlarges, colours, cleans or restyles them.

python sample/redraw.py --checkpoint runs/enlarge --image small.png --num 4 --out redrawn.png
python sample/redraw.py --checkpoint runs/enlarge --image photos --like-training --out redrawn

A .png of one picture of which one image is drawn is that image in its own size, written row by row as it is drawn.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, SamplingOptions, stream
from pixelseq.data.degradations import Degradation
from pixelseq.data.given_pictures import GivenPicture, read_degraded, read_given
from pixelseq.data.named_files import check_apart, check_names, find_named, name_below
from pixelseq.data.options import parse_range
from pixelseq.data.store import DEGRADED_ONCE, generator
from pixelseq.generation.requests import redraw, size_notes, told_in_turn
from pixelseq.generation.strip import write_strip
from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.measures import check_measures
from pixelseq.imaging.pictures import check_pictures, redrawn_sheet, save_png, to_picture
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.checkpoint import newest
from pixelseq.model.inputs import whole_number
from pixelseq.runtime.scripts import check_out, is_one_file, one_line_errors, parse_flags, set_up_torch
from pixelseq.training.redrawing import Redrawn, measure


@dataclass(frozen=True)
class Arguments:
    """Draws images given others with a model that was trained to: restores, enlarges, colours, cleans or restyles
    them."""

    image: tuple[Path, ...]
    """Pictures of any kind, or folders of them."""
    as_given: bool = False
    """The pictures are what the model is given: small, gray, noisy ones. This is so by default."""
    like_training: bool = False
    """The pictures are originals: they are made small, gray or noisy as training did, then drawn anew, and what is
    drawn is compared with them, beside what a plain method makes of the same."""
    num: int = 4
    """Number of images per picture."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Image n of picture k depends on the seed and k * num + n alone, and its degradation on the seed and k."""
    sampling: Annotated[SamplingOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=SamplingOptions)
    """How levels are drawn."""
    label: tuple[str, ...] = ()
    """Class of the images, by its name or number, for a net that was trained with --condition label; of several, one
    for each picture in turn."""
    prompt: tuple[str, ...] = ()
    """Sentence that says what the images show, for a net that was trained with --condition text; of several, one for
    each picture in turn."""
    guidance: float = 0.0
    """Above 0, images are drawn as if what they are told, the pictures too, were told more strongly."""
    order: int = 0
    """Raster order that pixels are drawn in, for a net that was trained with --orders."""
    range: str | None = None
    """LOW,HIGH: the values that are black and white in pictures of more than 8 bits; by default those of training."""
    max_pixels: int = MAX_PIXELS
    """The most pixels of a picture that is read, or drawn of a smaller one."""
    out: Path = Path("redrawn.png")
    """A .png for one sheet of all that is given and drawn, or a folder with the sheet and a file of each image."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        run(parse_flags(Arguments, arguments))


def run(arguments: Arguments) -> None:
    """Draws images given the pictures that are named, writes them, and measures them where originals are known."""
    check_out(arguments.out)
    if arguments.as_given and arguments.like_training:
        raise ValueError("`as_given` and `like_training` exclude each other; give one of them")
    if arguments.like_training:
        check_measures()
    for name in ("num", "max_pixels"):
        whole_number(getattr(arguments, name), name)
    paths, notes = find_named(arguments.image)
    check_apart(arguments.out, paths, arguments.image)
    if not is_one_file(arguments.out):
        check_names(paths, arguments.image, "drawn images")
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    config, given_format = model.config, given_format_of(model.config, arguments)
    made = model.trained_on.preprocessing if model.trained_on else Preprocessing()
    if arguments.range is not None:
        made = replace(made, value_range=parse_range(arguments.range))
    pictures = read_pictures(paths, config, made, arguments)
    told = told_in_turn(config, len(pictures), arguments.label, arguments.prompt) or Condition()
    each = [
        replace(told.select(torch.tensor([k])), image=picture.levels[None], image_known=picture.known[None])
        for k, picture in enumerate(pictures)
    ]
    for condition in each:
        condition.check(config)
    for note in (*notes, *size_notes(model.trained_on, [(picture.path, picture.size) for picture in pictures])):
        print(note)
    if arguments.like_training and made.binarize:
        print("in training shades were drawn as black or white; here each is the nearer one")

    alone = len(pictures) == arguments.num == 1 and is_one_file(arguments.out) and not arguments.like_training
    seed, options, guidance = arguments.seed, arguments.sampling, arguments.guidance
    if alone and arguments.order == 0:
        height, width = pictures[0].size
        rows = stream(model, 1, width, seed, options, condition=each[0], guidance=guidance)
        write_strip(rows, height, config.pixel_format, arguments.out)
        return
    begun = time.perf_counter()
    given = [(picture.levels, picture.known) for picture in pictures]
    drawn = redraw(
        model,
        given,
        arguments.num,
        seed,
        options,
        progress=True,
        condition=told,
        order=arguments.order,
        guidance=guidance,
    )
    seconds = time.perf_counter() - begun
    if alone:
        save_png(to_picture(drawn[0][0], config.pixel_format), arguments.out)
    else:
        write(pictures, drawn, given_format, config.pixel_format, arguments)
    print(f"wrote {arguments.num} images of each of {len(pictures)} pictures to {arguments.out}")
    if arguments.like_training:
        measured = measure(model, pictures, drawn, told)
        for picture, one in zip(pictures, measured, strict=True):
            print(f"{picture.path}: {one}")
        mean = Redrawn.mean(measured)
        print(f"mean of {len(measured)}: {mean}")
        print(json.dumps({**mean.by_name, "images": len(measured), "seconds": round(seconds, 3)}))


def given_format_of(config: ModelConfig, arguments: Arguments) -> PixelFormat:
    """Gives the format of what the model is given.

    Raises:
        ValueError: it is given nothing, nothing that can be made of pictures as is asked, or no pictures.
    """
    if config.context is None:
        raise ValueError("the model knows no condition images; train one with `condition_image`")
    degradation = config.context.degradation
    if arguments.like_training and not degradation:
        raise ValueError(
            "`like_training` is given, and the model's condition images came from elsewhere: no degradation makes them "
            "of originals"
        )
    if not arguments.like_training and degradation and Degradation.parse(degradation).masks:
        raise ValueError(
            f"the model was trained on the degradation {degradation}, and pictures do not say what is missing of them; "
            "use sample/complete.py, or `like_training`"
        )
    check_pictures(config.pixel_format)
    check_pictures(config.context.pixel_format)
    return config.context.pixel_format


def read_pictures(
    paths: list[Path], config: ModelConfig, made: Preprocessing, arguments: Arguments
) -> list[GivenPicture]:
    """Reads pictures, or degrades them as training did, which prepared them as `made` says."""
    context, most = config.context, arguments.max_pixels
    assert context is not None
    degradation = Degradation.parse(context.degradation) if context.degradation else None
    if not arguments.like_training:
        factor = degradation.factor if degradation else 1
        return [read_given(path, context.pixel_format, factor, made, most) for path in paths]
    assert degradation is not None
    degradation.format_of(config.pixel_format)  # which says what does not suit it
    if made.resize is not None:
        print(f"pictures are resized to {made.resize[0]}x{made.resize[1]}, as in training")
    return [
        read_degraded(
            path, config.pixel_format, degradation, generator(arguments.seed, 0, k, DEGRADED_ONCE), made, most
        )
        for k, path in enumerate(paths)
    ]


def write(
    pictures: list[GivenPicture],
    drawn: list[Tensor],
    given_format: PixelFormat,
    pixel_format: PixelFormat,
    arguments: Arguments,
) -> None:
    """Writes the sheet of what is given and drawn, each [num, C, H, W], and in a folder one file each beside it."""
    out = arguments.out
    given, known = [picture.levels for picture in pictures], [picture.known for picture in pictures]
    originals = [picture.original for picture in pictures]
    sheet = redrawn_sheet(given, known, given_format, drawn, originals, pixel_format)
    save_png(sheet, out if is_one_file(out) else out / "sheet.png")
    if not is_one_file(out):
        for picture, images in zip(pictures, drawn, strict=True):
            for n, image in enumerate(images):
                name = f"{name_below(picture.path, arguments.image)}-{n}.png"
                save_png(to_picture(image, pixel_format), out / name)


if __name__ == "__main__":
    main(sys.argv[1:])
