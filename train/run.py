"""Trains a PixelRNN; the same command goes on with a run that was stopped.

    python train/run.py [PRESET] [--flags]
    python train/run.py --data my/pictures --crop 32x32 --flip
    accelerate launch --multi_gpu --num_processes N train/run.py [PRESET] [--flags]

Presets: PRESETS. The last line printed is JSON; everything else is in runs/PRESET.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pixelseq.data.batches import training_batches
from pixelseq.data.dataset import Dataset
from pixelseq.data.loading import load
from pixelseq.data.store import Images
from pixelseq.imaging.pictures import check_pictures, save_png
from pixelseq.model.checkpoint import CHECKPOINT
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.runtime.files import LOCK, locked, remove_leftovers
from pixelseq.runtime.processes import join_processes, launcher_number
from pixelseq.runtime.scripts import as_flags, one_line_errors
from pixelseq.runtime.signals import Signals, end_with_launcher
from pixelseq.training.arguments import configure, parse_arguments
from pixelseq.training.conditions import conditional
from pixelseq.training.config import TrainConfig
from pixelseq.training.gradients import ImageNats, backward, evaluate_shared
from pixelseq.training.limits import expected_steps, learning_rate, limit_reached, plan, plan_note
from pixelseq.training.memory import check_memory
from pixelseq.training.metrics import CURVE, METRICS, Metrics, draw_curve, progress_bar, read_metrics, track_pictures
from pixelseq.training.optimisers import build_optimizer, seed_step, set_learning_rate
from pixelseq.training.pictures import draw_pictures
from pixelseq.training.presets import PRESETS
from pixelseq.training.result import RESULT, read_result, write_result
from pixelseq.training.run_state import RunState
from pixelseq.training.saved_state import STATES, Progress, has_states
from pixelseq.training.settings import read_settings, write_settings
from pixelseq.training.stages import (
    freeze_encoder,
    parts,
    stage_images,
    stage_model,
    stage_note,
    start_from,
    take_fitting,
)
from pixelseq.training.stopping import ADVICE

if TYPE_CHECKING:
    from accelerate import Accelerator

LOG_EVERY = 50
"""Steps between lines of metrics."""
SAVING = "saving the state, then ending; another signal after 5 seconds ends at once"
UNSUPPORTED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")
"""The kinds of accelerate's training that are refused; version 2 of FSDP is supported."""
PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def main(arguments: list[str]) -> None:
    end_with_launcher()
    with one_line_errors():
        command = parse_arguments(arguments, (__doc__ or "").replace("PRESETS", ", ".join(PRESETS)))
        folder, main_process = command.folder, launcher_number("RANK", 0) == 0
        with locked(folder / LOCK) if main_process else nullcontext():
            config = configure(command)
            result = finished(config, folder, main_process)
            if result is None:
                run(command.preset, config, folder)
            elif main_process:
                hint = "raise --steps, --epochs or --minutes to go on with it, or choose another folder with --out"
                print(f"{folder} holds the finished run: {hint}", file=sys.stderr)
                print(json.dumps(result))


def finished(config: TrainConfig, folder: Path, main_process: bool) -> dict[str, Any] | None:
    """Gives the result of the run in a folder, if it is whole and no other limits are asked for than those it has."""
    begun = read_settings(folder)
    if begun is None or dataclasses.replace(config, out=None) != begun[1]:
        return None
    try:
        return read_result(folder)
    except ValueError as error:
        if main_process:
            print(f"{error}; it is made anew", file=sys.stderr)
        return None


def run(preset: str, asked: TrainConfig, folder: Path) -> None:
    """Builds, trains, evaluates, and writes the run's folder."""
    accelerator = join_processes(
        "train/run.py", asked.track, mixed_precision=PRECISIONS[asked.precision], project_dir=folder
    )
    main_process = accelerator.is_main_process
    if accelerator.distributed_type in UNSUPPORTED and not accelerator.is_fsdp2:
        kind = accelerator.distributed_type.value
        raise ValueError(f"accelerate's {kind} is not supported as it is set up; train/fsdp.yaml shards the weights")
    if asked.batch_size < accelerator.num_processes:
        raise ValueError(
            f"--batch-size is {asked.batch_size}; {accelerator.num_processes} processes need one image each"
        )
    with accelerator.local_main_process_first():  # it decodes for all of its machine
        data = load(asked.images)
    for note in data.notes if main_process else ():
        print(f"{data.name}: {as_flags(note)}", file=sys.stderr)
    if asked.stage_split:
        if not isinstance(data.train, Images):
            raise ValueError("--stage-split needs images that are at hand; leave --streaming off")
        data = dataclasses.replace(data, train=stage_images(data.train, asked.stage))
    config, data = fit_to_data(asked, data)
    check_pictures(data.pixel_format)
    model, begun_with = build_model(config, folder)
    if isinstance(data.train, Images):
        check_memory(config, model, data.train, accelerator.device, accelerator.num_processes)
    if main_process:
        if begun_with is not None:
            print(begun_with, file=sys.stderr)
        remove_leftovers(folder)
        remove_leftovers(folder / STATES)
    accelerator.wait_for_everyone()  # so that all see the same states
    loss = ImageNats(model, config.shift)
    optimizer = build_optimizer(config.optimizer, loss.parameters(), config.learning_rate, config.weight_decay)
    state = RunState(accelerator, loss, optimizer, config.ema_decay, config.compile)
    state.resume(folder / STATES, data)
    if main_process:
        read_metrics(folder / METRICS)  # which may be damaged
        # Nothing else can be amiss: the result will not be that of what is asked for now.
        (folder / RESULT).unlink(missing_ok=True)
        write_settings(folder, preset, dataclasses.replace(asked, out=None))
    if config.track:
        accelerator.init_trackers("pixelseq")
    accelerator.wait_for_everyone()
    progress, stopped_by = train(config, state, data, folder)
    if stopped_by is None:
        finish(config, data, folder, accelerator, progress)
    elif main_process:
        print(f"stopped by {stopped_by} after step {progress.step}; the same command goes on", file=sys.stderr)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def fit_to_data(config: TrainConfig, data: Dataset) -> tuple[TrainConfig, Dataset]:
    """Fills in what the data decide, such as the model's pixel format and its classes, and has them tell conditions."""
    model, data = conditional(config, data)
    model = dataclasses.replace(model, pixel_format=data.pixel_format)
    steps = config.steps
    if config.epochs is not None:
        if not isinstance(data.train, Images):
            raise ValueError("the length of a stream is not known; give --steps instead of --epochs")
        steps = math.ceil(config.epochs * len(data.train) / config.batch_size)
    return dataclasses.replace(config, model=model, steps=steps), data


