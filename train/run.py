"""Trains a PixelRNN; the same command goes on with a run that was stopped.

    accelerate launch train/run.py [PRESET] [--flags]
    accelerate launch train/run.py --data my/pictures --crop 32x32 --flip

Presets: PRESETS. Ends with one JSON line; everything else is in runs/PRESET.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import tyro
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, gather_object
from presets import PRESETS, TrainConfig
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from pixelseq import Likelihood, PixelRNN
from pixelseq.checkpoint import CHECKPOINT
from pixelseq.cli import LONGEST_WAIT, check_processes, one_line_errors, set_up_torch
from pixelseq.data import Dataset, Images, load, training_batches
from pixelseq.files import locked, remove_leftovers, whole_file
from pixelseq.images import check_pictures, save_png
from pixelseq.signals import Signals, end_with_launcher
from pixelseq.training import (
    ADVICE,
    FiniteGuard,
    ImageNats,
    Metrics,
    SavedState,
    any_process,
    backward,
    build_optimizer,
    check_agreement,
    collect_tensors,
    draw_curve,
    draw_pictures,
    evaluate_shared,
    freeze_encoder,
    has_states,
    newest_state,
    read_metrics,
    read_settings,
    restore_tensors,
    save_state,
    schedule_factor,
    seed_step,
    set_learning_rate,
    stage_images,
    stage_model,
    start_from,
    total,
    track_pictures,
    whole,
    write_settings,
)

LOG_EVERY = 50
METRICS, RESULT, STATES, LOCK = "metrics.jsonl", "result.json", "state", "lock"
FOLLOWING = ("channels", "levels", "legend")
"""Fields of the model that the data decides."""
SAVING = "saving the state, then ending; another signal after 5 seconds ends at once"
UNSUPPORTED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""Of accelerate's kinds of training; version 2 of FSDP is supported."""
PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass
class Progress:
    """How far a run has come; what is no tensor of its saved state."""

    data: str | None = None
    """Fingerprint of the data set."""
    step: int = 0
    trained: int = 0
    """Images trained on."""
    best: float | None = None
    """Bits/dim of the best validation."""
    without_gain: int = 0
    """Validations since then."""
    bad_steps: int = 0
    """The last ones, left out since they are not finite."""
    seconds: float = 0.0
    validation_seconds: float = 0.0
    windows: list[list[float]] = field(default_factory=list)
    """Nats, images and values of each process since the last line of metrics."""
    scaler: dict[str, Any] | None = None
    """Of float16's gradients."""
    end: str | None = None
    """The flag that training has ended by."""


def main() -> None:
    arguments = sys.argv[1:]
    preset = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "digits"
    end_with_launcher()
    with one_line_errors():
        if preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
        config, folder = configure(preset, arguments)
        if not (folder / RESULT).exists():
            run(preset, config, folder)
        elif os.environ.get("RANK", "0") == "0":
            print(f"{folder} holds the finished run; choose another folder with --out for a new one", file=sys.stderr)
            print((folder / RESULT).read_text().strip())


def configure(preset: str, arguments: list[str]) -> tuple[TrainConfig, Path]:
    """What is asked for, and the run's folder; a run that was begun goes on with its own settings."""
    about = (__doc__ or "").replace("PRESETS", ", ".join(PRESETS))
    config = tyro.cli(TrainConfig, default=PRESETS[preset], args=arguments, description=about)
    if any(getattr(config.model, name) != getattr(PRESETS[preset].model, name) for name in FOLLOWING):
        raise ValueError(
            "--model.channels, --model.levels and --model.legend follow the data; choose --channels and --levels"
        )
    folder = config.out or Path("runs") / preset
    begun = read_settings(folder, preset, PRESETS[preset])
    if begun is not None:
        # Flags that are not given again count as they did before. Until its first state a run can be begun otherwise.
        config = tyro.cli(TrainConfig, default=begun, args=arguments)
        if has_states(folder / STATES):
            check_agreement(config, begun, folder)
        return config, folder
    if (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} already holds a trained model; choose another folder with --out, or delete it")
    return config, folder


