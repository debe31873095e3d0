"""Training step of the paper's MNIST net and wider ones: the eager reference against the fast backend, in one run.

    python tests/benchmarks/bench_training.py

Checks first that both give the same gradients. Ratios are of medians of steps taken in turn. Last line: JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import statistics
import time

import numba
import torch
from memory import peak_kib, restart_peak

from pixelseq import ModelConfig, PixelFormat, PixelRNN
from pixelseq.kernels.backends import BACKEND_VARIABLE
from pixelseq.runtime.scripts import set_up_torch

BATCH, SIDE, BLOCKS = 16, 28, 7
NETS = {"diagonal 16": ("diagonal", 16), "diagonal 64": ("diagonal", 64), "row 16": ("row", 16)}
REFERENCE, FAST = "reference", "numba"
SECONDS = 6.0
"""Time for each backend and net."""


def build(block: str, hidden: int) -> tuple[PixelRNN, torch.optim.Optimizer]:
    torch.manual_seed(0)
    config = ModelConfig(PixelFormat(levels=2), blocks=(block,) * BLOCKS, hidden=hidden, context_blocks=0)
    model = PixelRNN(config)
    return model, torch.optim.AdamW(model.parameters(), fused=True)


def step(model: PixelRNN, optimizer: torch.optim.Optimizer, images: torch.Tensor, backend: str) -> float:
    """Takes a training step; returns its seconds."""
    os.environ[BACKEND_VARIABLE] = backend
    started = time.perf_counter()
    optimizer.zero_grad()
    model.nll(images).mean().backward()
    optimizer.step()
    return time.perf_counter() - started


def check_gradients(block: str, hidden: int, images: torch.Tensor) -> float:
    """The largest difference of a gradient between the backends, relative to the largest gradient."""
    gradients = []
    for backend in (REFERENCE, FAST):
        os.environ[BACKEND_VARIABLE] = backend
        model, _ = build(block, hidden)
        model.nll(images).mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    difference = float((gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max())
    assert difference < 1e-4, f"gradients differ by {difference}"
    return difference


def compare(block: str, hidden: int, images: torch.Tensor) -> dict[str, float]:
    """Median seconds a step of each backend, steps taken in turn."""
    model, optimizer = build(block, hidden)
    times: dict[str, list[float]] = {REFERENCE: [], FAST: []}
    for backend in times:
        step(model, optimizer, images, backend)
    while sum(times[REFERENCE]) < SECONDS:
        for _ in range(2):
            times[REFERENCE].append(step(model, optimizer, images, REFERENCE))
        for _ in range(6):
            times[FAST].append(step(model, optimizer, images, FAST))
    return {backend: statistics.median(values) for backend, values in times.items()}


def peak_memory_mib(block: str, hidden: int, backend: str) -> float:
    """Memory that three steps add, at their peak, to a fresh process (Linux)."""
    set_up_torch()
    model, optimizer = build(block, hidden)
    images = torch.randint(2, (BATCH, 1, SIDE, SIDE))
    step(model, optimizer, images[:1, :, :2, :2], backend)  # imports and compiles
    before = restart_peak()
    for _ in range(3):
        step(model, optimizer, images, backend)
    return (peak_kib() - before) / 1024


def gemm_gflops() -> float:
    """What a large float32 matrix product reaches here."""
    x = torch.randn(2048, 2048)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - started)
    return 2 * 2048**3 / min(times) / 1e9


def seconds_of(block: str, hidden: int, height: int) -> float:
    """Median seconds a step of the fast backend."""
    model, optimizer = build(block, hidden)
    images = torch.randint(2, (BATCH, 1, height, SIDE))
    return statistics.median(step(model, optimizer, images, FAST) for _ in range(15))


def main() -> None:
    set_up_torch()
    threads, peak = torch.get_num_threads(), gemm_gflops()
    print(f"{platform.processor() or platform.machine()}, {threads} threads, torch {torch.__version__}, ", end="")
    print(f"numba {numba.__version__}; {BLOCKS} blocks, {SIDE}x{SIDE}, batch {BATCH}; GEMM peak {peak:.0f} GFLOP/s")
    images = torch.randint(2, (BATCH, 1, SIDE, SIDE))
    results = {}
    spawn = multiprocessing.get_context("spawn")
    for name, (block, hidden) in NETS.items():
        difference = check_gradients(block, hidden, images)
        seconds = compare(block, hidden, images)
        with spawn.Pool(1, maxtasksperchild=1) as pool:
            memory = {b: pool.apply(peak_memory_mib, (block, hidden, b)) for b in (REFERENCE, FAST)}
        # A weight is used once a pixel, the appended column included: 2 flops forward and 4 backward.
        flops = 6 * build(block, hidden)[0].num_parameters * SIDE * (SIDE + 1) * BATCH
        results[name] = {
            "ratio": round(seconds[REFERENCE] / seconds[FAST], 2),
            "images_per_s": round(BATCH / seconds[FAST], 1),
            "reference_images_per_s": round(BATCH / seconds[REFERENCE], 1),
            "gflops": round(flops / seconds[FAST] / 1e9, 1),
            "share_of_gemm_peak": round(flops / seconds[FAST] / 1e9 / peak, 3),
            "memory_mib": round(memory[FAST]),
            "reference_memory_mib": round(memory[REFERENCE]),
            "gradient_difference": difference,
        }
        print(f"{name:12}", *(f"{key} {value:.4g}" for key, value in results[name].items()), sep="  ")
    for height in (14, 28, 56, 112):
        print(
            f"height {height:4}: {seconds_of('diagonal', 16, height) / (height * SIDE * BATCH) * 1e9:7.0f} ns a pixel"
        )
    for hidden in (16, 32, 64, 128):
        each = seconds_of("diagonal", hidden, SIDE) / (SIDE * SIDE * BATCH)
        print(
            f"hidden {hidden:4}: {each * 1e9:7.0f} ns a pixel, {each / hidden**2 * 1e12:5.0f} ps a pixel and hidden^2"
        )
    print(json.dumps({"bench": "training", **results["diagonal 16"], "gemm_gflops": round(peak, 1), "nets": results}))


if __name__ == "__main__":
    main()
