"""Sampling from the paper's MNIST net: the compiled walk against a full forward per pixel, and against eager steps.

    python tests/benchmarks/bench_sampling.py

Checks first that the walk and the steps draw the same images. The naive sampler and the steps are extrapolated from a
part. Last line: JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from itertools import islice

import numba
import torch
from memory import peak_kib, restart_peak

from pixelseq import ModelConfig, PixelFormat, PixelRNN, sample, stream
from pixelseq.kernels.backends import BACKEND_VARIABLE
from pixelseq.runtime.scripts import set_up_torch

SIDES, BATCHES, HEIGHTS = (28, 64), (1, 16, 64), (16, 64, 256, 1024, 4096)
NAIVE_FORWARDS, STEPPED_ROWS, COMPILED_RUNS = 3, 2, 5
REFERENCE, FAST = "reference", "numba"


def build() -> PixelRNN:
    torch.manual_seed(0)
    config = ModelConfig(PixelFormat(levels=2), blocks=("diagonal",) * 7, hidden=16, context_blocks=0, head_features=64)
    return PixelRNN(config).eval()


def median_seconds(function: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def check_images(model: PixelRNN, side: int) -> None:
    """The compiled walk draws what the steps draw."""
    images = []
    for backend in (REFERENCE, FAST):
        os.environ[BACKEND_VARIABLE] = backend
        images.append(sample(model, 2, side, side))
    assert torch.equal(*images), "compiled and stepped samples differ"


@torch.no_grad()
def naive_seconds(model: PixelRNN, batch: int, side: int) -> float:
    """A forward of whole images for each pixel, extrapolated from a few."""
    os.environ[BACKEND_VARIABLE] = REFERENCE
    images = torch.randint(2, (batch, 1, side, side))
    model(images)
    return median_seconds(lambda: model(images), NAIVE_FORWARDS) * side**2


def stepped_seconds(model: PixelRNN, batch: int, side: int) -> float:
    """`PixelRNN.step` for each pixel, extrapolated from a few rows."""
    os.environ[BACKEND_VARIABLE] = REFERENCE
    rows = stream(model, batch, side)
    next(rows)
    return median_seconds(lambda: next(rows), STEPPED_ROWS) * side


def compiled_seconds(model: PixelRNN, batch: int, side: int) -> float:
    """Whole images, the model's layout for the walk included."""
    os.environ[BACKEND_VARIABLE] = FAST
    return median_seconds(lambda: sample(model, batch, side, side), COMPILED_RUNS)


def row_seconds(model: PixelRNN, height: int) -> float:
    """A row of an image of that height, batch 1; the start is not counted."""
    os.environ[BACKEND_VARIABLE] = FAST
    times = []
    for _ in range(max(3, HEIGHTS[-1] // height // 4)):
        rows = stream(model, 1, SIDES[0])
        started = time.perf_counter()
        for _ in islice(rows, height):
            pass
        times.append(time.perf_counter() - started)
    return statistics.median(times) / height


def peak_memory_mib(height: int) -> float:
    """Memory that streaming an image adds, at its peak, to a fresh process; rows are not kept (Linux)."""
    set_up_torch()
    model, width = build(), SIDES[0]
    next(stream(model, 1, width))  # imports and compiles
    before = restart_peak()
    for _ in islice(stream(model, 1, width), height):
        pass
    return (peak_kib() - before) / 1024


def main() -> None:
    set_up_torch()
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, ", end="")
    print(f"torch {torch.__version__}, numba {numba.__version__}; 7 diagonal blocks, hidden 16, 2 levels")
    print(f"naive extrapolated from {NAIVE_FORWARDS} forwards, steps from {STEPPED_ROWS} rows")
    model = build()
    check_images(model, SIDES[0])
    results = {}
    for side in SIDES:
        for batch in BATCHES:
            compiled = compiled_seconds(model, batch, side)
            naive, stepped = naive_seconds(model, batch, side), stepped_seconds(model, batch, side)
            results[f"{side}x{side} batch {batch}"] = {
                "us_a_pixel": round(compiled / side**2 * 1e6, 2),
                "us_a_pixel_and_image": round(compiled / side**2 / batch * 1e6, 2),
                "images_per_s": round(batch / compiled, 1),
                "times_naive": round(naive / compiled),
                "times_stepped": round(stepped / compiled),
            }
            (name, row) = list(results.items())[-1]
            print(f"{name:15}", *(f"{key} {value}" for key, value in row.items()), sep="  ")
    by_height = {}
    for height in HEIGHTS:
        by_height[height] = round(row_seconds(model, height) / SIDES[0] * 1e6, 2)
        print(f"height {height:4}, batch 1: {by_height[height]:.2f} us a pixel")
    spawn, memory = multiprocessing.get_context("spawn"), {}
    for height in (HEIGHTS[0], HEIGHTS[-1]):
        with spawn.Pool(1) as pool:
            memory[height] = round(pool.apply(peak_memory_mib, (height,)), 2)
        print(f"height {height:4}, batch 1: {memory[height]} MiB more than before at the peak")
    spread = max(by_height.values()) / min(by_height.values()) - 1
    print(
        json.dumps(
            {
                "bench": "sampling",
                "times_naive": results["28x28 batch 16"]["times_naive"],
                "us_a_pixel_batch_1": results["28x28 batch 1"]["us_a_pixel"],
                "us_a_pixel_by_height": by_height,
                "spread_by_height": round(spread, 3),
                "peak_mib_by_height": memory,
                "sizes": results,
            }
        )
    )


if __name__ == "__main__":
    main()
