"""Reports what a run measures: in a bar, as JSON lines, to a tracker, and as a picture of the curve at the end."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from tqdm import tqdm

from pixelseq.model.likelihood import Likelihood
from pixelseq.runtime.codec import from_plain, read_object, to_plain
from pixelseq.runtime.files import atomic_write

if TYPE_CHECKING:
    from accelerate import Accelerator


METRICS, CURVE = "metrics.jsonl", "curve.png"
MARKED = 20
"""The most points of a curve that are marked: a single one makes no line."""


@dataclass(frozen=True)
class Measurement:
    """A line of metrics.jsonl.

    Raises:
        ValueError: a number is out of its range.
    """

    split: Literal["train", "validation"]
    step: int
    nats_per_image: float
    bits_per_dim: float
    seconds: float
    """The seconds of training until then."""
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.step < 2**63 or not math.isfinite(self.nats_per_image + self.bits_per_dim):
            raise ValueError("the step is none, or the likelihood is not finite")

    def to_line(self) -> str:
        """Writes it as JSON; what there is none of is left out."""
        return json.dumps({name: value for name, value in to_plain(self).items() if value is not None}) + "\n"


class Metrics:
    """Writes lines to metrics.jsonl, on the main process alone.

    Args:
        path: the file; its lines of steps after `step` are dropped, since they will be measured again.
        accelerator: the run's accelerator; its trackers get the same numbers.
        step: the step that the run goes on from.
        seconds: the seconds of training until then.
    """

    def __init__(self, path: Path, accelerator: Accelerator, step: int = 0, seconds: float = 0.0) -> None:
        self.accelerator = accelerator
        self.started = time.monotonic() - seconds
        self.file = None
        if accelerator.is_main_process:
            kept = [line for line in read_metrics(path) if line.step <= step]
            with atomic_write(path) as beside:
                beside.write_text("".join(line.to_line() for line in kept))
            self.file = path.open("a")

    def __enter__(self) -> Metrics:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.file:
            self.file.close()

    @property
    def seconds(self) -> float:
        """The seconds of the run so far, those before it was resumed included."""
        return time.monotonic() - self.started

    def write(
        self,
        split: Literal["train", "validation"],
        step: int,
        likelihood: Likelihood,
        learning_rate: float | None = None,
    ) -> None:
        """Appends a line: nats per image and bits/dim of a split at a step."""
        numbers = {"nats_per_image": likelihood.nats_per_image, "bits_per_dim": likelihood.bits_per_dim}
        if learning_rate is not None:
            numbers["learning_rate"] = learning_rate
        self.accelerator.log({f"{split}/{name}": value for name, value in numbers.items()}, step=step)
        if self.file:
            line = Measurement(split, step, **numbers, seconds=round(self.seconds, 2))
            print(line.to_line(), end="", file=self.file, flush=True)


def progress_bar(steps: int | None, done: int, accelerator: Accelerator) -> tqdm:
    """Makes a bar of the steps, on the main process of each machine; a log file gets fewer updates than a terminal."""
    interval = 0.5 if sys.stderr.isatty() else 10  # seconds
    hidden = not accelerator.is_local_main_process
    return tqdm(total=steps, initial=done, unit="step", mininterval=interval, disable=hidden)


def read_metrics(path: Path) -> list[Measurement]:
    """Reads the lines of a metrics.jsonl, of which there are none where there is no file.

    One that was cut off when its run was killed is left out.

    Raises:
        ValueError: a line holds something else than a measurement.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    try:
        return [_read_line(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    except ValueError as error:
        raise ValueError(f"{error}; take the line out to go on without it") from error


def _read_line(line: bytes, what: str) -> Measurement:
    return from_plain(Measurement, {"learning_rate": None, **read_object(line, what)}, what)


def draw_curve(lines: list[Measurement], path: Path) -> None:
    """Draws a PNG of bits/dim against steps, one curve per split; draws none where there are no lines."""
    if not lines:
        return
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for split in dict.fromkeys(line.split for line in lines):
        of_split = [line for line in lines if line.split == split]
        steps, bits = [line.step for line in of_split], [line.bits_per_dim for line in of_split]
        axes.plot(steps, bits, marker="o" if len(of_split) <= MARKED else None, label=split)
    # The first steps are far above the rest; the axis shows what comes after the first tenth.
    late = [line.bits_per_dim for line in lines if line.step >= lines[-1].step / 10]
    axes.set_ylim(min(late) * 0.98, max(late) * 1.02)
    axes.set_xlabel("step")
    axes.set_ylabel("bits/dim")
    axes.legend()
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
    pyplot.close(figure)


def track_pictures(accelerator: Accelerator, pictures: dict[str, Image.Image], step: int) -> None:
    """Gives pictures to the trackers of a run."""
    arrays = {name: np.asarray(picture.convert("RGB"))[None] for name, picture in pictures.items()}  # [1, H, W, 3]
    for tracker in accelerator.trackers:
        if tracker.name == "tensorboard":
            tracker.log_images(arrays, step=step, dataformats="NHWC")
        elif tracker.name == "wandb":
            tracker.log_images(arrays, step=step)
        elif tracker.name == "trackio":
            import trackio

            tracker.log({name: trackio.Image(array[0]) for name, array in arrays.items()}, step=step)
