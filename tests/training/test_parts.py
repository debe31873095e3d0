"""Optimizers, schedules, stages, stopping, settings, metrics and saved states, each by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from helpers import small_model
from PIL import Image
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelseq import Likelihood, ModelConfig
from pixelseq.data import load
from pixelseq.runtime.files import locked, remove_leftovers, whole_folder
from pixelseq.runtime.scripts import check_processes
from pixelseq.runtime.signals import Signals
from pixelseq.training import (
    FiniteGuard,
    Metrics,
    SavedState,
    build_optimizer,
    check_agreement,
    collect_tensors,
    draw_curve,
    freeze_encoder,
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
    track_pictures,
    write_settings,
)


def test_the_learning_rate_warms_up_and_follows_a_cosine_or_stays() -> None:
    factors = [schedule_factor("cosine", step, warmup=4, steps=12) for step in range(13)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[8] == pytest.approx(0.5)
    assert factors[12] == pytest.approx(0)
    assert [schedule_factor("constant", step, warmup=2, steps=12) for step in range(4)] == [0.5, 1, 1, 1]


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("rmsprop", torch.optim.RMSprop)])
def test_optimizers_train_what_is_not_frozen(name: str, kind: type) -> None:
    model = small_model()
    model.encoder.requires_grad_(False)
    optimizer = build_optimizer(name, model.parameters(), 0.1, 0.0)
    assert isinstance(optimizer, kind)
    frozen = {id(parameter) for parameter in model.encoder.parameters()}
    assert not frozen & {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]


def test_every_step_and_process_has_its_own_random_numbers() -> None:
    def draw(*where: int) -> float:
        seed_step(*where)
        return torch.rand(()).item()

    places = [(s, step, rank) for s in (0, 1) for step in (0, 1, 2) for rank in (0, 1)]
    drawn = [draw(*place) for place in places]
    assert len(set(drawn)) == len(places)
    assert [draw(*place) for place in places] == drawn


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", ["adamw", "rmsprop"])
def test_a_saved_state_holds_everything_that_training_needs(name: str, steps: int, tmp_path: Path) -> None:
    def build() -> tuple[torch.nn.Module, AveragedModel, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = small_model()
        optimizer = build_optimizer(name, model.parameters(), 0.01, 0.1)
        return model, AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9)), optimizer

    def step(model: torch.nn.Module, average: AveragedModel, optimizer: torch.optim.Optimizer, k: int) -> None:
        torch.manual_seed(k)
        optimizer.zero_grad()
        model.nll(torch.randint(2, (2, 1, 3, 3))).mean().backward()  # type: ignore[operator]
        optimizer.step()
        average.update_parameters(model)

    one, other = build(), build()
    for k in range(steps):
        step(*one, k)
    save_state(tmp_path, 3, SavedState({"best": 0.1 + 0.2}, collect_tensors(*one)), keep=1)
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert (saved.progress, damaged) == ({"best": 0.1 + 0.2}, [])
    restore_tensors(saved.tensors, *other)
    unsaved = build()
    for k in range(steps):
        step(*unsaved, k)
    for k in range(3, 6):
        step(*unsaved, k)
        step(*one, k)
        step(*other, k)
    for restored in (one, other):  # saving changes nothing either
        for module, found in zip(unsaved[:2], restored[:2], strict=True):
            for (key, tensor), value in zip(module.state_dict().items(), found.state_dict().values(), strict=True):
                assert torch.equal(tensor, value), key


def test_the_newest_states_are_kept_and_the_newest_whole_one_is_taken(tmp_path: Path) -> None:
    assert newest_state(tmp_path) == (None, [])
    for step in (1, 2, 3):
        save_state(tmp_path, step, SavedState({"step": step}, {"x.safetensors": {"a": torch.ones(step)}}), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000002", "step_00000003"]
    weights = tmp_path / "step_00000003/x.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    saved, damaged = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress == {"step": 2}
    assert saved.tensors["x.safetensors"]["a"].shape == (2,)
    assert "step_00000003 is damaged (x.safetensors is not what was written)" in damaged[0]
    save_state(tmp_path, 2, SavedState({"step": 2}, {"x.safetensors": {"a": torch.ones(2)}}), keep=1)
    assert (tmp_path / "step_00000002").exists()  # not pruned in favour of the damaged one
    (tmp_path / "step_00000002/progress.json").write_text("{")
    with pytest.raises(ValueError, match=r"step_00000003 is damaged.*step_00000002 is damaged.*to start the run anew"):
        newest_state(tmp_path)


def test_a_full_disk_leaves_the_states_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, 1, SavedState({"step": 1}, {"x.safetensors": {"a": torch.ones(1)}}), keep=1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(tmp_path, 2, SavedState({"step": 2}, {"x.safetensors": {"a": torch.ones(1)}}), keep=1)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000001"]
    saved, _ = newest_state(tmp_path)
    assert saved is not None
    assert saved.progress == {"step": 1}


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".step_1.ab.tmp").mkdir()
    (tmp_path / ".step_1.ab.tmp/part").write_text("")
    (tmp_path / ".metrics.jsonl.cd.tmp").write_text("")
    (tmp_path / "kept").write_text("")
    for name in (".moved.ef.old", ".replaced.ef.old", "replaced"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "from").write_text(name)
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "moved", "replaced"]
    assert (tmp_path / "replaced/from").read_text() == "replaced"


def test_a_folder_that_another_process_has_written_meanwhile_stays(tmp_path: Path) -> None:
    for replace, expected in ((False, "theirs"), (True, "ours")):
        with whole_folder(tmp_path / "folder", replace) as beside:
            (beside / "from").write_text("ours")
            with whole_folder(tmp_path / "folder") as theirs:
                (theirs / "from").write_text("theirs")
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]
        assert (tmp_path / "folder/from").read_text() == expected


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run/lock"
    code = "import sys; from pathlib import Path; from pixelseq.runtime.files import locked\n"
    code += "with locked(Path(sys.argv[1])): print(flush=True); input()"
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ValueError, match=r"another process is at work in .*/run"), locked(path):
            pass
        holder.kill()
    for _ in range(2):
        with locked(path):
            pass


def test_the_guard_stops_at_three_bad_steps_in_a_row() -> None:
    guard = FiniteGuard()
    finite = [True, False, False, True, False, False]
    assert [guard.allows(step, True, gradient) for step, gradient in enumerate(finite)] == finite
    guard = FiniteGuard(guard.bad_steps)  # as after a resume
    with pytest.raises(ValueError, match="3 steps in a row, the last of them step 7, are not finite"):
        guard.allows(7, True, False)


def test_the_guard_leaves_overflow_to_the_scaler_but_no_loss_that_is_not_finite() -> None:
    guard = FiniteGuard()
    scales = [2.0**k for k in range(16, 0, -1)]
    assert not any(guard.allows(step, True, False, scale) for step, scale in enumerate(scales))
    assert [guard.allows(16, True, False, 1.0), guard.allows(17, True, False, 0.5)] == [False, False]
    with pytest.raises(ValueError, match="the last of them step 18"):
        guard.allows(18, True, False, 0.25)
    guard = FiniteGuard()
    assert not guard.allows(0, False, False, 65536.0)
    assert not guard.allows(1, False, True, 65536.0)
    with pytest.raises(ValueError, match="the last of them step 2"):
        guard.allows(2, False, False, 65536.0)


def test_a_signal_is_noted_and_one_seconds_later_interrupts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Signals("saving") as signals:
        assert signals.received is None
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):  # passed on by a launcher, too
            os.kill(os.getpid(), number)
            assert signals.received is signal.SIGTERM
        assert capfd.readouterr().err == "\nSIGTERM: saving\n"
        later = time.monotonic() + 5
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_metrics_of_steps_that_are_taken_again_are_dropped(tmp_path: Path) -> None:
    path, accelerator = tmp_path / "metrics.jsonl", Accelerator(cpu=True)
    for begin, steps in [(0, (50, 100, 150)), (100, (150, 200))]:
        with Metrics(path, accelerator, begin, seconds=7.0) as metrics:
            for step in steps:
                metrics.write("train", step, Likelihood(begin + step, 1, 1), learning_rate=0.1)
        with path.open("a") as file:
            file.write('{"split": "tr')  # killed in the middle of a line
    lines = read_metrics(path)
    assert [(line["step"], line["nats_per_image"]) for line in lines] == [(50, 50), (100, 100), (150, 250), (200, 300)]
    assert all(7 <= line["seconds"] < 60 for line in lines)
    draw_curve(lines, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (840, 480)


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


def test_settings_are_read_back_and_conflicts_named(tmp_path: Path) -> None:
    model = ModelConfig(hidden=7, blocks=("row", "conv"), dropout=0.5)
    assert read_settings(tmp_path, "one", ModelConfig()) is None
    write_settings(tmp_path, "one", model)
    assert read_settings(tmp_path, "one", ModelConfig()) == model
    check_agreement(model, model, tmp_path)
    with pytest.raises(ValueError, match=r"--hidden is 7, the run has 32; --blocks is \['row', 'conv'\], the run has"):
        check_agreement(model, ModelConfig(dropout=0.5), tmp_path)
    with pytest.raises(ValueError, match="holds a run of preset one, not two"):
        read_settings(tmp_path, "two", ModelConfig())
    settings = json.loads((tmp_path / "training.json").read_text())
    (tmp_path / "training.json").write_text(json.dumps({**settings, "colour": 1}))
    with pytest.raises(ValueError, match="differ in colour"):
        read_settings(tmp_path, "one", ModelConfig())
    del settings["format_version"]  # as before there were versions
    (tmp_path / "training.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="of format_version None; this pixelseq goes on with 3; choose another folder"):
        read_settings(tmp_path, "one", ModelConfig())


def test_stages_train_their_parts_on_their_halves(tmp_path: Path) -> None:
    config = ModelConfig(hidden=4, blocks=("row",), context_blocks=1)
    encoder = stage_model(config, "encoder")
    assert len(encoder.blocks) == 0
    encoder.save_pretrained(tmp_path / "run/checkpoint")
    model = stage_model(config, "recurrent")
    blocks = [parameter.clone() for parameter in model.blocks.parameters()]
    start_from(model, tmp_path / "run")
    freeze_encoder(model)
    for name, parameter in encoder.state_dict().items():
        assert torch.equal(model.state_dict()[name], parameter), name
    assert all(torch.equal(one, other) for one, other in zip(blocks, model.blocks.parameters(), strict=True))
    assert {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad} == {
        "blocks",
        "head",
    }
    with pytest.raises(ValueError, match=r"cannot start this model: it has no encoder\.blocks\.1"):
        start_from(stage_model(ModelConfig(hidden=4, context_blocks=2), "recurrent"), tmp_path / "run")
    with pytest.raises(ValueError, match="cannot start this model"):
        start_from(stage_model(ModelConfig(hidden=5), "recurrent"), tmp_path / "run")

    images = load("digits").train
    first, second = (stage_images(images, stage) for stage in ("encoder", "recurrent"))  # type: ignore[arg-type]
    assert abs(len(first) - len(second)) <= 1
    assert sorted([*first.places, *second.places]) == sorted(images.places)  # type: ignore[union-attr]
    assert not np.array_equal(first.places, images.places[: len(first)])  # type: ignore[union-attr]


def test_processes_that_do_not_know_of_each_other_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    check_processes(1, "train/run.py")
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes(2, "train/run.py")
    with pytest.raises(ValueError, match=r"ACCELERATE_USE_CPU=true torchrun .* --nproc_per_node 2 train/run.py"):
        check_processes(1, "train/run.py")
