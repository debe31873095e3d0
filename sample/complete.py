"""Completes partial images with a trained model.

python sample/complete.py --checkpoint runs/digits --image a.png --known-rows 4 --num 8 --out done.png
python sample/complete.py --image photos --box 8,8,12,12 --particles 64 --out done
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from PIL import Image
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, SamplingOptions, complete
from pixelseq.data.named_files import check_apart, check_names, find_named, name_below
from pixelseq.data.options import parse_range
from pixelseq.data.partial_files import images_below, read_masks
from pixelseq.generation.completion import with_what_is_known
from pixelseq.generation.requests import size_notes, told_in_turn
from pixelseq.imaging.extension import Extension
from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.masks import (
    Mark,
    known_columns,
    known_rows,
    mask_of_size,
    opaque,
    outside_box,
)
from pixelseq.imaging.partial import PartialPicture, read_partial
from pixelseq.imaging.partial_text import PartialText, read_partial_text
from pixelseq.imaging.pictures import completion_sheet, save_levels, save_png
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.imaging.text import TEXT, check_text, save_text, to_text
from pixelseq.imaging.tileset import Tileset, read_tileset
from pixelseq.model.checkpoint import newest
from pixelseq.model.config import MASK
from pixelseq.model.orders import IN_WORDS, ORDERS, check_order, fitting_order, known_late
from pixelseq.runtime.scripts import as_flags, check_out, is_one_file, one_line_errors, parse_flags, set_up_torch

AT_ONCE = 256
"""The most particles that are walked together, unless one completion has more."""

Known = Callable[[Path, Image.Image], Tensor]
"""Gives the mask [H, W] of what is known of a picture and its file."""


@dataclass(frozen=True)
class Arguments:
    """Completes partial images with a trained model. One of --known-rows, --known-cols, --box, --mask and --alpha says
    what is known, or --extend that something is drawn around it; in text maps, without any, ? marks what is not."""

    image: tuple[Path, ...]
    """Pictures of any kind, text maps in the characters of its legend, or folders of them; unknown
    pixels may hold anything."""
    known_rows: int | None = None
    """The first rows are known, the rest is drawn."""
    known_cols: int | None = None
    """The first columns are known, the rest is drawn."""
    box: str | None = None
    """y,x,h,w: a box of h rows and w columns, from row y and column x on, is drawn, the rest is known."""
    mask: Path | None = None
    """A picture of the images' size, in which what is not opaque is drawn, or without transparency what is not white;
    or a .txt, ? = drawn, all else known, or of 0 = drawn and 1 = known; or a folder with a mask of the same name for
    each image."""
    mask_unknown: Mark | None = None
    """What is drawn in pictures of masks of another kind: what is not white (black), not black (white), not opaque
    (transparent), not transparent (opaque) or not gray (coloured)."""
    alpha: bool = False
    """What is not opaque in a picture is drawn, the rest is known."""
    extend: str | None = None
    """top=8,left=8: draws so many pixels beyond these borders, also bottom and right. Alone it says that all of an
    image is known; together with what says otherwise, that is of the image within its borders."""
    grow: int = 0
    """What is drawn reaches so many pixels farther: the soft edges of what was erased are drawn, too."""
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
    label: tuple[str, ...] = ()
    """Class of the images, by its name or number, for a net that was trained with --condition label; of several, one
    for each image in turn."""
    prompt: tuple[str, ...] = ()
    """Sentence that says what the images show, for a net that was trained with --condition text; of several, one for
    each image in turn."""
    order: int | Literal["auto"] = "auto"
    """Raster order that pixels are drawn in, for a net that was trained with --orders; by default for each image the
    one in which the most known pixels come before the first unknown one."""
    format: Literal["png", "npy", "txt"] | None = None
    """Of the files in a folder: pictures, integer levels or text; by default what the images are, pictures or text."""
    range: str | None = None
    """LOW,HIGH: the values that are black and white in pictures of more than 8 bits; by default those of training."""
    max_pixels: int = MAX_PIXELS
    """The most pixels of a picture that is read."""
    tileset: Path | None = None
    """A folder of pictures to draw levels in, as of sample/run.py."""
    out: Path = Path("completions.png")
    """A .png for one sheet of all completions as the model sees them, a .txt for all as text, or a folder with the
    sheet and a file of each."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        run(parse_flags(Arguments, arguments))


