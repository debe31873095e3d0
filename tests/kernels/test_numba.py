"""The Numba backend by itself: threads, the cache on disk, types, activations against exact values."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from numba import njit
from test_fast_scans import inputs
from torch import Tensor

from pixelseq.kernels import diagonal_scan, row_scan
from pixelseq.kernels.numba.activations import sigmoid, tanh
from pixelseq.kernels.numba.op import kernel
from pixelseq.kernels.numba.simd import LANES, load, store


def with_gradients(tensors: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    gates_is, weight_ss, grad_hidden = tensors
    return gates_is.requires_grad_(), weight_ss.requires_grad_(), grad_hidden


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("kernel", [3, None], ids=["row", "diagonal"])
@pytest.mark.parametrize("batch", [1, 7])
def test_threads_are_torchs_and_left_as_they_were(threads: int, kernel: int | None, batch: int) -> None:
    scan = row_scan if kernel else diagonal_scan
    gates_is, weight_ss, grad_hidden = with_gradients(inputs((batch, 3, 4, 16), kernel, torch.float64))
    expected = scan(gates_is, weight_ss, backend="reference")
    torch.set_num_threads(threads)
    found = scan(gates_is, weight_ss, backend="numba")
    assert torch.get_num_threads() == threads
    assert numba.get_num_threads() == min(threads, numba.config.NUMBA_NUM_THREADS)
    wanted = torch.autograd.grad(expected, (gates_is, weight_ss), grad_hidden)
    gradients = torch.autograd.grad(found, (gates_is, weight_ss), grad_hidden)
    assert torch.get_num_threads() == threads
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, wanted)


def test_python_threads_may_call_at_once() -> None:
    gates_is, weight_ss, _ = with_gradients(inputs((4, 5, 6, 16), None, torch.float64))
    expected = diagonal_scan(gates_is, weight_ss, backend="reference").detach()
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda _: diagonal_scan(gates_is.detach(), weight_ss.detach(), backend="numba"), range(40))
        )
    for one in found:
        torch.testing.assert_close(one, expected)


def test_an_output_that_is_not_used_has_no_gradient() -> None:
    class Constant(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *grad: Tensor) -> None:
            return None

    gates_is, weight_ss, _ = with_gradients(inputs((2, 2, 2, 16), 3, torch.float64))
    Constant.apply(row_scan(gates_is, weight_ss, backend="numba")).sum().backward()
    assert gates_is.grad is None
    assert weight_ss.grad is None


def test_autocast_reaches_the_kernel_in_float32() -> None:
    gates_is, weight_ss, _ = with_gradients(inputs((2, 3, 4, 16), 3, torch.float32))
    expected = row_scan(gates_is.bfloat16().float(), weight_ss, backend="reference")
    with torch.autocast("cpu", torch.bfloat16):
        found = row_scan(gates_is.bfloat16(), weight_ss, backend="numba")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@njit
def _activate(x, s, t):  # type: ignore[no-untyped-def]
    for k in range(0, x.size, LANES):
        store(s, k, sigmoid(load(x, k)))
        store(t, k, tanh(load(x, k)))


def activate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    padded = np.concatenate([x, np.zeros(-len(x) % LANES, x.dtype)])
    s, t = np.empty_like(padded), np.empty_like(padded)
    _activate(padded, s, t)
    return s[: len(x)], t[: len(x)]


@pytest.mark.parametrize(
    ("dtype", "least", "tolerance"), [(np.float32, -87, 2e-7), (np.float64, -700, 1e-15)], ids=["float32", "float64"]
)
def test_activations_are_accurate_over_the_whole_range(dtype: type, least: float, tolerance: float) -> None:
    small = np.geomspace(1e-30, 1, 100_001)
    x = np.concatenate([np.linspace(least, -least, 400_001), np.linspace(-10, 10, 400_001), small, -small]).astype(
        dtype
    )
    s, t = activate(x)
    exact = x.astype(np.longdouble)
    assert np.max(np.abs(s * (1 + np.exp(-exact)) - 1)) < tolerance
    x, t, exact = x[x != 0], t[x != 0], exact[x != 0]
    assert np.max(np.abs(t / np.tanh(exact) - 1)) < tolerance


@pytest.mark.parametrize(("dtype", "near"), [(np.float32, (80, 120)), (np.float64, (690, 760))], ids=["32", "64"])
def test_activations_pass_the_ends_of_the_range_smoothly(dtype: type, near: tuple[float, float]) -> None:
    x = np.linspace(*near, 100_001).astype(dtype)
    for sign in (1, -1):
        s, t = activate(sign * x)
        exact = 1 / (1 + np.exp(-sign * x.astype(np.longdouble)))
        assert np.max(np.abs(s - exact)) < max(np.finfo(dtype).tiny, (sign > 0) * np.finfo(dtype).eps)
        assert (sign * np.diff(s) >= 0).all()
        np.testing.assert_array_equal(t, np.full_like(t, sign))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_activations_at_the_ends_of_the_range(dtype: type) -> None:
    s, t = activate(np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e4, -1e4], dtype))
    np.testing.assert_array_equal(s, np.array([1, 0, np.nan, 0.5, 0.5, 1, 0], dtype))
    np.testing.assert_array_equal(t, np.array([1, -1, np.nan, 0, -0.0, 1, -1], dtype))
    assert np.signbit(t[4])


def test_nan_spreads_to_all_later_pixels_and_no_earlier_one() -> None:
    gates_is, weight_ss, _ = with_gradients(inputs((1, 3, 4, 16), None, torch.float32))
    with torch.no_grad():
        gates_is[0, 1, 1] = torch.nan
        bad = diagonal_scan(gates_is, weight_ss, backend="numba").isnan().any(-1)[0]
    from_left = [[False] * 4, [False, True, True, True], [False, True, True, True]]
    from_right = [[False] * 4, [True, True, False, False], [True, True, False, False]]
    assert bad[..., 0].tolist() == from_left
    assert bad[..., 1].tolist() == from_right


def test_the_second_process_loads_compiled_kernels_from_disk(tmp_path: Path) -> None:
    code = (
        "import torch; from pixelseq.kernels import row_scan\n"
        "row_scan(torch.zeros(1, 2, 2, 64), torch.zeros(3, 16, 64), backend='numba')\n"
    )
    messages = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        messages.append(done.stderr)
    assert "compiled a CPU kernel in" in messages[0]
    assert messages[1] == ""


def test_two_processes_of_torchrun_do_not_oversubscribe(tmp_path: Path) -> None:
    script = tmp_path / "scan.py"
    script.write_text(
        "import json, os, numba, torch; from pixelseq.kernels import diagonal_scan\n"
        "gates, weight = torch.zeros(8, 28, 28, 2, 64), torch.zeros(2, 2, 16, 64, requires_grad=True)\n"
        "diagonal_scan(gates, weight, backend='numba').sum().backward()\n"
        "result = json.dumps([torch.get_num_threads(), numba.get_num_threads()])\n"
        "open(os.environ['RANK'] + '.json', 'w').write(result)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == [1, 1]


def test_a_change_of_a_file_beside_a_kernel_is_a_change_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "body.py").write_text("def body(x):\n    pass\n")
    names = []
    for beside in ("a = 1", "a = 2", "a = 1"):
        (tmp_path / "layout.py").write_text(beside)
        body = runpy.run_path(str(tmp_path / "body.py"))["body"]
        kernel(body)
        names.append(body.__qualname__)
    assert names[0] == names[2] != names[1]
