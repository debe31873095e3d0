"""A backend is chosen by name; an unusable one is an error that names the choices, never a silent slow path."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pixelseq.kernels import diagonal_scan, row_scan
from pixelseq.kernels.backends import BACKEND_VARIABLE, choose_backend

FLOAT32, BFLOAT16 = torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16)
META = torch.zeros(1, device="meta")


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BACKEND_VARIABLE, raising=False)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def test_auto_takes_the_fast_backend_of_the_cpu() -> None:
    assert (
        choose_backend(None, FLOAT32)
        == choose_backend("auto", FLOAT32)
        == choose_backend("auto", FLOAT32.double())
        == "numba"
    )


def test_the_call_comes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BACKEND_VARIABLE, "reference")
    assert choose_backend(None, FLOAT32) == "reference"
    assert choose_backend("numba", FLOAT32) == "numba"


@pytest.mark.parametrize(
    ("tensor", "fast", "reason"),
    [(BFLOAT16, "numba", "are bfloat16"), (META, "triton", "are on meta")],
    ids=["dtype", "device"],
)
def test_auto_warns_before_it_takes_the_reference(tensor: torch.Tensor, fast: str, reason: str) -> None:
    with pytest.warns(UserWarning, match=f"the slow reference runs the scans: .*'{fast}' .* {reason}"):
        assert choose_backend(None, tensor) == "reference"
    with pytest.raises(ValueError, match=f"backend '{fast}' .* {reason}; choose from auto, reference, numba, triton"):
        choose_backend(fast, tensor)
    assert choose_backend("reference", tensor) == "reference"


@pytest.mark.parametrize(
    ("backend", "tensor", "reason"),
    [
        ("numba", META, "runs on the CPU, the tensors are on meta"),
        ("triton", FLOAT32, "runs on CUDA, the tensors are on cpu"),
    ],
)
def test_an_unusable_backend_says_why(backend: str, tensor: torch.Tensor, reason: str) -> None:
    with pytest.raises(ValueError, match=f"backend '{backend}' {reason}; choose from auto"):
        choose_backend(backend, tensor)


def test_triton_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs the package triton, which is not installed; choose from auto"):
        choose_backend("triton", FLOAT32)


def test_triton_refuses_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert choose_backend("triton", FLOAT32) == choose_backend("triton", BFLOAT16) == "triton"
    with pytest.raises(ValueError, match="the tensors are float64"):
        choose_backend("triton", FLOAT32.double())


@pytest.mark.parametrize(
    ("scan", "gates", "weight"),
    [(row_scan, (1, 1, 1, 4), (3, 1, 4)), (diagonal_scan, (1, 1, 1, 2, 4), (2, 2, 1, 4))],
    ids=["row", "diagonal"],
)
def test_an_unknown_backend_lists_the_choices(
    scan: Callable[..., torch.Tensor],
    gates: tuple[int, ...],
    weight: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="no backend 'cuda'; choose from auto, reference, numba, triton"):
        scan(torch.zeros(gates), torch.zeros(weight), backend="cuda")
    monkeypatch.setenv(BACKEND_VARIABLE, "fast")
    with pytest.raises(ValueError, match="no backend 'fast'"):
        scan(torch.zeros(gates), torch.zeros(weight))


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize(
    ("scan", "gates", "weight"),
    [
        (row_scan, (1, 2, 2, 64), (3, 32, 128)),
        (row_scan, (1, 2, 2, 64), (3, 16, 16)),
        (row_scan, (1, 2, 2, 2, 64), (3, 16, 64)),
        (row_scan, (2, 2, 64), (3, 16, 64)),
        (diagonal_scan, (1, 2, 2, 1, 64), (2, 2, 16, 64)),
        (diagonal_scan, (1, 2, 2, 2, 64), (1, 2, 16, 64)),
        (diagonal_scan, (1, 2, 2, 2, 64), (2, 16, 64)),
    ],
)
def test_shapes_that_do_not_fit(
    backend: str, scan: Callable[..., torch.Tensor], gates: tuple[int, ...], weight: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="do not fit each other"):
        scan(torch.zeros(gates), torch.zeros(weight), backend=backend)


@pytest.mark.parametrize("weight_type", [torch.float64, torch.bfloat16])
def test_unlike_types(weight_type: torch.dtype) -> None:
    with pytest.raises(ValueError, match="unlike types: "):
        row_scan(torch.zeros(1, 2, 2, 64), torch.zeros(3, 16, 64, dtype=weight_type))