def run(preset: str, asked: TrainConfig, folder: Path) -> None:
    """Builds, trains, evaluates, and writes the run's folder."""
    if asked.track is not None and importlib.util.find_spec(asked.track) is None:
        raise ValueError(f"--track {asked.track} needs the package {asked.track}; install it by pip")
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision=PRECISIONS[asked.precision],
        log_with=asked.track,
        project_dir=folder,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )
    check_processes(accelerator.num_processes, "train/run.py")
    if accelerator.distributed_type in UNSUPPORTED and not accelerator.is_fsdp2:
        kind = accelerator.distributed_type.value
        raise ValueError(f"accelerate's {kind} is not supported as it is set up; train/fsdp.yaml shards the weights")
    if asked.batch_size < accelerator.num_processes:
        raise ValueError(
            f"--batch-size is {asked.batch_size}; {accelerator.num_processes} processes need one image each"
        )
    set_up_torch(alone=accelerator.num_processes == 1)
    with accelerator.local_main_process_first():  # which decodes for all of its machine
        data = load(asked.images)
    if asked.stage_split:
        if not isinstance(data.train, Images):
            raise ValueError("--stage-split needs images that are at hand; leave --streaming off")
        data = dataclasses.replace(data, train=stage_images(data.train, asked.stage))
    config = follow(asked, data)
    check_pictures(config.model.channels, config.model.levels, config.model.pixels)
    model = build_model(config, folder)
    main_process = accelerator.is_main_process
    with locked(folder / LOCK) if main_process else nullcontext():
        if main_process:
            for note in data.notes:
                print(f"{data.name}: {note}", file=sys.stderr)
            remove_leftovers(folder)
            remove_leftovers(folder / STATES)
        if config.track:
            accelerator.init_trackers("pixelseq")
        if main_process:  # once nothing else can be amiss
            write_settings(folder, preset, dataclasses.replace(asked, out=None))
        accelerator.wait_for_everyone()
        progress, stopped_by = train(config, model, data, folder, accelerator)
        if stopped_by is None:
            finish(config, data, folder, accelerator, progress)
        elif main_process:
            print(f"stopped by {stopped_by} after step {progress.step}; the same command goes on", file=sys.stderr)
        accelerator.wait_for_everyone()
        accelerator.end_training()


def follow(config: TrainConfig, data: Dataset) -> TrainConfig:
    """The configuration with what the data decides: the model's channels and levels, and the steps of epochs."""
    model = dataclasses.replace(config.model, channels=data.channels, levels=data.levels, legend=data.legend)
    steps = config.steps
    if config.epochs is not None:
        if not isinstance(data.train, Images):
            raise ValueError("the length of a stream is not known; give --steps instead of --epochs")
        steps = math.ceil(config.epochs * len(data.train) / config.batch_size)
    return dataclasses.replace(config, model=model, steps=steps)


def build_model(config: TrainConfig, folder: Path) -> PixelRNN:
    """The model as the run's first step finds it."""
    torch.manual_seed(config.seed)
    model = stage_model(config.model, config.stage)
    if config.init_from is not None and not has_states(folder / STATES):
        start_from(model, config.init_from)
    if config.freeze_encoder:
        freeze_encoder(model)
    return model


