"""Completes partial images with a trained model.

python sample/complete.py --checkpoint runs/digits --image a.png --known-rows 4 --num 8 --out done.png
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import tyro
from torch import Tensor

from pixelseq import PixelRNN, complete
from pixelseq.checkpoint import newest
from pixelseq.cli import check_out, is_sheet, one_line_errors, set_up_torch
from pixelseq.images import completion_sheet, read_image, read_mask, save_png, to_picture

PICTURES = {".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Arguments:
    """Completes partial images with a trained model."""

    image: tuple[Path, ...]
    """Pictures, or folders of pictures, in the channels and levels of the model; unknown pixels may hold anything."""
    known_rows: int | None = None
    """The first rows are known, the rest is drawn."""
    mask: Path | None = None
    """A picture of the images' size: white = known, black = drawn."""
    num: int = 8
    """Completions of each image."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Completion n of image b is drawn as sample b * num + n of this seed would be."""
    temperature: float = 1.0
    """Below 1 likelier images, above 1 more varied ones; 0 takes the likeliest level of every pixel."""
    top_k: int = 0
    """Draw only from so many of the likeliest levels; 0 for all."""
    top_p: float = 1.0
    """Draw only from the likeliest levels that hold this probability."""
    out: Path = Path("completions.png")
    """A .png for one sheet of all completions, or a folder for one .png a completion in its own size."""


def main(arguments: Arguments) -> None:
    check_out(arguments.out)
    if (arguments.known_rows is None) == (arguments.mask is None):
        raise ValueError("say what is known: either --known-rows or --mask")
    paths = pictures_of(arguments)
    mask = None if arguments.mask is None else read_mask(arguments.mask)
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    channels, levels, pixels = model.config.channels, model.config.levels, model.config.pixels
    images, known = [], []
    for path in paths:
        known_of = partial(known_pixels, path, arguments.known_rows, mask)
        image = read_image(path, channels, levels, known_of, pixels)
        images.append(image)
        known.append(known_of(image.shape[1], image.shape[2]))
    completions = [
        complete(
            model,
            image[None],
            is_known,
            arguments.num,
            arguments.seed,
            arguments.temperature,
            arguments.top_k,
            arguments.top_p,
            progress=True,
            first=k * arguments.num,
        )[0]
        for k, (image, is_known) in enumerate(zip(images, known, strict=True))
    ]
    if is_sheet(arguments.out):
        save_png(completion_sheet(images, known, completions, levels, pixels), arguments.out)
    else:
        for path, completed in zip(paths, completions, strict=True):
            for n, image in enumerate(completed):
                save_png(to_picture(image, levels, pixels), arguments.out / f"{path.stem}-{n}.png")
    print(f"wrote {arguments.num} completions of {len(images)} images to {arguments.out}")


def pictures_of(arguments: Arguments) -> list[Path]:
    """The files that --image names, folders replaced by the pictures in them."""
    paths: list[Path] = []
    for path in arguments.image:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"the folder {path} holds no pictures ({', '.join(sorted(PICTURES))})")
        paths += files
    if not paths:
        raise ValueError("--image names no pictures")
    if not is_sheet(arguments.out):
        if len({path.stem for path in paths}) < len(paths):
            raise ValueError("two pictures have one name, so their completions would too; complete them one by one")
        if arguments.out.resolve() in {path.parent.resolve() for path in paths}:
            raise ValueError(f"--out is {arguments.out}, where the pictures are; give another folder")
    return paths


def known_pixels(path: Path, rows: int | None, mask: Tensor | None, H: int, W: int) -> Tensor:
    """The known-mask [H, W] of the picture at `path`: its first rows, or the given mask."""
    if mask is not None:
        if mask.shape != (H, W):
            h, w = mask.shape
            raise ValueError(f"the mask is {w}x{h} pixels, the image {path} {W}x{H}; they must be of one size")
        return mask
    assert rows is not None
    if not 0 <= rows <= H:
        raise ValueError(f"--known-rows is {rows}; {path} has {H} rows")
    return (torch.arange(H) < rows)[:, None].expand(H, W)


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
