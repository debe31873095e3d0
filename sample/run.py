"""Samples images from a trained model, in raster order, of any height and width.

python sample/run.py --checkpoint runs/digits --num 16 --height 40 --width 8 --out samples.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from pixelseq import PixelRNN, sample
from pixelseq.checkpoint import newest
from pixelseq.cli import check_out, is_sheet, one_line_errors, set_up_torch
from pixelseq.images import check_pictures, sample_sheet, save_png, to_picture

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
    """Below 1 likelier images, above 1 more varied ones."""
    top_p: float = 1.0
    """Draw only from the likeliest levels that hold this probability."""
    out: Path = Path("samples.png")
    """A .png for one sheet of all images, or a folder for one .png an image in its own size."""


def main(arguments: Arguments) -> None:
    check_out(arguments.out)
    if arguments.num < 1:
        raise ValueError(f"--num is {arguments.num}; it must be at least 1")
    model = PixelRNN.from_pretrained(arguments.checkpoint or newest()).to(set_up_torch())
    check_pictures(model.config.channels, model.config.levels)
    parts = [
        sample(
            model,
            min(BATCH, arguments.num - first),
            arguments.height,
            arguments.width,
            arguments.seed,
            arguments.temperature,
            arguments.top_p,
            progress=True,
            first=first,
        )
        for first in range(0, arguments.num, BATCH)
    ]
    images, levels = torch.cat(parts), model.config.levels
    if is_sheet(arguments.out):
        save_png(sample_sheet(images, levels, SHEET_COLUMNS), arguments.out)
    else:
        for k, image in enumerate(images):
            save_png(to_picture(image, levels), arguments.out / f"{k:05}.png")
    print(f"wrote {len(images)} images to {arguments.out}")


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
