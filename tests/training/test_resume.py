"""A run that is killed goes on as if nothing had happened: to the last bit on a CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import resealed
from runs import FLAGS, assert_equal, outcome

ROOT = Path(__file__).parents[2]
KILLED = """
import os, runpy, signal, sys
from pixelseq.training import average, gradients, pictures, saved_state

where, count, sys.argv = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if "FLOAT16" in os.environ:  # its scaler on a CPU, with gradients that overflow until the scale is 8
    import torch
    from accelerate import Accelerator

    begin = Accelerator.__init__
    def begin_with_scaler(self, **named):
        begin(self, **named)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=8 * 2.0**6)
    def unscale_gradients(self):
        optimizer = self._optimizers[0].optimizer
        if self.scaler.get_scale() > 8:
            for parameter in optimizer.param_groups[0]["params"]:
                parameter.grad.fill_(torch.inf)
        self.scaler.unscale_(optimizer)
    Accelerator.__init__, Accelerator.unscale_gradients = begin_with_scaler, unscale_gradients
if "SHARDED" in os.environ:  # accelerate shards on other devices than CPUs: it takes these for such
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    PartialState(cpu=True)
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    whole = average.WeightAverage.put_together
    def whole_of_shards(self):
        print("shards are put together", file=sys.stderr)
        assert self.shards is not None or self.averaged.n_averaged == 0
        return whole(self)
    average.WeightAverage.put_together = whole_of_shards
calls = 0
def killing(function):
    def wrapped(*arguments, **named):
        global calls
        calls += 1
        if calls == count and int(os.environ.get("RANK", 0)) == int(os.environ.get("WORLD_SIZE", 1)) - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return wrapped
if where == "step":
    gradients.backward = killing(gradients.backward)
elif where == "finish":
    pictures.draw_pictures = killing(pictures.draw_pictures)
else:  # inside the writing of a state, of three files each
    saved_state.safetensors.torch.save = killing(saved_state.safetensors.torch.save)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def train(folder: Path, *arguments: str, launcher: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(launcher or []), *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )


