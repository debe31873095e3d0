"""Trains a PixelRNN.

    accelerate launch train/run.py [PRESET] [--flags]

Presets: digits (default), digit_columns. Ends with one JSON line; everything else is in runs/PRESET.
"""

from __future__ import annotations

import json
import math
import sys
import time
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
from pixelseq.data import Dataset, load, training_batches
from pixelseq.images import completion_sheet, sample_sheet, save_png
from pixelseq.training import ImageNats, backward, evaluate_shared, total, warmup_cosine

LOG_EVERY = 50


def main() -> None:
    arguments = sys.argv[1:]
    preset = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "digits"
    with one_line_errors():
        if preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
        config = tyro.cli(TrainConfig, default=PRESETS[preset], args=arguments, description=__doc__)
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
    data = load(config.data)
    if (data.channels, data.levels) != (config.model.channels, config.model.levels):
        raise ValueError(
            f"{config.data} has {data.channels} channels of {data.levels} levels; "
            f"the model {config.model.channels} of {config.model.levels}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    training_seconds = train(config, data, folder, accelerator)
    model = PixelRNN.from_pretrained(folder).to(accelerator.device)
    test = evaluate_shared(accelerator, model, data.test)
    more = {name: evaluate_shared(accelerator, model, images) for name, images in data.more_tests.items()}
    if accelerator.is_main_process:
        draw_pictures(config, model, data, folder)
        result = {
            "data": config.data,
            "test_bits_per_dim": round(test.bits_per_dim, 4),
            "test_nats_per_image": round(test.nats_per_image, 3),
            **{f"{name}_bits_per_dim": round(likelihood.bits_per_dim, 4) for name, likelihood in more.items()},
            "parameters": model.num_parameters,
            "steps": config.steps,
            "seconds": round(time.monotonic() - started, 1),
            "images_per_s": round(config.steps * config.batch_size / training_seconds, 1),
        }
        model.save_pretrained(folder / CHECKPOINT, card=f"Result of its training run: `{json.dumps(result)}`")
        print(json.dumps(result))
    accelerator.wait_for_everyone()
    accelerator.end_training()


def train(config: TrainConfig, data: Dataset, folder: Path, accelerator: Accelerator) -> float:
    """Trains, leaving the best averaged weights in the run's checkpoint; returns seconds without validation."""
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
    batches = training_batches(len(data.train), config.batch_size, config.seed)
    hidden = not accelerator.is_local_main_process
    interval = 0.5 if sys.stderr.isatty() else 10  # seconds; a log file needs fewer lines
    with (
        Metrics(folder / "metrics.jsonl", accelerator) as metrics,
        tqdm(total=config.steps, unit="step", mininterval=interval, disable=hidden) as bar,
    ):
        for step in range(1, config.steps + 1):
            chosen = [data.train[k] for k in next(batches)]
            window += backward(accelerator, network, chosen)
            accelerator.clip_grad_norm_(network.parameters(), config.clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            average.update_parameters(model)
            bar.update()

            if step % LOG_EVERY == 0 or step == config.steps:
                seen = total(accelerator, window)
                window.zero_()
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
    return time.monotonic() - started - validation_seconds


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
    """samples.png, as tall as the tallest training image; tall.png; completions.png, of lower halves."""
    levels, (_, _, W) = model.config.levels, data.test[0].shape
    H = max(image.shape[1] for image in data.train)
    save_png(sample_sheet(sample(model, 64, H, W, config.seed), levels, columns=8), folder / "samples.png")
    tall = sample(model, 16, config.tall_height, W, config.seed)
    save_png(sample_sheet(tall, levels, columns=16), folder / "tall.png")
    originals = data.test[:8]
    masks = [(torch.arange(image.shape[1]) < image.shape[1] // 2)[:, None].expand(-1, W) for image in originals]
    completions = [
        complete(model, image[None], mask, num=8, seed=config.seed, first=8 * k)[0]
        for k, (image, mask) in enumerate(zip(originals, masks, strict=True))
    ]
    save_png(completion_sheet(originals, masks, completions, levels), folder / "completions.png")


if __name__ == "__main__":
    main()
