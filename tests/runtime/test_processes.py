"""Processes that do not know of each other are stopped."""

from __future__ import annotations

import pytest

from pixelseq.runtime.processes import check_processes


def test_processes_that_do_not_know_of_each_other_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    check_processes(1, "train/run.py")
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes(2, "train/run.py")
    with pytest.raises(ValueError, match=r"ACCELERATE_USE_CPU=true torchrun .* --nproc_per_node 2 train/run.py"):
        check_processes(1, "train/run.py")