def build_model(config: TrainConfig, folder: Path) -> tuple[PixelRNN, str | None]:
    """Builds the model as the run's first step finds it; says what it has of another one, too."""
    torch.manual_seed(config.seed)
    model, note = stage_model(config.model, config.stage), None
    if config.init_from is not None and not has_states(folder / STATES):
        if config.stage == "joint":
            note, taken = take_fitting(model, config.init_from)
            if config.freeze_encoder and (lacking := {"pixels", "encoder"} & parts(model) - set(taken)):
                names = " and ".join(sorted(lacking))
                raise ValueError(f"--freeze-encoder would keep {names} as nobody has trained them; {note}")
        else:
            start_from(model, config.init_from)
    if config.freeze_encoder:
        freeze_encoder(model)
    return model, note


def train(config: TrainConfig, state: RunState, data: Dataset, folder: Path) -> tuple[Progress, str | None]:
    """Trains, leaving the best averaged weights in the run's checkpoint, and states to go on from.

    Returns:
        How far it came, and the name of the signal that stopped it.
    """
    accelerator, progress = state.accelerator, state.progress
    rank, world, main_process = accelerator.process_index, accelerator.num_processes, accelerator.is_main_process
    if progress.end is not None:  # other limits may be asked for now
        progress.end = limit_reached(config, progress, progress.seconds)
    if main_process:
        begun_as = stage_note(state.model, config.stage) if config.stage != "joint" else None
        ended = progress.end and f"the run has ended by {progress.end} after step {progress.step}; raise it to go on"
        for note in (begun_as, ended or plan_note(config, progress)):
            if note:
                print(note, file=sys.stderr)
    progress.plan = plan(config)
    batches = training_batches(
        data.train, config.batch_size, config.seed, config.batch_pixels, start=progress.step, rank=rank, world=world
    )
    with (
        Signals(SAVING if main_process else None) as signals,
        Metrics(folder / METRICS, accelerator, progress.step, progress.seconds) as metrics,
        progress_bar(config.steps, progress.step, accelerator) as bar,
    ):
        while progress.end is None:
            seed_step(config.seed, progress.step, rank)
            told = signals.received is not None, metrics.seconds
            sums, (signalled, seconds) = backward(accelerator, state.network, next(batches), config.accumulate, told)
            # Several processes heed a signal together, one step later.
            interrupted = signalled > 0 or (world == 1 and signals.received is not None)
            rate = learning_rate(config, progress.step, seconds)
            set_learning_rate(state.plain_optimizer, rate)
            state.step(sums, float(accelerator.clip_grad_norm_(state.network.parameters(), config.clip_norm)))
            step = progress.step
            bar.total = expected_steps(config, step, seconds)
            bar.update()

            progress.end = limit_reached(config, progress, seconds)
            if step % config.validate_every == 0 or progress.end is not None:
                began = time.monotonic()
                averaged = state.averaged
                held_out = evaluate_shared(accelerator, averaged, data.validation)
                if not math.isfinite(held_out.nll_nats):
                    raise ValueError(f"the validation after step {step} is not finite; {ADVICE}")
                metrics.write("validation", step, held_out)
                progress.validation_seconds += time.monotonic() - began
                if state.note_validation(held_out) and main_process:
                    averaged.trained_on = data.describe().after(step, held_out.nats_per_image, held_out.bits_per_dim)
                    averaged.save_pretrained(folder / CHECKPOINT)
                progress.end = progress.end or limit_reached(config, progress, seconds)
            if step % LOG_EVERY == 0 or progress.end is not None:
                seen = state.close_window()
                if seen.images:  # none where every step was left out
                    metrics.write("train", step, seen, learning_rate=rate)
                    held = "" if progress.best is None else f", best validation {progress.best:.3f}"
                    bar.set_postfix_str(f"nats {seen.nats_per_image:.2f}, bits/dim {seen.bits_per_dim:.3f}{held}")
            if step % config.save_every == 0 or progress.end is not None or interrupted:
                state.save(folder / STATES, metrics.seconds, config.keep)
            if interrupted and progress.end is None:
                return progress, signals.received.name if signals.received else "a signal to another process"
    return progress, None


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
    draw_curve(read_metrics(folder / METRICS), folder / CURVE)
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
    write_result(folder, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
