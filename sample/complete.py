"""Completes partial images with a trained model.

python sample/complete.py --checkpoint runs/digits --image a.png --known-rows 4 --num 8 --out done.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor

from pixelseq import PixelRNN, complete
from pixelseq.checkpoint import newest
from pixelseq.cli import check_out, default_device, one_line_errors
from pixelseq.images import completion_sheet, read_image, read_mask, save_png, to_picture

PICTURES = {".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Arguments:
    """Completes partial images with a trained model."""

    image: tuple[Path, ...]
    """Pictures, or folders of pictures, in the channels and levels of the model."""
    known_rows: int | None = None
    """The first rows are known, the rest is drawn."""
    mask: Path | None = None
    """A picture of the images' size: white = known, black = drawn."""
    num: int = 8
    """Completions of each image."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Completion n of image b depends on the seed, b and n alone."""
    temperature: float = 1.0
    """Below 1 likelier images, above 1 more varied ones."""
    top_p: float = 1.0
    """Draw only from the likeliest levels that hold this probability."""
    out: Path = Path("completions.png")
    """A .png for one sheet of all completions, or a folder for one .png a completion in its own size."""


def main(arguments: Arguments) -> None:
    check_out(arguments.out)
    if (arguments.known_rows is None) == (arguments.mask is None):
        raise ValueError("say what is known: either --known-rows or --mask")
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(default_device())
    channels, levels = model.config.channels, model.config.levels
    paths = [file for path in arguments.image for file in pictures_of(path)]
    images = [read_image(path, channels, levels) for path in paths]
    known = [known_of(image, path, arguments) for image, path in zip(images, paths, strict=True)]
    completions = [
        complete(
            model,
            image[None],
            mask,
            arguments.num,
            arguments.seed,
            arguments.temperature,
            arguments.top_p,
            progress=True,
            first=k * arguments.num,
        )[0]
        for k, (image, mask) in enumerate(zip(images, known, strict=True))
    ]
    if arguments.out.suffix:
        save_png(completion_sheet(images, known, completions, levels), arguments.out)
    else:
        for path, completed in zip(paths, completions, strict=True):
            for n, image in enumerate(completed):
                save_png(to_picture(image, levels), arguments.out / f"{path.stem}-{n}.png")
    print(f"wrote {arguments.num} completions of {len(images)} images to {arguments.out}")


def pictures_of(path: Path) -> list[Path]:
    """The file itself, or the pictures in a folder, by name."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if not files:
        raise ValueError(f"the folder {path} holds no pictures ({', '.join(sorted(PICTURES))})")
    return files


def known_of(image: Tensor, path: Path, arguments: Arguments) -> Tensor:
    """The known-mask [H, W] that the arguments give an image."""
    _, H, W = image.shape
    if arguments.mask is not None:
        known = read_mask(arguments.mask)
        if known.shape != (H, W):
            raise ValueError(
                f"the mask {arguments.mask} is {known.shape[1]}x{known.shape[0]} pixels, the image {path} {W}x{H}; "
                "they must be of one size"
            )
        return known
    assert arguments.known_rows is not None
    if not 0 <= arguments.known_rows <= H:
        raise ValueError(f"--known-rows is {arguments.known_rows}; {path} has {H} rows")
    return (torch.arange(H) < arguments.known_rows)[:, None].expand(H, W)


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
