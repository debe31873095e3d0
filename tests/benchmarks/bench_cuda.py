"""On a CUDA device: the eager reference against Triton in training, and eager steps against CUDA graphs in sampling.

    python tests/benchmarks/bench_cuda.py

Training: the paper's CIFAR-10 net, 12 diagonal blocks, hidden 128, 32x32 RGB, batch 64, bfloat16 autocast; checks first
that both give the same gradients. Sampling: the paper's MNIST net, 28 columns, batches of 1 and 64; checks that both
draw the same levels. Ratios are of medians of steps or rows taken in turn. Last line: JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch

from pixelseq import ModelConfig, PixelFormat, PixelRNN
from pixelseq.generation.cuda_graphs import GraphWalker
from pixelseq.generation.engine import StepWalker, Stretch, Walker
from pixelseq.generation.noise import Noise
from pixelseq.kernels.backends import BACKEND_VARIABLE

BLOCKS, HIDDEN, SIDE, BATCH = 12, 128, 32, 64
REFERENCE, FAST = "reference", "triton"
STEPS = {REFERENCE: 5, FAST: 20}
COLUMNS, ROWS = 28, 5


def build(device: str) -> tuple[PixelRNN, torch.optim.Optimizer]:
    torch.manual_seed(0)
    config = ModelConfig(PixelFormat(3, 256), blocks=("diagonal",) * BLOCKS, hidden=HIDDEN, context_blocks=0)
    model = PixelRNN(config).to(device)
    return model, torch.optim.AdamW(model.parameters(), fused=True)


def loss(model: PixelRNN, images: torch.Tensor, backend: str) -> torch.Tensor:
    os.environ[BACKEND_VARIABLE] = backend
    with torch.autocast(images.device.type, torch.bfloat16):
        return model.nll(images).mean()


def step(model: PixelRNN, optimizer: torch.optim.Optimizer, images: torch.Tensor, backend: str) -> float:
    """Takes a training step; returns its seconds."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    optimizer.zero_grad()
    loss(model, images, backend).backward()
    optimizer.step()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def check_gradients(images: torch.Tensor) -> float:
    """The difference of the gradients, relative to their norm; bfloat16 rounds h and the gates to 8 bits."""
    gradients = []
    for backend in (REFERENCE, FAST):
        model, _ = build(images.device.type)
        loss(model, images, backend).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    difference = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    assert difference < 5e-2, f"gradients differ by {difference}"
    return difference


def peak_memory_mib(images: torch.Tensor, backend: str) -> float:
    """Memory of a training step at its peak."""
    model, optimizer = build(images.device.type)
    step(model, optimizer, images, backend)
    torch.cuda.reset_peak_memory_stats()
    step(model, optimizer, images, backend)
    return torch.cuda.max_memory_allocated() / 2**20


def best_seconds(work: Callable[[], object], repeats: int = 20) -> float:
    """The shortest time of a function of no arguments."""
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def bound_seconds(model: PixelRNN) -> tuple[float, float]:
    """Least seconds of a step by arithmetic, and by what the scans alone must read and write.

    A weight is used once a pixel: 2 flops forward, 4 backward. Bytes: `pixelseq/kernels/README.md`.
    """
    square = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    flops_per_s = 2 * 8192**3 / best_seconds(lambda: square @ square)
    source, target = torch.empty(2, 2**30, device="cuda", dtype=torch.uint8)
    bytes_per_s = 2 * 2**30 / best_seconds(lambda: target.copy_(source))
    pixels = BATCH * SIDE * (SIDE + 1)
    flops = 6 * model.num_parameters * pixels
    scanned = 54 * HIDDEN * 2 * BLOCKS * pixels
    return flops / flops_per_s, scanned / bytes_per_s


def sampling(device: str, batch: int) -> dict[str, float]:
    """Microseconds a pixel of eager steps and of graphs, and what capturing the graphs takes."""
    model = PixelRNN.from_pretrained("mnist-binary").to(device)
    noise = Noise(0, range(batch), model.device)
    walkers: dict[str, Walker] = {
        "eager": StepWalker(model, model.init_state(batch, COLUMNS)),
        "graphs": GraphWalker(model, model.init_state(batch, COLUMNS)),
    }
    times: dict[str, list[float]] = {name: [] for name in walkers}
    for _ in range(1 + ROWS):
        uniform = noise.row(COLUMNS, 1)
        levels = []
        for name, walker in walkers.items():
            torch.cuda.synchronize()
            started = time.perf_counter()
            levels.append(walker.walk(Stretch(uniform))[0])
            torch.cuda.synchronize()
            times[name].append(time.perf_counter() - started)
        assert torch.equal(*levels), "graphs draw other levels than steps"
    eager, graphs = (statistics.median(times[name][1:]) / COLUMNS * 1e6 for name in walkers)
    return {
        f"sampling_us_a_pixel_batch_{batch}": round(graphs, 1),
        f"sampling_eager_us_a_pixel_batch_{batch}": round(eager, 1),
        f"sampling_ratio_batch_{batch}": round(eager / graphs, 2),
        f"capture_seconds_batch_{batch}": round(times["graphs"][0], 2),
    }


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("error: no CUDA device")
    import triton

    torch.set_float32_matmul_precision("high")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}")
    images = torch.randint(256, (BATCH, 3, SIDE, SIDE), device="cuda")
    difference = check_gradients(images)
    memory = {backend: peak_memory_mib(images, backend) for backend in (REFERENCE, FAST)}
    model, optimizer = build("cuda")
    times: dict[str, list[float]] = {REFERENCE: [], FAST: []}
    for _ in range(3):
        for backend, steps in STEPS.items():
            times[backend] += [step(model, optimizer, images, backend) for _ in range(steps)]
    seconds = {backend: statistics.median(values) for backend, values in times.items()}
    arithmetic, traffic = bound_seconds(model)
    result = {
        "bench": "cuda",
        "ratio": round(seconds[REFERENCE] / seconds[FAST], 2),
        "images_per_s": round(BATCH / seconds[FAST], 1),
        "reference_images_per_s": round(BATCH / seconds[REFERENCE], 1),
        "ms": round(seconds[FAST] * 1e3, 2),
        "bound_ms_arithmetic": round(arithmetic * 1e3, 2),
        "bound_ms_memory": round(traffic * 1e3, 2),
        "share_of_bound": round(max(arithmetic, traffic) / seconds[FAST], 3),
        "memory_mib": round(memory[FAST]),
        "reference_memory_mib": round(memory[REFERENCE]),
        "gradient_difference": difference,
        **sampling("cuda", 1),
        **sampling("cuda", 64),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