def run(arguments: Arguments) -> None:
    """Completes the pictures that are named, and writes the completions."""
    check_out(arguments.out, TEXT if arguments.out.suffix == TEXT else ".png")
    if is_one_file(arguments.out) and arguments.format not in (None, arguments.out.suffix[1:]):
        raise ValueError(f"`format` is {arguments.format}, of the files in a folder; `out` is {arguments.out}")
    if arguments.max_pixels < 1:
        raise ValueError(f"`max_pixels` is {arguments.max_pixels}; it must be at least 1")
    paths = pictures_of(arguments)
    extension = Extension() if arguments.extend is None else Extension.parse(arguments.extend)
    known = known_part(arguments, paths)
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    pixel_format = model.config.pixel_format
    made = model.trained_on.preprocessing if model.trained_on else Preprocessing()
    if arguments.range is not None:
        made = replace(made, value_range=parse_range(arguments.range))
    if TEXT in (f".{arguments.format}", arguments.out.suffix):
        check_text(pixel_format)
    tiles = None if arguments.tileset is None else read_tileset(arguments.tileset, pixel_format)
    pictures = read_pictures(paths, known, extension, pixel_format, made, arguments)
    if not is_one_file(arguments.out):
        check_names([picture.path for picture in pictures], arguments.image, "completions")
    check_known(pictures)
    orders = choose_orders(pictures, model.config, arguments)
    told = told_in_turn(model.config, len(pictures), arguments.label, arguments.prompt)
    each = [told and told.select(torch.tensor([k])) for k in range(len(pictures))]
    for picture, own in zip(pictures, each, strict=True):
        everything = with_what_is_known(model.config, picture.levels[None], picture.known[None], own)
        (everything or Condition()).check(model.config)
    sizes = [(picture.path, (picture.known.shape[0], picture.known.shape[1])) for picture in pictures]
    for note in size_notes(model.trained_on, sizes):
        print(note)
    if arguments.alpha and pixel_format.channels == 4:
        print("the model draws transparency, too: what is transparent on purpose is drawn anew; a --mask can spare it")
    completions = [
        complete_in_parts(model, picture, each[k], order, arguments, first_index=k * arguments.num)
        for k, (picture, order) in enumerate(zip(pictures, orders, strict=True))
    ]
    write(pictures, completions, arguments, pixel_format, tiles)
    print(f"wrote {arguments.num} completions of {len(pictures)} images to {arguments.out}")


def read_pictures(
    paths: list[Path],
    known: Known | None,
    extension: Extension,
    pixel_format: PixelFormat,
    made: Preprocessing,
    arguments: Arguments,
) -> list[PartialPicture | PartialText]:
    """Reads pictures and text maps, of which parts are known, and extends them.

    Args:
        paths: their files.
        known: says what is known of each; None where text says it, and pictures are known.
        extension: what is to be drawn beyond their borders.
        pixel_format: the format of what the model draws.
        made: what training made of pictures.
        arguments: what is asked.
    """
    pictures: list[PartialPicture | PartialText] = []

    def grown_part(path: Path, picture: Image.Image) -> Tensor:
        return extension.grown((known or everything)(path, picture), arguments.grow)

    for path in paths:
        if path.suffix.lower() != TEXT:
            pictures.append(read_partial(path, pixel_format, partial(grown_part, path), made, arguments.max_pixels))
        elif arguments.alpha:
            raise ValueError(f"`alpha` is for pictures; {path} is text")
        elif known is None:
            maps = read_partial_text(path, pixel_format, None, unmarked=arguments.extend is not None)
            pictures += [replace(one, known=extension.grown(one.known, arguments.grow)) for one in maps]
        else:
            pictures += read_partial_text(path, pixel_format, partial(grown_part, path))
    if arguments.extend is None:
        return pictures
    if made.resize is not None:
        height, width = made.resize
        print(f"pictures are extended by pixels of the size that they are resized to, {height}x{width}")
    return [picture.extended(extension, arguments.max_pixels) for picture in pictures]


