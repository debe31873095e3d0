"""Samples images from a trained model, in raster order, of any height and width.

python sample/run.py --checkpoint runs/digits --num 16 --height 40 --width 8 --out samples.png

One file holds all images: a .png is a sheet of them, magnified; a .npy their levels [N, C, H, W]; a .txt one after the
other, an empty line between. A folder gets one file an image: a .png in its own size, a .npy [C, H, W], a .txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor

from pixelseq import ModelConfig, PixelRNN, sample
from pixelseq.checkpoint import newest
from pixelseq.cli import check_out, one_line_errors, set_up_torch
from pixelseq.images import check_pictures, sample_sheet, save_levels, save_png, to_picture
from pixelseq.legend import check_text, save_text, to_text

BATCH = 256
SHEET_COLUMNS = 16


@dataclass(frozen=True)
class Arguments:
    """Samples images from a trained model, in raster order, of any height and width."""

    height: int
    """Rows of an image."""
    width: int
    """Columns of an image."""
    num: int = 16
    """Number of images; they are sampled 256 at a time."""
    checkpoint: str | None = None
    """A run's folder, a checkpoint folder or a model id on the hub; the newest run where none is given."""
    seed: int = 0
    """Image k depends on the seed and k alone."""
    temperature: float = 1.0
    """Below 1 likelier images, above 1 more varied ones; 0 takes the likeliest level of every pixel."""
    top_k: int = 0
    """Draw only from so many of the likeliest levels; 0 for all."""
    top_p: float = 1.0
    """Draw only from the likeliest levels that hold this probability."""
    format: Literal["png", "npy", "txt"] = "png"
    """png pictures; npy integer levels; txt a line a row, a character a level (models with a legend)."""
    out: Path | None = None
    """A file of the format for all images, or a folder for one file an image; samples.FORMAT where none is given."""


def main(arguments: Arguments) -> None:
    suffix = f".{arguments.format}"
    out = arguments.out or Path(f"samples{suffix}")
    check_out(out, suffix)
    if arguments.num < 1:
        raise ValueError(f"--num is {arguments.num}; it must be at least 1")
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    check_format(model.config, arguments.format)
    parts = [
        sample(
            model,
            min(BATCH, arguments.num - first),
            arguments.height,
            arguments.width,
            arguments.seed,
            arguments.temperature,
            arguments.top_k,
            arguments.top_p,
            progress=True,
            first=first,
        )
        for first in range(0, arguments.num, BATCH)
    ]
    images = torch.cat(parts)
    if out.suffix == suffix:
        write_all(images, model.config, out)
    else:
        for k, image in enumerate(images):
            write_one(image, model.config, out / f"{k:05}{suffix}")
    print(f"wrote {len(images)} images to {out}")


def check_format(config: ModelConfig, name: str) -> None:
    """Raises ValueError, before any work is done, where the model's images cannot be written in that format."""
    if name == "png":
        check_pictures(config.channels, config.levels, config.pixels)
    if name == "txt":
        check_text(config.channels, config.legend)


def write_all(images: Tensor, config: ModelConfig, path: Path) -> None:
    """Writes images [N, C, H, W] to one file of the format that its suffix names."""
    match path.suffix:
        case ".png":
            save_png(sample_sheet(images, config.levels, SHEET_COLUMNS, config.pixels), path)
        case ".npy":
            save_levels(images, config.levels, path)
        case ".txt":
            save_text("\n".join(to_text(image, config.legend) for image in images), path)


def write_one(image: Tensor, config: ModelConfig, path: Path) -> None:
    """Writes an image [C, H, W] to a file of the format that its suffix names."""
    match path.suffix:
        case ".png":
            save_png(to_picture(image, config.levels, config.pixels), path)
        case ".npy":
            save_levels(image, config.levels, path)
        case ".txt":
            save_text(to_text(image, config.legend), path)


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
