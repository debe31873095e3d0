"""Training on two processes of one thread each against one such process, on a CPU, in one run.

    python tests/benchmarks/bench_processes.py

Trains the paper's MNIST net on images drawn at random, batch 16 over all processes. Runs take turns; ratios are of
medians. Last line: JSON.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

ROUNDS, STEPS, BATCH, SIDE = 3, 60, 16, 28


def measure() -> None:
    """In a process of the launcher: prints images/s of all processes together."""
    from accelerate import Accelerator

    from pixelseq import ModelConfig, PixelFormat, PixelRNN
    from pixelseq.runtime.scripts import set_up_torch
    from pixelseq.training.gradients import ImageNats, backward
    from pixelseq.training.optimisers import build_optimizer

    accelerator = Accelerator(cpu=True)
    set_up_torch(alone=False)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = PixelRNN(ModelConfig(PixelFormat(levels=2), hidden=16, blocks=("diagonal",) * 7, context_blocks=0))
    network, optimizer = accelerator.prepare(ImageNats(model), build_optimizer("adamw", model.parameters(), 1e-3, 0.0))
    images = torch.randint(2, (BATCH, 1, SIDE, SIDE), dtype=torch.uint8)
    share = list(images[accelerator.process_index :: accelerator.num_processes])
    started = 0.0
    for step in range(STEPS + 5):
        if step == 5:  # compiled, memory at hand
            accelerator.wait_for_everyone()
            started = time.perf_counter()
        backward(accelerator, network, share)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        print(json.dumps({"images_per_s": STEPS * BATCH / (time.perf_counter() - started)}))
    accelerator.end_training()


def launch(processes: int) -> float:
    """Images/s of a launch."""
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    command = [sys.executable, *(launcher if processes > 1 else []), str(Path(__file__)), "measure"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["images_per_s"])


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}; batch {BATCH}, {SIDE}x{SIDE}")
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for processes, found in rates.items():
            found.append(launch(processes))
            print(f"{processes} processes: {found[-1]:.1f} images/s")
    one, two = (statistics.median(found) for found in rates.values())
    print(
        json.dumps({"bench": "processes", "ratio": round(two / one, 2), "images_per_s": [round(one, 1), round(two, 1)]})
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        main()