def check_known(pictures: list[PartialPicture | PartialText]) -> None:
    """Says how pictures are read.

    Raises:
        ValueError: nothing of a picture is unknown.
    """
    for picture in pictures:
        if picture.known.all():
            raise ValueError(f"{picture.path}: nothing of it is unknown, so there is nothing to draw")
        if not picture.known.any():
            print(f"nothing is known of {picture.path}: its completions are samples")
    say([(picture.path, as_flags(picture.note)) for picture in pictures if picture.note])


def say(notes: list[tuple[Path, str]]) -> None:
    """Says each note once, with the first of the files that it is of."""
    for note in dict.fromkeys(note for _, note in notes):
        first, *others = [path for path, other in notes if other == note]
        more = f" and {len(others)} more" if others else ""
        print(f"{first}{more}: {note}")


def choose_orders(pictures: list[PartialPicture | PartialText], config: ModelConfig, arguments: Arguments) -> list[int]:
    """Chooses the order that each picture is completed in, and says which, and what known pixels it leaves unused.

    Raises:
        ValueError: the model does not have the order that is asked for.
    """
    asked, orders = arguments.order, config.orders
    if asked != "auto":
        check_order(asked, orders)
    masks = [picture.known for picture in pictures]
    chosen = fitting(masks, orders) if asked == "auto" else [asked] * len(masks)
    if orders > 1:
        drawn = [f"drawn {IN_WORDS[order]} (order {order})" for order in chosen]
        say([(picture.path, note) for picture, note in zip(pictures, drawn, strict=True)])
    if config.context is not None and config.context.degradation == MASK:
        print("the model is told all that is known, on all sides, before it draws")
        return chosen
    late = late_pixels(masks, chosen)
    if late and arguments.particles == 1:
        known = sum(int(mask.sum()) for mask in masks)
        remedies = {"with --order auto": late_pixels(masks, fitting(masks, orders))} if asked != "auto" else {}
        remedies |= {f"in a net of {n} orders": late_pixels(masks, fitting(masks, n)) for n in ORDERS if n > orders}
        best = min(remedies, key=lambda name: remedies[name], default="")
        more = ""
        if best and (left := remedies[best]) < late:
            more = f", and {best} they have" if left == 0 else f", and {best} all but {left} have"
        print(
            f"{late} of {known} known pixels come after unknown ones in the order of drawing and have no influence on "
            f"those; with --particles 16 they have{more}"
        )
    return chosen


def fitting(masks: list[Tensor], orders: int) -> list[int]:
    """Chooses of so many orders the one for each mask [H, W]."""
    return [int(fitting_order(mask, orders)) for mask in masks]


def late_pixels(masks: list[Tensor], orders: list[int]) -> int:
    """Counts the known pixels of masks [H, W] that come after unknown ones, each in an order of its own."""
    return sum(int(known_late(mask, order)) for mask, order in zip(masks, orders, strict=True))


def complete_in_parts(
    model: PixelRNN,
    picture: PartialPicture | PartialText,
    told: Condition | None,
    order: int,
    arguments: Arguments,
    first_index: int,
) -> Tensor:
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
            condition=told,
            order=order,
            first_index=first_index + done,
        )[0].cpu()
        for done in range(0, max(1, arguments.num), at_once)
    ]
    return torch.cat(parts)


