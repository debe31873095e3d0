"""Trains a PixelRNN.

    accelerate launch train/run.py [PRESET] [--flags]
    accelerate launch train/run.py --data my/pictures --crop 32x32 --flip

Presets: digits (default), digit_columns, photos. Ends with one JSON line; everything else is in runs/PRESET.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import tyro
from accelerate import Accelerator
from presets import PRESETS, TrainConfig
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from pixelseq import Likelihood, PixelRNN, complete, sample
from pixelseq.checkpoint import CHECKPOINT
from pixelseq.cli import one_line_errors, set_up_torch
from pixelseq.data import Dataset, Images, load, training_batches
from pixelseq.images import completion_sheet, sample_sheet, save_png
from pixelseq.training import ImageNats, backward, evaluate_shared, total, warmup_cosine

LOG_EVERY = 50
FOLLOWING = ("channels", "levels")
"""Fields of the model that the data decides."""
SAMPLED_PIXELS = 64 * 64
"""Pixels of a sampled image at most: they are drawn one after another."""
COMPLETED_PIXELS = 32 * 32
"""Pixels of a completed image at most: images are completed one after another."""


def main() -> None:
    arguments = sys.argv[1:]
    preset = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "digits"
    with one_line_errors():
        if preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
        config = tyro.cli(TrainConfig, default=PRESETS[preset], args=arguments, description=__doc__)
        if any(getattr(config.model, name) != getattr(PRESETS[preset].model, name) for name in FOLLOWING):
            raise ValueError("--model.channels and --model.levels follow the data; choose --channels and --levels")
        run(config, config.out or Path("runs") / preset)


def run(config: TrainConfig, folder: Path) -> None:
    """Builds, trains, evaluates, and writes the run's folder."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    if (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} already holds a trained model; choose another folder with --out, or delete it")
    if config.batch_size < accelerator.num_processes:
        raise ValueError(
            f"--batch-size is {config.batch_size}; {accelerator.num_processes} processes need one image each"
        )
    set_up_torch(alone=accelerator.num_processes == 1)
    with accelerator.main_process_first():  # which decodes for all
        data = load(config.images)
    if accelerator.is_main_process:
        for note in data.notes:
            print(f"{data.name}: {note}", file=sys.stderr)
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, channels=data.channels, levels=data.levels)
    )
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    images, training_seconds = train(config, data, folder, accelerator)
    model = PixelRNN.from_pretrained(folder).to(accelerator.device)
    test = evaluate_shared(accelerator, model, data.test)
    more = {name: evaluate_shared(accelerator, model, images) for name, images in data.more_tests.items()}
    if accelerator.is_main_process:
        draw_pictures(config, model, data, folder)
        result = {
            "data": data.name,
            "test_bits_per_dim": round(test.bits_per_dim, 4),
            "test_nats_per_image": round(test.nats_per_image, 3),
            **{f"{name}_bits_per_dim": round(likelihood.bits_per_dim, 4) for name, likelihood in more.items()},
            "parameters": model.num_parameters,
            "steps": config.steps,
            "seconds": round(time.monotonic() - started, 1),
            "images_per_s": round(images / training_seconds, 1),
        }
        model.save_pretrained(folder / CHECKPOINT, card=f"Result of its training run: `{json.dumps(result)}`")
        print(json.dumps(result))
    accelerator.wait_for_everyone()
    accelerator.end_training()