def train(
    config: TrainConfig, model: PixelRNN, data: Dataset, folder: Path, accelerator: Accelerator
) -> tuple[Progress, str | None]:
    """Trains, leaving the best averaged weights in the run's checkpoint, and states to go on from.

    Returns:
        How far it came, and the name of the signal that stopped it.
    """
    rank, world, main_process = accelerator.process_index, accelerator.num_processes, accelerator.is_main_process
    saved, damaged = newest_state(folder / STATES)
    progress = Progress(**saved.progress) if saved else Progress()
    fingerprint = data.fingerprint()
    if progress.data not in (None, fingerprint):
        raise ValueError(f"{data.name} has other images than when {folder} was begun; choose another folder with --out")
    progress.data = fingerprint
    if main_process and (saved or damaged):
        print("; ".join([*damaged, f"going on after step {progress.step}"]), file=sys.stderr)
    plain = build_optimizer(config.optimizer, model.parameters(), config.learning_rate, config.weight_decay)
    loss = ImageNats(model)
    if config.compile:
        loss.compile()
    # Whole on every process, while its model may be sharded.
    average = AveragedModel(model, accelerator.device, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
    averaged = average.module
    assert isinstance(averaged, PixelRNN)
    network, optimizer = accelerator.prepare(loss, plain)
    scaler = accelerator.scaler  # of float16's gradients, and None otherwise
    if main_process and config.stage != "joint":
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        parts = "encoder and head" if config.stage == "encoder" else "blocks and head"
        parts += ", encoder too" if config.stage == "recurrent" and not config.freeze_encoder else ""
        print(f"stage {config.stage} trains {parts}: {trained} parameters", file=sys.stderr)

    window = torch.zeros(3, dtype=torch.float64, device=accelerator.device)  # nats, images, values since the last line
    if saved:
        restore_tensors(saved.tensors, network, average, plain)
        if scaler is not None and progress.scaler:
            scaler.load_state_dict(progress.scaler)
        if len(progress.windows) == world:
            window += window.new_tensor(progress.windows[rank])
        elif main_process:
            window += window.new_tensor(progress.windows).sum(0)

    batches = training_batches(
        data.train, config.batch_size, config.seed, config.batch_pixels, start=progress.step, rank=rank, world=world
    )
    guard = FiniteGuard(progress.bad_steps)
    with (
        Signals(SAVING if main_process else None) as signals,
        Metrics(folder / METRICS, accelerator, progress.step, progress.seconds) as metrics,
        progress_bar(config.steps, progress.step, accelerator) as bar,
    ):
        while progress.end is None:
            seed_step(config.seed, progress.step, rank)
            factor = schedule_factor(config.schedule, progress.step, config.warmup, config.steps)
            set_learning_rate(plain, config.learning_rate * factor)
            sums = backward(accelerator, network, next(batches), config.accumulate)
            norm = accelerator.clip_grad_norm_(network.parameters(), config.clip_norm)
            step = progress.step = progress.step + 1
            late = config.minutes is not None and metrics.seconds > 60 * config.minutes
            wild_loss, wild_gradient = not math.isfinite(sums[0]), not math.isfinite(norm)
            interrupted, late, wild_loss, wild_gradient = any_process(
                accelerator, signals.received is not None, late, wild_loss, wild_gradient
            )
            scale = 1.0 if scaler is None else scaler.get_scale()
            if guard.allows(step, not wild_loss, not wild_gradient, scale):
                window += sums
                optimizer.step()
                average.update_parameters(whole(model))
            elif scaler is not None:
                scaler.update()  # to a lower scale, where gradients overflowed
            optimizer.zero_grad()
            bar.update()

            if step >= config.steps or late:
                progress.end = "--steps" if step >= config.steps else "--minutes"
            if step % config.validate_every == 0 or progress.end is not None:
                began = time.monotonic()
                held_out = evaluate_shared(accelerator, averaged, data.validation)
                if not math.isfinite(held_out.nll_nats):
                    raise ValueError(f"the validation after step {step} is not finite; {ADVICE}")
                metrics.write("validation", step, held_out)
                progress.validation_seconds += time.monotonic() - began
                progress.without_gain += 1
                if progress.best is None or held_out.bits_per_dim < progress.best:
                    progress.best, progress.without_gain = held_out.bits_per_dim, 0
                    if main_process:
                        averaged.save_pretrained(folder / CHECKPOINT)
                progress.end = progress.end or reached(config, held_out, progress)
            if step % LOG_EVERY == 0 or progress.end is not None:
                seen = total(accelerator, window)
                window.zero_()
                progress.trained += seen.images
                if seen.images:  # none where every step was left out
                    metrics.write("train", step, seen, learning_rate=config.learning_rate * factor)
                    held = "" if progress.best is None else f", best validation {progress.best:.3f}"
                    bar.set_postfix_str(f"nats {seen.nats_per_image:.2f}, bits/dim {seen.bits_per_dim:.3f}{held}")
            if step % config.save_every == 0 or progress.end is not None or interrupted:
                progress.seconds, progress.bad_steps = metrics.seconds, guard.bad_steps
                progress.windows = gather_object([window.tolist()])
                progress.scaler = None if scaler is None else scaler.state_dict()
                tensors = collect_tensors(network, average, plain)
                if main_process:
                    save_state(folder / STATES, step, SavedState(asdict(progress), tensors), config.keep)
                accelerator.wait_for_everyone()
            if interrupted and progress.end is None:
                return progress, signals.received.name if signals.received else "a signal to another process"
    return progress, None


def reached(config: TrainConfig, held_out: Likelihood, progress: Progress) -> str | None:
    """The flag that a validation ends the run by, if any."""
    if config.target_bits_per_dim is not None and held_out.bits_per_dim <= config.target_bits_per_dim:
        return "--target-bits-per-dim"
    if config.target_nats is not None and held_out.nats_per_image <= config.target_nats:
        return "--target-nats"
    if config.patience is not None and progress.without_gain >= config.patience:
        return "--patience"
    return None


def progress_bar(steps: int, done: int, accelerator: Accelerator) -> tqdm:
    """A bar on the main process of each machine; a log file needs fewer lines than a terminal."""
    interval = 0.5 if sys.stderr.isatty() else 10  # seconds
    hidden = not accelerator.is_local_main_process
    return tqdm(total=steps, initial=done, unit="step", mininterval=interval, disable=hidden)


def finish(config: TrainConfig, data: Dataset, folder: Path, accelerator: Accelerator, progress: Progress) -> None:
    """Evaluates the best weights, draws pictures, and writes and prints the result."""
    model = PixelRNN.from_pretrained(folder).to(accelerator.device)
    test = evaluate_shared(accelerator, model, data.test)
    more = {name: evaluate_shared(accelerator, model, images) for name, images in data.more_tests.items()}
    if not accelerator.is_main_process:
        return
    pictures = draw_pictures(model, data, config.tall_height, config.seed)
    for name, picture in pictures.items():
        save_png(picture, folder / f"{name}.png")
    draw_curve(read_metrics(folder / METRICS), folder / "curve.png")
    track_pictures(accelerator, pictures, progress.step)
    result = {
        "data": data.name,
        "test_bits_per_dim": round(test.bits_per_dim, 4),
        "test_nats_per_image": round(test.nats_per_image, 3),
        "test_nats_standard_error": None if test.nats_error is None else round(test.nats_error, 3),
        **{f"{name}_bits_per_dim": round(likelihood.bits_per_dim, 4) for name, likelihood in more.items()},
        "parameters": model.num_parameters,
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "images_per_s": round(progress.trained / (progress.seconds - progress.validation_seconds), 1),
    }
    model.save_pretrained(folder / CHECKPOINT, card=f"Result of its training run: `{json.dumps(result)}`")
    with whole_file(folder / RESULT) as beside:
        beside.write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
