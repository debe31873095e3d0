"""Metrics, trackers and the curve."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from accelerate import Accelerator
from PIL import Image

from pixelseq import Likelihood
from pixelseq.training.metrics import Metrics, draw_curve, read_metrics, track_pictures


def test_metrics_of_steps_that_are_taken_again_are_dropped(tmp_path: Path) -> None:
    path, accelerator = tmp_path / "metrics.jsonl", Accelerator(cpu=True)
    for begin, steps in [(0, (50, 100, 150)), (100, (150, 200))]:
        with Metrics(path, accelerator, begin, seconds=7.0) as metrics:
            for step in steps:
                metrics.write("train", step, Likelihood(begin + step, 1, 1), learning_rate=0.1)
        with path.open("a") as file:
            file.write('{"split": "tr')  # killed in the middle of a line
    lines = read_metrics(path)
    assert [(line.step, line.nats_per_image) for line in lines] == [(50, 50), (100, 100), (150, 250), (200, 300)]
    assert all(7 <= line.seconds < 60 for line in lines)
    draw_curve(lines, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (840, 480)


LINE = '{"split": "train", "step": 50, "nats_per_image": 1.0, "bits_per_dim": 2.0, "seconds": 3.0}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"step"', '"stop"', "step: Field required"),
        ("50", "-50", "the step is none"),
        ("50", "50.5", "step: Input should be a valid integer"),
        ("train", "rain", "split: Input should be 'train' or 'validation'"),
        ("2.0", "1e400", "Out of range float values"),
        ("{", "{{", "Invalid JSON"),
        ("train", "tr\xe4in", "Invalid JSON"),
        ("}", ', "more": 1}', "unknown or missing: more"),
    ],
)
def test_a_line_that_is_no_measurement_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(f"{LINE}\n{LINE.replace(old, new)}\n".encode("latin-1"))
    with pytest.raises(
        ValueError, match=rf"metrics\.jsonl, line 2: .*{message}.*; take the line out to go on without it"
    ):
        read_metrics(path)


def test_a_curve_of_no_lines_is_not_drawn(tmp_path: Path) -> None:
    draw_curve(read_metrics(tmp_path / "metrics.jsonl"), tmp_path / "curve.png")
    assert not list(tmp_path.iterdir())


def test_trackers_get_pictures_as_they_take_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tracker:
        def __init__(self, name: str) -> None:
            self.name = name

        def log(self, values: dict[str, Any], step: int) -> None:
            got.append((self.name, values, step))

        def log_images(self, values: dict[str, Any], step: int, **more: str) -> None:
            got.append((self.name, values, step))

    got: list[tuple[str, dict[str, Any], int]] = []
    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(Image=lambda array: ("Image", array)))
    names = ["tensorboard", "wandb", "trackio"]
    accelerator = SimpleNamespace(trackers=[Tracker(name) for name in names])
    track_pictures(accelerator, {"samples": Image.new("L", (5, 3), 7)}, 9)  # type: ignore[arg-type]
    assert [(name, list(values), step) for name, values, step in got] == [(name, ["samples"], 9) for name in names]
    for name, values, _ in got:
        if name == "trackio":
            kind, picture = values["samples"]
            assert kind == "Image"
        else:
            (picture,) = values["samples"]
        assert np.array_equal(picture, np.full((3, 5, 3), 7))