def train(config: TrainConfig, data: Dataset, folder: Path, accelerator: Accelerator) -> tuple[int, float]:
    """Trains, leaving the best averaged weights in the run's checkpoint.

    Returns:
        Images trained on, and seconds without validation.
    """
    torch.manual_seed(config.seed)
    model = PixelRNN(config.model)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_cosine(step, config.warmup, config.steps)
    )
    network, optimizer = accelerator.prepare(ImageNats(model), optimizer)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
    torch.manual_seed(config.seed + 1 + accelerator.process_index)  # dropout differs between processes

    best = float("inf")
    validation_seconds, started = 0.0, time.monotonic()
    window = torch.zeros(3, dtype=torch.float64, device=accelerator.device)  # nats, images, values since the last line
    trained = 0
    rank, world = accelerator.process_index, accelerator.num_processes
    batches = training_batches(data.train, config.batch_size, config.seed, config.batch_pixels, rank=rank, world=world)
    hidden = not accelerator.is_local_main_process
    interval = 0.5 if sys.stderr.isatty() else 10  # seconds; a log file needs fewer lines
    with (
        Metrics(folder / "metrics.jsonl", accelerator) as metrics,
        tqdm(total=config.steps, unit="step", mininterval=interval, disable=hidden) as bar,
    ):
        for step in range(1, config.steps + 1):
            window += backward(accelerator, network, next(batches))
            accelerator.clip_grad_norm_(network.parameters(), config.clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            average.update_parameters(model)
            bar.update()

            if step % LOG_EVERY == 0 or step == config.steps:
                seen = total(accelerator, window)
                window.zero_()
                trained += seen.images
                check_finite(seen, step)
                metrics.write("train", step, seen, learning_rate=float(schedule.get_last_lr()[0]))
                held = f", best validation {best:.3f}" if math.isfinite(best) else ""
                bar.set_postfix_str(f"nats {seen.nats_per_image:.2f}, bits/dim {seen.bits_per_dim:.3f}{held}")
            if step % config.validate_every == 0 or step == config.steps:
                paused = time.monotonic()
                averaged = average.module
                assert isinstance(averaged, PixelRNN)
                held_out = evaluate_shared(accelerator, averaged, data.validation)
                check_finite(held_out, step)
                metrics.write("validation", step, held_out)
                if held_out.bits_per_dim < best:
                    best = held_out.bits_per_dim
                    if accelerator.is_main_process:
                        averaged.save_pretrained(folder / CHECKPOINT)
                validation_seconds += time.monotonic() - paused
    accelerator.wait_for_everyone()
    return trained, time.monotonic() - started - validation_seconds


def check_finite(likelihood: Likelihood, step: int) -> None:
    """Stops a run that has diverged."""
    if not math.isfinite(likelihood.nll_nats):
        raise ValueError(f"the likelihood at step {step} is not finite; try a lower --learning-rate")


class Metrics:
    """A JSON line for each measurement, written by the main process alone."""

    def __init__(self, path: Path, accelerator: Accelerator) -> None:
        self.file = path.open("w") if accelerator.is_main_process else None
        self.started = time.monotonic()

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, *error: object) -> None:
        if self.file:
            self.file.close()

    def write(self, split: str, step: int, likelihood: Likelihood, **more: float) -> None:
        """Appends a line."""
        if self.file:
            line = {
                "split": split,
                "step": step,
                "nats_per_image": likelihood.nats_per_image,
                "bits_per_dim": likelihood.bits_per_dim,
                "seconds": round(time.monotonic() - self.started, 2),
                **more,
            }
            print(json.dumps(line), file=self.file, flush=True)


def draw_pictures(config: TrainConfig, model: PixelRNN, data: Dataset, folder: Path) -> None:
    """samples.png, of the size of the largest image; tall.png; completions.png, of lower halves. All within limits."""
    levels = model.config.levels
    sizes = data.train.sizes if isinstance(data.train, Images) else data.test.sizes
    H, W = capped(sizes.max(0).tolist(), SAMPLED_PIXELS)
    samples = sample(model, 64 if H * W <= SAMPLED_PIXELS // 4 else 16, H, W, config.seed)
    save_png(sample_sheet(samples, levels, columns=8), folder / "samples.png")
    tall = sample(model, 16, capped((config.tall_height, W), SAMPLED_PIXELS)[0], W, config.seed)
    save_png(sample_sheet(tall, levels, columns=16), folder / "tall.png")
    originals = []
    for image in data.test[:: -(-len(data.test) // 8)]:
        h, w = capped(image.shape[1:], COMPLETED_PIXELS)
        originals.append(image[:, :h, :w])
    masks = [(torch.arange(h) < h // 2)[:, None].expand(-1, w) for _, h, w in (image.shape for image in originals)]
    completions = [
        complete(model, image[None], mask, num=8, seed=config.seed, first=8 * k)[0]
        for k, (image, mask) in enumerate(zip(originals, masks, strict=True))
    ]
    save_png(completion_sheet(originals, masks, completions, levels), folder / "completions.png")


def capped(size: Sequence[int], pixels: int) -> tuple[int, int]:
    """Rows and columns of at most so many pixels: a square's columns, and as many rows as there is room for."""
    height, width = size
    width = min(width, math.isqrt(pixels))
    return min(height, pixels // width), width


if __name__ == "__main__":
    main()
