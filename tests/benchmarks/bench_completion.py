"""Completions of held-out images with a part missing, against the number of particles and against the mean image.

    python tests/benchmarks/bench_completion.py --checkpoint runs/digits --out completions

Reports for each mask and number of particles K the share of missing values that one completion per image has exactly as
the original, and the nats per missing pixel. `one_particle_nats` is exact for the completions of one particle: the nats
of the missing pixels given those before them. `conditional_nats` are those of the true conditional, -(log p(image) -
log p(known)), with log p(known) estimated by K particles; they are too few by what the estimate falls short, and so
rise with K. The mean image is rounded; its nats are those of each pixel's frequencies in training, add-one smoothed.
Checks first that walks give whole images the likelihood that `nll` does.
Last line: JSON. Shapes: N images, C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import torch
import tyro
from torch import Tensor

from pixelseq import PixelRNN, complete, log_known
from pixelseq.data import Images, load
from pixelseq.imaging.levels import quantise
from pixelseq.imaging.pictures import completion_sheet, save_png
from pixelseq.runtime.scripts import one_line_errors, set_up_torch

PICTURED = 8
"""Images on each sheet, evenly spaced; behind the original and its known part, a completion by each number of
particles."""


@dataclass(frozen=True)
class Arguments:
    """Measures completions of held-out images."""

    checkpoint: str
    """A run's folder or a checkpoint folder."""
    out: Path
    """Folder for a sheet of each mask."""
    data: Path | None = None
    """A folder of train.parquet and test.parquet with a column image; the bundled digits where none is given."""
    images: int = 250
    """Held-out images, evenly spaced over the test split."""
    particles: tuple[int, ...] = (1, 16, 64)
    """Numbers of particles."""
    batch: int = 25
    """Images that are completed at once."""
    seed: int = 0
    """Of the completions and the random mask."""


def main(arguments: Arguments) -> None:
    model = PixelRNN.from_pretrained(arguments.checkpoint).to(set_up_torch())
    levels = model.config.pixel_format.levels
    train, test = read(arguments.data, levels)
    test = test[:: max(1, len(test) // arguments.images)][: arguments.images]
    frequencies = torch.stack([(train == v).float().mean(0) for v in range(levels)])  # [V, C, H, W]
    frequencies = (frequencies * len(train) + 1) / (len(train) + levels)
    mean = train.double().mean(0).round().long()
    with torch.no_grad():
        nats = torch.cat([model.nll(images).double().cpu() for images in test.split(arguments.batch)])
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    each = nats.sum((1, 2, 3))
    whole = in_batches(log_known, model, test, torch.ones(test.shape[2:], dtype=torch.bool), 1, arguments)
    torch.testing.assert_close(-whole, each, rtol=1e-4, atol=1e-3)
    print(f"{len(test)} images of {list(test.shape[1:])}, {levels} levels, {float(each.mean()):.2f} nats an image")
    results = {}
    shown = torch.linspace(0, len(test) - 1, min(PICTURED, len(test))).long()
    for name, known in masks(test.shape[2], test.shape[3], arguments.seed).items():
        missing = int((~known).sum())
        of_mean = -frequencies.log().gather(0, test).sum(1)  # over colours, [N, H, W]
        result = {
            "missing_pixels": missing,
            "mean_image_match": float((mean == test)[:, :, ~known].double().mean()),
            "mean_image_nats": float(of_mean[:, ~known].double().mean()),
            "one_particle_nats": float(nats.sum(1)[:, ~known].mean()),
        }
        pictured = []
        for count in arguments.particles:
            started = time.perf_counter()
            completed = in_batches(complete, model, test, known, count, arguments)[:, 0]
            seconds = time.perf_counter() - started
            log_p = in_batches(log_known, model, test, known, count, arguments)
            result[f"match_{count}"] = float((completed == test)[:, :, ~known].double().mean())
            result[f"conditional_nats_{count}"] = float((each + log_p).mean()) / missing
            result[f"seconds_{count}"] = seconds / len(test)
            pictured.append(completed[shown])
        rows = list(test[shown])
        sheet = completion_sheet(rows, [known] * len(rows), list(torch.stack(pictured, 1)), model.config.pixel_format)
        save_png(sheet, arguments.out / f"{name}.png")
        results[name] = {key: round(value, 4) for key, value in result.items()}
        print(name, results[name], flush=True)
    print(json.dumps(results))


def in_batches(
    function: Callable[..., Tensor], model: PixelRNN, images: Tensor, known: Tensor, count: int, arguments: Arguments
) -> Tensor:
    """Applies `complete` or `log_known` to all images, some at a time."""
    size = arguments.batch
    parts = [
        function(model, images[k : k + size], known, particles=count, seed=arguments.seed, first_index=k).cpu()
        for k in range(0, len(images), size)
    ]
    return torch.cat(parts)


def masks(H: int, W: int, seed: int) -> dict[str, Tensor]:
    """What is known, [H, W], by the name of what is missing."""
    row, column = torch.arange(H)[:, None].expand(H, W), torch.arange(W).expand(H, W)
    inside = (row >= H // 4) & (row < H - H // 4) & (column >= W // 4) & (column < W - W // 4)
    return {
        "lower": row < H // 2,
        "upper": row >= H // 2,
        "left": column >= W // 2,
        "right": column < W // 2,
        "middle": ~inside,
        "random": torch.rand(H, W, generator=torch.Generator().manual_seed(seed)) < 0.5,
    }


def read(data: Path | None, levels: int) -> tuple[Tensor, Tensor]:
    """Training and test images [N, C, H, W], in the levels of the model."""
    if data is None:
        digits = load("digits")
        assert isinstance(digits.train, Images)
        return torch.stack(list(digits.train)).long(), torch.stack(list(digits.test)).long()
    splits = []
    for split in ("train", "test"):
        pictures = datasets.load_dataset("parquet", data_files=str(data / f"{split}.parquet"), split="train")["image"]
        values = np.stack([np.array(picture.convert("L")) for picture in pictures])
        splits.append(torch.from_numpy(quantise(values, levels))[:, None].long())
    return splits[0], splits[1]


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
