"""A backend is chosen by name; an unusable one is an error that names the choices, never a silent slow path."""

from __future__ import annotations

import pytest
import torch

from pixelseq.kernels import diagonal_scan, row_scan
from pixelseq.kernels.backends import VARIABLE, choose

FLOAT32, BFLOAT16 = torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16)
META = torch.zeros(1, device="meta")


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_auto_takes_the_fast_backend_of_the_cpu() -> None:
    assert choose(None, FLOAT32) == choose("auto", FLOAT32) == choose("auto", FLOAT32.double()) == "numba"


def test_the_call_comes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    assert choose(None, FLOAT32) == "reference"
    assert choose("numba", FLOAT32) == "numba"


@pytest.mark.parametrize(
    ("tensor", "reason"), [(BFLOAT16, "are bfloat16"), (META, "are on meta")], ids=["dtype", "device"]
)
def test_auto_warns_before_it_takes_the_reference(tensor: torch.Tensor, reason: str) -> None:
    with pytest.warns(UserWarning, match=f"the slow reference runs the scans: .* {reason}"):
        assert choose(None, tensor) == "reference"
    with pytest.raises(ValueError, match=f"backend 'numba' .* {reason}; choose from auto, reference, numba"):
        choose("numba", tensor)
    assert choose("reference", tensor) == "reference"


@pytest.mark.parametrize("scan", [row_scan, diagonal_scan])
def test_an_unknown_backend_lists_the_choices(scan: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(scan)
    with pytest.raises(ValueError, match="no backend 'cuda'; choose from auto, reference, numba"):
        scan(torch.zeros(1, 1, 1, 2, 4), torch.zeros(2, 2, 1, 4), backend="cuda")
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ValueError, match="no backend 'fast'"):
        scan(torch.zeros(1, 1, 1, 2, 4), torch.zeros(2, 2, 1, 4))