def write(
    pictures: list[PartialPicture | PartialText],
    completions: list[Tensor],
    arguments: Arguments,
    pixel_format: PixelFormat,
    tiles: Tileset | None,
) -> None:
    """Writes the sheet or the text of completions, each [num, C, H, W], and in a folder one file each beside it."""
    out = arguments.out
    if out.suffix == TEXT:
        save_text("\n".join(to_text(one, pixel_format) for completed in completions for one in completed), out)
        return
    levels, known = [picture.levels for picture in pictures], [picture.known for picture in pictures]
    sheet = completion_sheet(levels, known, completions, pixel_format, tiles)
    save_png(sheet, out if is_one_file(out) else out / "sheet.png")
    if not is_one_file(out):
        for picture, completed in zip(pictures, completions, strict=True):
            modes: Counter[str] = Counter()
            for n, completion in enumerate(completed):
                name = arguments.format or ("txt" if isinstance(picture, PartialText) else "png")
                path = out / f"{name_below(picture.path, arguments.image)}-{n}.{name}"
                match name:
                    case "txt":
                        save_text(to_text(completion, pixel_format), path)
                    case "npy":
                        save_levels(completion, pixel_format, path)
                    case "png":
                        filled = tiles.draw(completion) if tiles else picture.filled(completion)
                        save_png(filled, path)
                        modes[filled.mode] += 1
            if isinstance(picture, PartialPicture) and not tiles:
                own = picture.own.mode
                for mode in sorted(modes.keys() - {own}):
                    print(f"{picture.path}: {modes[mode]} completions are {mode}, since {own} lacks what was drawn")


def pictures_of(arguments: Arguments) -> list[Path]:
    """Gives the files that --image names, folders replaced by the pictures or text maps in them."""
    paths, notes = find_named(arguments.image, images_below, ["text maps"])
    for note in notes:
        print(note)
    masks = [] if arguments.mask is None else [arguments.mask]
    check_apart(arguments.out, paths, arguments.image, masks, "pictures or masks")
    return paths


def known_part(arguments: Arguments, paths: list[Path]) -> Known | None:
    """Makes of the flags a function that gives a picture's mask [H, W] of what is known; None where none says it."""
    ways: dict[str, Known] = {}
    if (rows := arguments.known_rows) is not None:
        ways["`known_rows`"] = lambda _, picture: known_rows(rows, picture.height, picture.width)
    if (columns := arguments.known_cols) is not None:
        ways["`known_cols`"] = lambda _, picture: known_columns(columns, picture.height, picture.width)
    if (box := arguments.box) is not None:
        ways["`box`"] = lambda _, picture: outside_box(box, picture.height, picture.width)
    if arguments.mask is not None:
        masks, notes = read_masks(arguments.mask, arguments.mask_unknown, paths, arguments.max_pixels)
        for note in notes:
            print(as_flags(note))
        ways["`mask`"] = lambda path, picture: mask_of_size(masks[path], picture.height, picture.width)
    elif arguments.mask_unknown is not None:
        raise ValueError(f"`mask_unknown` is {arguments.mask_unknown}, of masks; name a `mask`")
    if arguments.alpha:
        ways["`alpha`"] = lambda _, picture: opaque(picture)
    if not ways and (arguments.extend is not None or all(path.suffix.lower() == TEXT for path in paths)):
        return None
    if len(ways) != 1:
        found = " and ".join(ways) or "nothing"
        expected = "`known_rows`, `known_cols`, `box`, `mask`, `alpha`, `extend`"
        raise ValueError(f"say what is known: one of {expected}, not {found}")
    (way,) = ways.values()
    return way


def everything(_: Path, picture: Image.Image) -> Tensor:
    """Gives the mask [H, W] of a picture of which everything is known."""
    return known_rows(picture.height, picture.height, picture.width)


if __name__ == "__main__":
    main(sys.argv[1:])
