"""Completes partial images with a trained model.

python sample/complete.py --checkpoint runs/digits --image a.png --known-rows 4 --num 8 --out done.png
python sample/complete.py --image photos --box 8,8,12,12 --particles 64 --out done
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from PIL import Image
from torch import Tensor

from pixelseq import PixelRNN, complete
from pixelseq.imaging.partial import PartialPicture, opaque, read_partial
from pixelseq.imaging.pictures import completion_sheet, read_mask, save_png
from pixelseq.imaging.read import SUFFIXES
from pixelseq.model.checkpoint import newest
from pixelseq.runtime.scripts import check_out, is_sheet, one_line_errors, set_up_torch

AT_ONCE = 256
"""Particles that are walked together at most, or the particles of one completion."""


@dataclass(frozen=True)
class Arguments:
    """Completes partial images with a trained model. What is known is said by one of --known-rows, --known-cols,
    --box, --mask and --alpha."""

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
    """Completions of each image."""
    particles: int = 1
    """With more than 1, known pixels after a drawn one count too, the better the more; the cost grows alike."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Completion n of image b depends on the seed and b * num + n alone."""
    temperature: float = 1.0
    """Below 1 likelier images, above 1 more varied ones; 0 takes the likeliest level of every pixel."""
    top_k: int = 0
    """Draw only from so many of the likeliest levels; 0 for all."""
    top_p: float = 1.0
    """Draw only from the likeliest levels that hold this probability."""
    out: Path = Path("completions.png")
    """A .png for one sheet of all completions as the model sees them, or a folder for it and one .png a completion."""


def main(arguments: Arguments) -> None:
    check_out(arguments.out)
    known_of = known_part(arguments)
    paths = pictures_of(arguments)
    model = PixelRNN.from_pretrained(newest() if arguments.checkpoint is None else arguments.checkpoint).to(
        set_up_torch()
    )
    pictures = [read_partial(path, model.config, known_of) for path in paths]
    for picture in pictures:
        if picture.note:
            print(picture.note)
        if not picture.known.any():
            print(f"nothing is known of {picture.path}: its completions are samples")
    completions = [
        complete_in_parts(model, picture, arguments, first=k * arguments.num) for k, picture in enumerate(pictures)
    ]
    write(pictures, completions, model, arguments.out)
    print(f"wrote {arguments.num} completions of {len(pictures)} images to {arguments.out}")


def complete_in_parts(model: PixelRNN, picture: PartialPicture, arguments: Arguments, first: int) -> Tensor:
    """The completions [num, C, H, W] of a picture, a part of them at a time."""
    at_once = max(1, AT_ONCE // max(1, arguments.particles))
    parts = [
        complete(
            model,
            picture.levels[None],
            picture.known,
            min(at_once, arguments.num - done),
            arguments.seed,
            arguments.temperature,
            arguments.top_k,
            arguments.top_p,
            progress=True,
            particles=arguments.particles,
            first=first + done,
        )[0].cpu()
        for done in range(0, max(1, arguments.num), at_once)
    ]
    return torch.cat(parts)


def write(pictures: list[PartialPicture], completions: list[Tensor], model: PixelRNN, out: Path) -> None:
    """Writes the sheet of completions, each [num, C, H, W], and in a folder a file a completion beside it."""
    levels, known = [picture.levels for picture in pictures], [picture.known for picture in pictures]
    sheet = completion_sheet(levels, known, completions, model.config.levels, model.config.pixels)
    save_png(sheet, out if is_sheet(out) else out / "sheet.png")
    if not is_sheet(out):
        for picture, completed in zip(pictures, completions, strict=True):
            for n, completion in enumerate(completed):
                save_png(picture.filled(completion), out / f"{picture.path.stem}-{n}.png")


def pictures_of(arguments: Arguments) -> list[Path]:
    """The files that --image names, folders replaced by the pictures in them."""
    paths: list[Path] = []
    for path in arguments.image:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"the folder {path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        paths += files
    if not paths:
        raise ValueError("--image names no pictures")
    out = arguments.out.resolve()
    if out in {path.resolve() for path in (*paths, *([arguments.mask] if arguments.mask else []))}:
        raise ValueError(f"--out is {arguments.out}, which is read; give another name")
    folders = (
        {path.resolve() for path in arguments.image} if is_sheet(out) else {path.resolve().parent for path in paths}
    )
    if (out.parent if is_sheet(out) else out) in folders:
        raise ValueError(f"--out is {arguments.out}, where the pictures are; give another folder")
    if not is_sheet(out) and len({path.stem for path in paths}) < len(paths):
        raise ValueError("two pictures have one name, so their completions would too; complete them one by one")
    return paths


def known_part(arguments: Arguments) -> Callable[[Image.Image], Tensor]:
    """What the flags say is known: from a picture to its mask [H, W]."""
    ways: dict[str, Callable[[Image.Image], Tensor]] = {}
    if (rows := arguments.known_rows) is not None:
        ways["--known-rows"] = lambda picture: first("rows", rows, picture.height)[:, None].repeat(1, picture.width)
    if (columns := arguments.known_cols) is not None:
        ways["--known-cols"] = lambda picture: first("cols", columns, picture.width).repeat(picture.height, 1)
    if (box := arguments.box) is not None:
        ways["--box"] = lambda picture: around(box, picture.height, picture.width)
    if arguments.mask is not None:
        mask = read_mask(arguments.mask)
        ways["--mask"] = lambda picture: of_size(mask, picture.height, picture.width)
    if arguments.alpha:
        ways["--alpha"] = opaque
    if len(ways) != 1:
        found = " and ".join(ways) or "nothing"
        raise ValueError(f"say what is known: one of --known-rows, --known-cols, --box, --mask, --alpha, not {found}")
    return next(iter(ways.values()))


def first(name: str, count: int, size: int) -> Tensor:
    """The first `count` of `size` rows or columns are known: [size]."""
    if not 0 <= count <= size:
        raise ValueError(f"--known-{name} is {count}; an image has {size}")
    return torch.arange(size) < count


def around(box: str, H: int, W: int) -> Tensor:
    """What is outside a box "y,x,h,w" is known: [H, W]."""
    try:
        y, x, h, w = map(int, box.split(","))
    except ValueError:
        raise ValueError(f"--box is {box}; expected four whole numbers y,x,h,w such as 2,3,4,5") from None
    if min(y, x) < 0 or min(h, w) < 1 or y + h > H or x + w > W:
        raise ValueError(f"--box is {box}: rows {y} to {y + h - 1}, columns {x} to {x + w - 1}; an image is {W}x{H}")
    known = torch.ones(H, W, dtype=torch.bool)
    known[y : y + h, x : x + w] = False
    return known


def of_size(mask: Tensor, H: int, W: int) -> Tensor:
    """The mask [H, W], which must be of the image's size."""
    if mask.shape != (H, W):
        h, w = mask.shape
        raise ValueError(f"the mask is {w}x{h} pixels, an image {W}x{H}; they must be of one size")
    return mask


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
