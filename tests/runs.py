"""A small run of train/run.py, all that it leaves, and runs in forks of one process, whose starts take no seconds."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from running import in_process, load_script

SMALL = "--batch-size 6 --model.hidden 4 --model.blocks row --model.context-blocks 0 --model.head-features 8"
FLAGS = f"--steps 12 --save-every 3 --validate-every 4 --keep 9 {SMALL}".split()


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves but times: its states, its best weights, its metrics, its result."""
    run = folder / "runs/digits"
    files = sorted([*run.glob("state/*/*.safetensors"), *run.glob("checkpoint/*.safetensors")])
    tensors = {
        f"{file.parent.name}/{file.name}/{name}": tensor
        for file in files
        for name, tensor in safetensors.torch.load_file(file).items()
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((run / "result.json").read_text())
    progress = [json.loads(file.read_text())["progress"] for file in sorted(run.glob("state/*/progress.json"))]
    times = {"seconds", "validation_seconds", "images_per_s", "digest"}
    untimed = [{key: value for key, value in line.items() if key not in times} for line in [*lines, result, *progress]]
    return {"tensors": tensors, "untimed": untimed}


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["untimed"] == other["untimed"]
    assert one["tensors"].keys() == other["tensors"].keys()
    for name, tensor in one["tensors"].items():
        assert torch.equal(tensor, other["tensors"][name]), name


def get_ready(folder: Path) -> dict[str, Any]:
    """Trains in this process, so that forks find everything imported and compiled; returns what that leaves.

    From now on there is one core: threads of torch would be missing in forks.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    folder.mkdir()
    done = in_process(folder, "train/run.py", *FLAGS)
    assert done.returncode == 0, done.stderr
    return outcome(folder)


def fork(folder: Path, *arguments: str) -> int:
    """Starts a run in `folder`, which writes its output to a file beside the folder; returns the process's id."""
    folder.mkdir(exist_ok=True)
    if process := os.fork():
        return process
    code = 1
    try:
        os.chdir(folder)
        output = os.open(output_of(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        load_script("train/run.py").main(list(arguments))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(process: int) -> int:
    """Waits for a run; returns its exit code, which is below 0 where a signal has ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def output_of(folder: Path) -> Path:
    """The file of what the last run that was started in a folder has printed."""
    return folder.with_name(f"{folder.name}.output")
