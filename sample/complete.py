"""Completes partial images with a trained model.

python sample/complete.py --checkpoint runs/digits --image a.png --known-rows 4 --num 8 --out done.png
python sample/complete.py --image photos --box 8,8,12,12 --particles 64 --out done
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from PIL import Image
from torch import Tensor

from pixelseq import PixelRNN, SamplingOptions, complete
from pixelseq.data.files import pictures_in
from pixelseq.imaging.masks import known_columns, known_rows, mask_of_size, opaque, outside_box, read_mask
from pixelseq.imaging.partial import PartialPicture, read_partial
from pixelseq.imaging.pictures import completion_sheet, save_png
from pixelseq.imaging.read import SUFFIXES
from pixelseq.model.checkpoint import newest
from pixelseq.runtime.scripts import check_out, is_sheet, one_line_errors, parse_flags, set_up_torch

AT_ONCE = 256
"""The most particles that are walked together, unless one completion has more."""


@dataclass(frozen=True)
class Arguments:
    """Completes partial images with a trained model. One of --known-rows, --known-cols, --box, --mask and --alpha says
    what is known."""

    image: tuple[Path, ...]
    """Pictures, or folders of pictures, in the channels of the model; unknown pixels may hold anything."""
    known_rows: int | None = None
    """The first rows are known, the rest is drawn."""
    known_cols: int | None = None
    """The first columns are known, the rest is drawn."""
    box: str | None = None
    """y,x,h,w: a box of h rows and w columns, from row y and column x on, is drawn, the rest is known."""
    mask: Path | None = None
    """A picture of the images' size: white = known, black = drawn."""
    alpha: bool = False
    """What is transparent in a picture is drawn, the rest is known."""
    num: int = 8
    """Number of completions per image."""
    particles: int = 1
    """Particles: with more than 1, known pixels after a drawn one count too; more are more exact and slower."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Completion n of image b depends on the seed and b * num + n alone."""
    sampling: Annotated[SamplingOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=SamplingOptions)
    """How levels are drawn."""
    out: Path = Path("completions.png")
    """A .png for one sheet of all completions as the model sees them, or a folder with it and a .png of each."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        run(parse_flags(Arguments, arguments))


def run(arguments: Arguments) -> None:
    """Completes the pictures that are named, and writes the completions."""
    check_out(arguments.out)
    known_of = known_part(arguments)
    paths = pictures_of(arguments)
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    pictures = [read_partial(path, model.config.pixel_format, known_of) for path in paths]
    for picture in pictures:
        if picture.note:
            print(picture.note)
        if not picture.known.any():
            print(f"nothing is known of {picture.path}: its completions are samples")
    completions = [
        complete_in_parts(model, picture, arguments, first_index=k * arguments.num)
        for k, picture in enumerate(pictures)
    ]
    write(pictures, completions, model, arguments.out)
    print(f"wrote {arguments.num} completions of {len(pictures)} images to {arguments.out}")


def complete_in_parts(model: PixelRNN, picture: PartialPicture, arguments: Arguments, first_index: int) -> Tensor:
    """Draws the completions [num, C, H, W] of a picture, a part of them at a time."""
    at_once = max(1, AT_ONCE // max(1, arguments.particles))
    parts = [
        complete(
            model,
            picture.levels[None],
            picture.known,
            min(at_once, arguments.num - done),
            arguments.seed,
            arguments.sampling,
            progress=True,
            particles=arguments.particles,
            first_index=first_index + done,
        )[0].cpu()
        for done in range(0, max(1, arguments.num), at_once)
    ]
    return torch.cat(parts)


def write(pictures: list[PartialPicture], completions: list[Tensor], model: PixelRNN, out: Path) -> None:
    """Writes the sheet of completions, each [num, C, H, W], and in a folder one file per completion beside it."""
    levels, known = [picture.levels for picture in pictures], [picture.known for picture in pictures]
    sheet = completion_sheet(levels, known, completions, model.config.pixel_format)
    save_png(sheet, out if is_sheet(out) else out / "sheet.png")
    if not is_sheet(out):
        for picture, completed in zip(pictures, completions, strict=True):
            for n, completion in enumerate(completed):
                save_png(picture.filled(completion), out / f"{picture.path.stem}-{n}.png")


def pictures_of(arguments: Arguments) -> list[Path]:
    """Gives the files that --image names, folders replaced by the pictures in them."""
    paths: list[Path] = []
    for path in arguments.image:
        files, notes = pictures_in(path) if path.is_dir() else ([path], [])
        for note in notes:
            print(f"{path}: {note}")
        if not files:
            raise ValueError(f"the folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        paths += files
    if not paths:
        raise ValueError("`image` names no pictures")
    out = arguments.out.resolve()
    if out in {path.resolve() for path in (*paths, *([arguments.mask] if arguments.mask else []))}:
        raise ValueError(f"`out` is {arguments.out}, which is read; give another name")
    folders = (
        {path.resolve() for path in arguments.image} if is_sheet(out) else {path.resolve().parent for path in paths}
    )
    if (out.parent if is_sheet(out) else out) in folders:
        raise ValueError(f"`out` is {arguments.out}, where the pictures are; give another folder")
    if not is_sheet(out) and len({path.stem for path in paths}) < len(paths):
        raise ValueError("two pictures have one name, so their completions would too; complete them one by one")
    return paths


def known_part(arguments: Arguments) -> Callable[[Image.Image], Tensor]:
    """Makes of the flags a function that gives a picture's mask [H, W] of what is known."""
    ways: dict[str, Callable[[Image.Image], Tensor]] = {}
    if (rows := arguments.known_rows) is not None:
        ways["`known_rows`"] = lambda picture: known_rows(rows, picture.height, picture.width)
    if (columns := arguments.known_cols) is not None:
        ways["`known_cols`"] = lambda picture: known_columns(columns, picture.height, picture.width)
    if (box := arguments.box) is not None:
        ways["`box`"] = lambda picture: outside_box(box, picture.height, picture.width)
    if arguments.mask is not None:
        mask = read_mask(arguments.mask)
        ways["`mask`"] = lambda picture: mask_of_size(mask, picture.height, picture.width)
    if arguments.alpha:
        ways["`alpha`"] = opaque
    if len(ways) != 1:
        found = " and ".join(ways) or "nothing"
        expected = "`known_rows`, `known_cols`, `box`, `mask`, `alpha`"
        raise ValueError(f"say what is known: one of {expected}, not {found}")
    return next(iter(ways.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