def whole(folder: Path, *more: str, launcher: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    return train(folder, str(ROOT / "train/run.py"), *FLAGS, *more, launcher=launcher)


def killed(folder: Path, where: str, count: int, *more: str, launcher: list[str] | None = None) -> None:
    (folder / "killed.py").write_text(KILLED)
    script = [str(folder / "killed.py"), where, str(count), str(ROOT / "train/run.py")]
    done = train(folder, *script, *FLAGS, *more, launcher=launcher)
    assert done.returncode != 0
    assert not (folder / "runs/digits/result.json").exists()


@pytest.mark.slow
def test_steps_that_overflow_are_left_out_and_killed_runs_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOAT16", "")
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        if name == "killed":
            killed(tmp_path / name, "step", 5)  # after the state of step 3, when no step has been taken yet
        (tmp_path / name / "killed.py").write_text(KILLED)
        done = train(tmp_path / name, "killed.py", "never", "0", str(ROOT / "train/run.py"), *FLAGS)
        assert done.returncode == 0, done.stderr
    assert_equal(outcome(tmp_path / "killed"), outcome(tmp_path / "whole"))
    files = sorted(tmp_path.glob("whole/runs/digits/state/*/progress.json"))
    states = [json.loads(file.read_text())["progress"] for file in files]
    assert [state["scaler"]["scale"] for state in states] == [64, 8, 8, 8]
    assert [state["windows"][0][1] for state in states[:3]] == [0, 0, 3 * 6]  # images
    assert states[3]["trained"] == 6 * 6


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = whole(folder)
    assert done.returncode == 0, done.stderr
    return outcome(folder)


def test_a_killed_run_goes_on_to_the_last_bit(uninterrupted: dict[str, Any], tmp_path: Path) -> None:
    killed(tmp_path, "step", 2, "--batch-size", "7")  # there is no state yet: other flags can be given
    # Before the first state, between states, while the second state is written, and after it.
    for where, count in [("step", 2), ("step", 5), ("write", 2), ("step", 5)]:
        killed(tmp_path, where, count)
    done = whole(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "going on after step 6" in done.stderr
    assert_equal(outcome(tmp_path), uninterrupted)
    assert not list((tmp_path / "runs/digits").rglob(".*.tmp"))
    again = whole(tmp_path)  # nothing is left to do
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert_equal(outcome(tmp_path), uninterrupted)


TOLD = {
    "labels": ["--condition", "label", "--orders", "8", "--shift", "2"],
    "images": [
        "--condition",
        "label",
        "--condition-image",
        "noise:0.2+mask",
        "--condition-blocks",
        "1",
        "--orders",
        "2",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("launcher", [None, TWO], ids=["one process", "two"])
def test_a_killed_run_that_tells_conditions_goes_on_to_the_last_bit(
    launcher: list[str] | None, told: str, tmp_path: Path
) -> None:
    flags = [*TOLD[told], "--condition-dropout", "0.5", "--model.blocks", "diagonal"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        if name == "killed":
            killed(tmp_path / name, "step", 5, *flags, launcher=launcher)
        done = whole(tmp_path / name, *flags, launcher=launcher)
        assert done.returncode == 0, done.stderr
    assert "going on after step 3" in done.stderr
    assert_equal(outcome(tmp_path / "killed"), outcome(tmp_path / "whole"))


def test_a_damaged_newest_state_is_reported_and_the_one_before_it_taken(
    uninterrupted: dict[str, Any], tmp_path: Path
) -> None:
    killed(tmp_path, "step", 9)
    newest = tmp_path / "runs/digits/state/step_00000006/optimizer.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    done = whole(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step_00000006 is damaged" in done.stderr
    assert "going on after step 3" in done.stderr
    assert_equal(outcome(tmp_path), uninterrupted)


def test_a_run_that_is_killed_after_its_end_is_finished_and_not_trained_further(tmp_path: Path) -> None:
    killed(tmp_path, "finish", 1, "--target-nats", "9999")
    state = tmp_path / "runs/digits/state/step_00000004/progress.json"
    saved = state.read_text()
    other = json.loads(saved)["progress"] | {"data": "other"}
    state.write_text(resealed(saved, progress=other))
    done = whole(tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "error: digits has other images than when runs/digits was begun; choose another folder with --out\n",
    )
    state.write_text(saved)
    done = whole(tmp_path, "--target-nats", "9999")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 4


@pytest.mark.parametrize(
    ("launcher", "ends_by"),
    [([], 0), pytest.param(["-m", "accelerate.commands.launch"], -signal.SIGTERM, marks=pytest.mark.slow)],
    ids=["to the training", "to its launcher"],
)
def test_a_signal_saves_and_ends_well(launcher: list[str], ends_by: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *launcher, ROOT / "train/run.py", *FLAGS, "--steps", "100000", "--save-every", "100000"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "runs/digits/metrics.jsonl"
    until = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=60)
    assert process.returncode == ends_by, message
    (state,) = (tmp_path / "runs/digits/state").iterdir()
    step = json.loads((state / "progress.json").read_text())["progress"]["step"]
    assert f"stopped by SIGTERM after step {step}; the same command goes on" in message
    assert state.name == f"step_{step:08}"
    assert not (tmp_path / "runs/digits/result.json").exists()


@pytest.mark.slow
def test_two_processes_go_on_to_the_last_bit_and_after_one_process(tmp_path: Path) -> None:
    for name in ("whole", "killed", "one"):
        (tmp_path / name).mkdir()
    assert whole(tmp_path / "whole", launcher=TWO).returncode == 0
    for where, count in [("step", 2), ("step", 8), ("step", 3)]:
        killed(tmp_path / "killed", where, count, launcher=TWO)
    done = whole(tmp_path / "killed", launcher=TWO)
    assert done.returncode == 0, done.stderr
    assert_equal(outcome(tmp_path / "killed"), outcome(tmp_path / "whole"))
    killed(tmp_path / "one", "step", 8)
    done = whole(tmp_path / "one", launcher=TWO)
    assert done.returncode == 0, done.stderr
    assert "going on after step 6" in done.stderr
    one, two = outcome(tmp_path / "one"), outcome(tmp_path / "whole")
    # Dropout differs between numbers of processes, the images do not.
    trained = [line["trained"] for line in one["untimed"] if "trained" in line]
    assert trained == [line["trained"] for line in two["untimed"] if "trained" in line]


@pytest.mark.slow
def test_sharded_processes_have_the_weights_of_others_and_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("others", "whole", "killed"):
        (tmp_path / name).mkdir()
    more = ["--batch-size", "7", "--accumulate", "4"]  # shares of 4 and 3 images, one at a time
    assert whole(tmp_path / "others", *more, launcher=TWO).returncode == 0
    monkeypatch.setenv("SHARDED", "")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    sharded = ["-m", "accelerate.commands.launch", "--config_file", str(ROOT / "train/fsdp.yaml")]
    killed(tmp_path / "killed", "step", 5, *more, launcher=sharded)
    for name in ("whole", "killed"):
        (tmp_path / name / "killed.py").write_text(KILLED)
        script = ["killed.py", "never", "0", str(ROOT / "train/run.py"), *FLAGS, *more]
        done = train(tmp_path / name, *script, launcher=sharded)
        assert done.returncode == 0, done.stderr
    assert "going on after step 3" in done.stderr
    assert "shards are put together" in done.stderr
    assert_equal(outcome(tmp_path / "killed"), outcome(tmp_path / "whole"))
    others, found = (outcome(tmp_path / name)["tensors"] for name in ("others", "whole"))
    assert others.keys() == found.keys()
    for name, tensor in others.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "steps"),
    [
        ("--patience 1 --learning-rate 1e-30", 4),  # which changes no weight: the second validation is no better
        ("--minutes 0.000001", 1),
        ("--target-nats 999", 2),
        ("--target-bits-per-dim 9", 2),
    ],
    ids=["patience", "minutes", "nats", "bits"],
)
def test_two_processes_stop_at_one_step(flags: str, steps: int, tmp_path: Path) -> None:
    done = whole(tmp_path, "--steps", "100000", "--validate-every", "2", *flags.split(), launcher=TWO)
    assert done.returncode == 0, done.stderr
    (result,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert result["steps"] == steps
    found = outcome(tmp_path)
    lines = [(line["split"], line["step"]) for line in found["untimed"] if "split" in line]
    assert lines == [("validation", step) for step in range(2, steps + 1, 2) or [1]] + [("train", steps)]
    assert next(line["end"] for line in reversed(found["untimed"]) if "end" in line) == flags.split()[0]


@pytest.mark.slow
def test_a_compiled_run_goes_on_and_has_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    for name in ("plain", "compiled"):
        (tmp_path / name).mkdir()
    without_dropout = ["--model.dropout", "0"]
    assert whole(tmp_path / "plain", *without_dropout).returncode == 0
    killed(tmp_path / "compiled", "step", 5, *without_dropout, "--compile")
    done = whole(tmp_path / "compiled", *without_dropout, "--compile")
    assert done.returncode == 0, done.stderr
    assert "going on after step 3" in done.stderr
    plain, compiled = (outcome(tmp_path / name)["tensors"] for name in ("plain", "compiled"))
    assert plain.keys() == compiled.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
