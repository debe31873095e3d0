"""Runs that are killed, ended by signals, started twice, or that fill the disk: nothing is lost and nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import ENVIRONMENT, ROOT, TORCHRUN, in_process
from runs import FLAGS

from pixelseq.runtime.files import LOCK, locked

TMPFS = ("unshare", "--map-root-user", "--mount")
"""Runs a command where it may mount what nobody else sees; some systems allow it to root alone, or to nobody."""


def withstands(attack: str, count: int, folder: Path, before: tuple[str, ...] = ()) -> None:
    command = [*before, sys.executable, ROOT / "tests/robustness/attacks_on_runs.py", attack, folder, str(count)]
    done = subprocess.run(command, env=in_forks(folder), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def in_forks(folder: Path) -> dict[str, str]:
    """The environment of a process that forks: threads of Numba's that can be forked, and a cache of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    cache = {"HF_DATASETS_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    return {**ENVIRONMENT, **cache, "PYTHONPATH": path, "NUMBA_THREADING_LAYER": "workqueue"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("attack", "count"),
    [("kill", 30), ("limit_files", 5), ("start_twice", 3), ("decode_together", 3), ("end_early", 20)],
)
def test_runs_withstand(attack: str, count: int, tmp_path: Path) -> None:
    withstands(attack, count, tmp_path)


@pytest.mark.slow
def test_runs_withstand_full_disks(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "none", tmp_path]
    if shutil.which("unshare") is None or subprocess.run([*TMPFS, *mount], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here; test_runs_withstand[limit_files-5] does without")
    withstands("fill_disk", 20, tmp_path, TMPFS)


@pytest.mark.slow
def test_two_processes_that_are_ended_while_one_decodes_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(256, size=(8, 8), dtype=np.uint8)).save(tmp_path / "0.png")
    for k in range(30_000):  # which take seconds to decode
        os.link(tmp_path / "0.png", tmp_path / f"pictures/{k}.png")
    command = [sys.executable, *TORCHRUN, ROOT / "train/run.py", "--data", "pictures", *FLAGS]
    cache = {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "ACCELERATE_USE_CPU": "true"}
    with subprocess.Popen(
        command, cwd=tmp_path, env={**ENVIRONMENT, **cache}, stderr=subprocess.PIPE, text=True
    ) as launcher:
        until = time.monotonic() + 300
        while not (begun := list(tmp_path.glob("cache/pixelseq/.*.tmp"))) and time.monotonic() < until:
            time.sleep(0.01)
        launcher.send_signal(signal.SIGTERM)
        _, said = launcher.communicate(timeout=60)
    assert begun, said
    assert launcher.returncode != 0
    assert said.count("ended by SIGTERM\n") == 1
    assert not list(tmp_path.glob("cache/pixelseq/.*"))
    assert not (tmp_path / "runs").exists()


def test_a_run_elsewhere_is_found_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/training.json").write_text("damaged")
    with locked(tmp_path / "own" / LOCK):
        done = in_process(tmp_path, "train/run.py", *FLAGS, "--data", "nowhere", "--out", "own")
    assert (done.returncode, done.stderr) == (2, "error: another process is at work in own\n")
    done = in_process(tmp_path, "train/run.py", *FLAGS, "--data", "nowhere", "--out", "own")
    assert done.stderr.startswith("error: own/training.json cannot be read: it: Invalid JSON")
    assert [path.name for path in tmp_path.rglob("*")] == ["own", "training.json"]
