"""Attacks on runs, in a process of their own that forks: `python attacks_on_runs.py ATTACK FOLDER COUNT`.

Each ends with exit code 0 where all that it asserts has held, so many times.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image
from runs import FLAGS, assert_equal, fork, get_ready, outcome, output_of, wait

PAGE = 4096
"""The bytes that a tmpfs grows by."""
random = np.random.Generator(np.random.Philox(0))


def ends(folder: Path, *flags: str) -> dict[str, Any]:
    """Trains in a folder to the end; returns what that leaves."""
    assert wait(fork(folder, *FLAGS, *flags)) == 0, output_of(folder).read_text()
    assert not list(folder.rglob(".*"))
    return outcome(folder)


def is_refused(folder: Path, code: int, reason: str) -> None:
    """Asserts that a run has ended in a line."""
    said = output_of(folder).read_text()
    assert code == 2, said
    assert "Traceback" not in said, said
    assert reason in said.splitlines()[-1], said


def kill(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Kills runs at random moments; each goes on, and at its end is what it would have been."""
    began = time.monotonic()
    assert_equal(ends(folder / "again"), whole)
    seconds = time.monotonic() - began
    run, ended = folder / "run", 0
    while count:
        process = fork(run, *FLAGS)
        time.sleep(random.uniform(0, seconds))
        os.kill(process, signal.SIGKILL)
        if wait(process) == -signal.SIGKILL:
            count -= 1
        else:
            assert_equal(ends(run), whole)
            shutil.rmtree(run)
            ended += 1
    assert_equal(ends(run), whole)
    print(f"{ended + 1} runs have ended")


def fill_disk(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Runs on disks of one page to almost as many as a run needs; with more room each goes on."""
    needed = sum(-(-path.stat().st_size // PAGE) for path in (folder / "whole").rglob("*") if path.is_file())
    for pages in np.linspace(1, needed - 1, count).round().astype(int):
        run = folder / f"{pages}_pages"
        run.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * PAGE}", "none", run], check=True)
        is_refused(run, wait(fork(run, *FLAGS)), "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=100m", run], check=True)
        assert_equal(ends(run), whole)


def limit_files(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Runs where no file may be larger than so many bytes, then without that limit."""
    largest = max(path.stat().st_size for path in (folder / "whole").rglob("*"))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in np.linspace(1500, largest - 1, count).round().astype(int):
        run = folder / f"{size}_bytes"
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), most))
        process = fork(run, *FLAGS)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        is_refused(run, wait(process), "File too large")
        assert_equal(ends(run), whole)


def start_twice(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Starts two runs at once in one folder: one is trained, the other refused in a line before it reads any data."""
    for k in range(count):
        out = str(folder / f"out_{k}/runs/digits")
        names = [folder / f"{k}_{name}" for name in ("one", "other")]
        processes = [fork(name, *FLAGS, "--out", out) for name in names]
        found = {name: wait(process) for name, process in zip(names, processes, strict=True)}
        assert sorted(found.values()) == [0, 2], found
        (refused,) = [name for name, code in found.items() if code == 2]
        assert output_of(refused).read_text() == f"error: another process is at work in {out}\n"
        assert_equal(outcome(folder / f"out_{k}"), whole)


def decode_together(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Starts three first runs at once on the same pictures: each is trained, and one decoded set is kept."""
    draw_pictures(folder / "pictures", 300)
    for k in range(count):
        cache = new_cache(folder / f"cache_{k}")
        runs = [folder / f"{k}_{name}" for name in "abc"]
        processes = [fork(run, *FLAGS, "--data", str(folder / "pictures")) for run in runs]
        for run, process in zip(runs, processes, strict=True):
            assert wait(process) == 0, output_of(run).read_text()
            assert_equal(outcome(run), outcome(runs[0]))
        assert len(list(cache.iterdir())) == 1


def end_early(folder: Path, count: int, whole: dict[str, Any]) -> None:
    """Ends runs by signals while they decode: in a line, by the usual exit code, and with nothing left behind."""
    draw_pictures(folder / "pictures", 3000)
    for k in range(count):
        cache, number = new_cache(folder / f"cache_{k}"), (signal.SIGTERM, signal.SIGINT)[k % 2]
        run = folder / f"{k}"
        process = fork(run, *FLAGS, "--data", str(folder / "pictures"))
        while not list(cache.glob(".*.tmp")):
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.1))
        os.kill(process, number)
        assert wait(process) == 128 + number, output_of(run).read_text()
        assert output_of(run).read_text() == f"ended by {number.name}\n"
        assert not [*cache.iterdir(), *run.iterdir()], [*cache.rglob("*"), *run.rglob("*")]


def draw_pictures(folder: Path, count: int) -> None:
    folder.mkdir()
    for k, pixels in enumerate(random.integers(256, size=(count, 8, 8), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{k}.png")


def new_cache(folder: Path) -> Path:
    """Has the runs that are started from now on keep what they decode below `folder`; returns where."""
    datasets.config.HF_DATASETS_CACHE = folder
    return folder / "pixelseq"


if __name__ == "__main__":
    attacks = kill, fill_disk, limit_files, start_twice, decode_together, end_early
    folder = Path(sys.argv[2]).resolve()
    whole = get_ready(folder / "whole")
    {attack.__name__: attack for attack in attacks}[sys.argv[1]](folder, int(sys.argv[3]), whole)
