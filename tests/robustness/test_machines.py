"""Machines without a folder to write to, with damaged compiled kernels, and processes that are forked: it runs, or says
in a line why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from mutations import FEW_OR_MANY, attack
from running import ROOT

from pixelseq.kernels.numba.cache import CheckedFiles, KernelCache
from pixelseq.kernels.numba.op import kernel

NOWHERE = "/dev/null/home"
"""A home folder that not even root can write to."""
KERNEL = """
import numba, torch
from pixelseq.kernels.numba.op import kernel, run

@kernel
def doubled(x):
    for k in numba.prange(x.size):
        x[k] *= 2

def total():
    x = torch.ones(3)
    run(doubled, x)
    return float(x.sum())
"""
"""A module with a kernel that is compiled in a second."""


def python(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on the package in a folder, without a home."""
    own = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    own |= {"HOME": NOWHERE, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([sys.executable, *command], env=own, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def unwritable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its scripts where no compiled file can lie beside a source."""
    folder = tmp_path_factory.mktemp("installed")
    for name in ("pixelseq", "train", "sample"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for package in [path.parent for path in folder.rglob("*.py")]:
        (package / "__pycache__").touch()
    (folder / "small.py").write_text(KERNEL)
    (folder / "__pycache__").touch()
    return folder


@pytest.mark.parametrize(
    "elsewhere",
    [pytest.param({}, marks=pytest.mark.slow), {"NUMBA_CACHE_DIR": "/dev/null/numba"}],
    ids=["home", "variable"],
)
def test_kernels_run_where_they_cannot_be_kept(unwritable: Path, elsewhere: dict[str, str]) -> None:
    done = python(unwritable, "-c", "import small; print(small.total())", **elsewhere)
    assert (done.returncode, done.stdout) == (0, "6.0\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith("s; later runs compile it again, as it cannot be kept; NUMBA_CACHE_DIR names a folder")


@pytest.mark.parametrize(
    "script",
    [
        "train/run.py",
        *(pytest.param(f"{name}.py", marks=pytest.mark.slow) for name in ("train/evaluate", "sample/run")),
    ],
)
def test_help_needs_no_folder(unwritable: Path, script: str) -> None:
    done = python(unwritable, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_cuda_kernels_are_kept_elsewhere_where_there_is_no_home(unwritable: Path, tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    code = "import os, pixelseq.kernels.triton.op; print(os.environ['TRITON_CACHE_DIR'])"
    done = python(unwritable, "-c", code, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == tmp_path
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pixelseq: nothing can be written in {NOWHERE}/.triton/cache: later runs")


@FEW_OR_MANY
def test_damaged_kernels_are_compiled_anew(times: int, tmp_path: Path) -> None:
    files, key = CheckedFiles(str(tmp_path), "kernel", "stamp"), ("signature", 1)
    files.save(key, {"code": bytes(range(256)) * 8})
    (path,) = tmp_path.iterdir()

    def read() -> object:
        found = files.load(key)
        assert (found is None) == (not path.exists())  # what is damaged is gone
        return found

    attack(path, 60 * times, read, lambda found: found is None)
    assert files.load(key) == {"code": bytes(range(256)) * 8}
    assert files.load(("signature", 2)) is None


def doubled(x):  # type: ignore[no-untyped-def]
    for k in numba.prange(x.size):
        x[k] *= 2


def test_an_empty_file_of_a_kernel_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    misses = []
    for damaged in (False, False, True, False):
        if damaged:
            (file,) = tmp_path.rglob("*.nbc")
            file.write_bytes(b"")
        monkeypatch.setattr(doubled, "__qualname__", "doubled")
        compiled = kernel(doubled)
        assert isinstance(compiled._cache, KernelCache)
        values = np.ones(3)
        compiled(values)
        assert (values == 2).all()
        misses.append(sum(compiled.stats.cache_misses.values()))
    assert misses == [1, 0, 1, 0]


def test_a_full_disk_keeps_no_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(doubled, "__qualname__", "doubled")
    compiled = kernel(doubled)
    monkeypatch.setattr(CheckedFiles, "_open_for_write", lambda self, path: open("/dev/full", "wb", buffering=0))  # noqa: SIM115
    compiled(values := np.ones(3))
    assert (values == 2).all()
    assert not compiled._cache.keeps


FORK = """
import os, signal, small, torch
torch.set_num_threads(2)
net = torch.nn.Conv2d(64, 64, 3)
for before in (lambda: None, small.total):
    net(torch.ones(8, 64, 28, 28))
    before()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            net(torch.ones(8, 64, 28, 28))
            print(small.total(), flush=True)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_works_or_says_why_not(unwritable: Path) -> None:
    done = python(unwritable, "-W", "ignore", "-c", FORK)
    assert done.returncode == 0, done.stderr
    before_kernels, after_kernels = done.stdout.splitlines()
    assert before_kernels == "6.0"
    assert after_kernels.startswith("this process was forked from one that has run CPU kernels")
