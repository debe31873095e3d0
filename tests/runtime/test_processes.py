"""Processes that do not know of each other are stopped, and those that would give other results than asked for."""

from __future__ import annotations

import pytest
import torch
from accelerate.state import AcceleratorState

from pixelseq.runtime.processes import check_processes, join_processes


def test_processes_that_do_not_know_of_each_other_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    check_processes(1, "train/run.py")
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes(2, "train/run.py")
    with pytest.raises(ValueError, match=r"ACCELERATE_USE_CPU=true torchrun .* --nproc_per_node 2 train/run.py"):
        check_processes(1, "train/run.py")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "x"),
        ("ACCELERATE_DYNAMO_BACKEND", "EAGER"),
        ("ACCELERATE_USE_DEEPSPEED", "true"),
        ("ACCELERATE_USE_MEGATRON_LM", "true"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "true"),
    ],
)
def test_variables_that_would_change_the_result_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"^{name} is {value} .*; unset it: train/[^\n]*$"):
        join_processes("train/run.py")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this device has the type")
def test_a_type_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`precision` float16 needs CUDA; choose bfloat16 or float32$"):
        join_processes("train/run.py", mixed_precision="fp16")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RANK", "x", "RANK is 'x' in the environment; expected a whole number"),
        ("WORLD_SIZE", "2.5", "WORLD_SIZE is '2.5' in the environment; expected a whole number"),
        ("LOCAL_RANK", "-1", "LOCAL_RANK is '-1' in the environment; expected a whole number"),
        ("MASTER_PORT", "", "MASTER_PORT is '' in the environment; expected a whole number"),
        ("ACCELERATE_TORCH_DEVICE", "foo", "ACCELERATE_TORCH_DEVICE is 'foo' in the environment; choose from "),
        ("ACCELERATE_TORCH_DEVICE", "meta", "ACCELERATE_TORCH_DEVICE is 'meta' in the environment; choose from "),
        (
            "ACCELERATE_USE_CPU",
            "foo",
            "accelerate cannot do as its environment says: [^\n]*foo",
        ),
        ("LOCAL_RANK", "1", "accelerate cannot do as its environment says: [^\n]*MASTER_ADDR"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of which accelerate warns otherwise
    try:
        with pytest.raises(ValueError, match=f"^{message}"):
            join_processes("train/run.py")
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


def test_what_launchers_set_by_default_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DYNAMO_BACKEND": "NO", "GRADIENT_ACCUMULATION_STEPS": "1", "MIXED_PRECISION": "bf16"}.items():
        monkeypatch.setenv(f"ACCELERATE_{name}", value)
    try:
        accelerator = join_processes("train/run.py")
        assert accelerator.mixed_precision == "no"
        assert accelerator.gradient_accumulation_steps == 1
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
