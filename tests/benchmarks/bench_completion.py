"""Completions of held-out images with a part missing: by order, by number of particles, and against the mean image.

    python tests/benchmarks/bench_completion.py --checkpoint runs/digits --out completions
    python tests/benchmarks/bench_completion.py --checkpoint runs/digits runs/orders --out completions

Of several nets each is measured; one of several orders completes in the order that fits the mask, and if that one is
exact, with one particle alone; one that was trained with --condition-image mask is told what is known. Reports for each
net, mask and number of particles K the share of missing values that one completion per image has exactly as the
original, and the nats per missing pixel. `one_particle_nats` is exact for the completions of one particle: the nats of
the missing pixels given those before them in the order, and what is told. `conditional_nats` are those of the true
conditional, -(log p(image) - log p(known)), with log p(known) estimated by K particles; they are too few by what the
estimate falls short, and so rise with K. The mean image is rounded; its nats are those of each pixel's frequencies in
training, add-one smoothed.
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
from typing import Any

import datasets
import numpy as np
import torch
import tyro
from torch import Tensor

from pixelseq import PixelRNN, complete, log_known
from pixelseq.data import Images, load
from pixelseq.generation.completion import with_what_is_known
from pixelseq.imaging.levels import quantise
from pixelseq.imaging.pictures import completion_sheet, save_png
from pixelseq.model.orders import fitting_order, known_late
from pixelseq.runtime.scripts import one_line_errors, set_up_torch

PICTURED = 8
"""Images on each sheet, evenly spaced; behind the original and its known part, a completion by each number of
particles."""


@dataclass(frozen=True)
class Arguments:
    """Measures completions of held-out images."""

    checkpoint: tuple[str, ...]
    """Runs' folders or checkpoint folders, of nets of the same images."""
    out: Path
    """Folder for a sheet of each mask, with the completions of all nets."""
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
    device = set_up_torch()
    models = {name: PixelRNN.from_pretrained(name).to(device) for name in arguments.checkpoint}
    pixel_format = next(iter(models.values())).config.pixel_format
    train, test = read(arguments.data, pixel_format.levels)
    test = test[:: max(1, len(test) // arguments.images)][: arguments.images]
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{len(test)} images of {list(test.shape[1:])}, {pixel_format.levels} levels")
    for model in models.values():
        check_walks(model, test, arguments)
    results: dict[str, dict[str, dict[str, float]]] = {}
    shown = torch.linspace(0, len(test) - 1, min(PICTURED, len(test))).long()
    for mask, known in masks(test.shape[2], test.shape[3], arguments.seed).items():
        results[mask] = {"mean image": mean_image(train, test, known, pixel_format.levels)}
        pictured: list[Tensor] = []
        for name, model in models.items():
            measured, completed = measure(model, test, known, arguments)
            results[mask][name] = {key: round(value, 4) for key, value in measured.items()}
            pictured += [one[shown] for one in completed]
            print(mask, name, results[mask][name], flush=True)
        rows = list(test[shown])
        sheet = completion_sheet(rows, [known] * len(rows), list(torch.stack(pictured, 1)), pixel_format)
        save_png(sheet, arguments.out / f"{mask}.png")
    print(json.dumps(results))


def check_walks(model: PixelRNN, images: Tensor, arguments: Arguments) -> None:
    """Checks that walks give whole images the nats that `nll` does."""
    known = torch.ones(images.shape[2:], dtype=torch.bool)
    each = nats_of_pixels(model, images, known, 0, arguments).sum((1, 2))
    walked = in_batches(of_known, model, images, known, 1, arguments)
    torch.testing.assert_close(-walked, each, rtol=1e-4, atol=1e-3)


def mean_image(train: Tensor, images: Tensor, known: Tensor, levels: int) -> dict[str, float]:
    """Measures the mean image of training, and its pixels' frequencies, on the missing pixels."""
    frequencies = torch.stack([(train == v).float().mean(0) for v in range(levels)])  # [V, C, H, W]
    frequencies = (frequencies * len(train) + 1) / (len(train) + levels)
    mean = train.double().mean(0).round().long()
    nats = -frequencies.log().gather(0, images).sum(1)  # over colours, [N, H, W]
    return {
        "missing_pixels": int((~known).sum()),
        "match": round(float((mean == images)[:, :, ~known].double().mean()), 4),
        "nats": round(float(nats[:, ~known].double().mean()), 4),
    }


def measure(
    model: PixelRNN, images: Tensor, known: Tensor, arguments: Arguments
) -> tuple[dict[str, float], list[Tensor]]:
    """Measures the completions of a net, and gives those [N, C, H, W] of each number of particles."""
    order = int(fitting_order(known, model.config.orders))
    exact = model.config.orders > 1 and int(known_late(known, order)) == 0
    missing = int((~known).sum())
    nats = nats_of_pixels(model, images, known, order, arguments)
    result = {"order": float(order), "one_particle_nats": float(nats[:, ~known].mean())}
    all_completed = []
    for count in (1,) if exact else arguments.particles:
        started = time.perf_counter()
        completed = in_batches(complete, model, images, known, count, arguments)[:, 0]
        seconds = time.perf_counter() - started
        result[f"match_{count}"] = float((completed == images)[:, :, ~known].double().mean())
        if order == 0:  # elsewhere one particle's nats say it
            log_p = in_batches(of_known, model, images, known, count, arguments)
            result[f"conditional_nats_{count}"] = float((nats.sum((1, 2)) + log_p).mean()) / missing
        result[f"seconds_{count}"] = seconds / len(images)
        all_completed.append(completed)
    return result, all_completed


@torch.no_grad()
def nats_of_pixels(model: PixelRNN, images: Tensor, known: Tensor, order: int, arguments: Arguments) -> Tensor:
    """Gives the nats of each pixel, all its colours together, in an order: [N, H, W], float64.

    A net that has learned to be told what is known, [H, W], is told it.
    """
    nats = []
    for part in images.split(arguments.batch):
        told = with_what_is_known(model.config, part, known.expand(len(part), -1, -1), None)
        nats.append(model.nll(part, told, order).double().sum(1).cpu())
    return torch.cat(nats)


def of_known(model: PixelRNN, images: Tensor, known: Tensor, **request: Any) -> Tensor:
    """Estimates log p(known pixels), given what the net is told for a completion."""
    told = with_what_is_known(model.config, images, known.expand(len(images), -1, -1), None)
    return log_known(model, images, known, condition=told, **request)


def in_batches(
    function: Callable[..., Tensor], model: PixelRNN, images: Tensor, known: Tensor, count: int, arguments: Arguments
) -> Tensor:
    """Applies `complete` or `of_known` to all images, some at a time."""
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
