"""The Triton backend against the float64 reference: on NumPy by its interpreter where there is no CUDA device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pixelseq.kernels import diagonal_scan, row_scan

pytest.importorskip("triton", reason="triton is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# One pixel, row, column; D off the tile sizes, in several tiles (70); a step of more pixels than a tile (W = 40).
SHAPES = [
    (1, 1, 1, 1),
    (2, 3, 4, 5),
    (3, 4, 7, 16),
    (2, 9, 6, 17),
    (1, 2, 3, 70),
    (3, 1, 6, 8),
    (2, 6, 1, 20),
    (1, 3, 40, 3),
    (0, 3, 3, 4),
]
ids = "B{0[0]}-H{0[1]}-W{0[2]}-D{0[3]}".format
# Relative to the largest value: float32 sums over all pixels; the other types keep 8 and 11 bits of h and the gates.
TOLERANCE = {torch.float32: 3e-6, torch.bfloat16: 4e-2, torch.float16: 4e-3}


def compare(shape: tuple[int, int, int, int], kernel: int | None, dtype: torch.dtype) -> None:
    """Asserts that h and its gradients are the reference's, in a row scan of that kernel or a diagonal scan (None)."""
    B, H, W, D = shape
    directions = () if kernel else (2,)
    taps = (kernel,) if kernel else (2, 2)
    scan = row_scan if kernel else diagonal_scan
    gates_is = torch.randn(B, H, W, *directions, 4 * D, device=DEVICE).to(dtype)
    weight_ss = (torch.randn(*taps, D, 4 * D, device=DEVICE) / (3 * D) ** 0.5).to(dtype)
    grad_hidden = torch.randn(B, H, W, *directions, D, device=DEVICE).to(dtype)
    results: list[tuple[Tensor, ...]] = []
    for backend, precision in (("reference", torch.float64), ("triton", dtype)):
        gates, weight = gates_is.to(precision).requires_grad_(), weight_ss.to(precision).requires_grad_()
        hidden = scan(gates, weight, backend=backend)
        assert hidden.dtype == precision
        results.append((hidden, *torch.autograd.grad(hidden, (gates, weight), grad_hidden.to(precision))))
    for expected, found, name in zip(*results, ("h", "gates_is", "weight_ss"), strict=True):
        tolerance = TOLERANCE[dtype] * max(1, expected.abs().max().item() if expected.numel() else 1)
        torch.testing.assert_close(
            found.double(), expected, rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
@pytest.mark.parametrize("kernel", [None, 1, 5], ids=lambda k: f"row{k}" if k else "diagonal")
def test_equals_the_reference(shape: tuple[int, int, int, int], kernel: int | None) -> None:
    compare(shape, kernel, torch.float32)


def test_a_kernel_may_be_wider_than_the_image() -> None:
    compare((1, 3, 2, 4), 7, torch.float32)


@pytest.mark.parametrize("shape", [(3, 4, 7, 16), (1, 2, 3, 70)], ids=ids)
@pytest.mark.parametrize("kernel", [None, 3], ids=["diagonal", "row"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_half_types_equal_the_reference(
    shape: tuple[int, int, int, int], kernel: int | None, dtype: torch.dtype
) -> None:
    compare(shape, kernel, dtype)


def test_the_state_is_float32_in_half_types() -> None:
    # o = f = i = 1: c starts at tanh(0.5) and grows by 2**-11 a row, less than half a bfloat16 step there.
    H, step = 40, 2.0**-11
    gates_is = torch.full((1, H, 1, 4), 100.0, dtype=torch.bfloat16, device=DEVICE)
    gates_is[..., 3] = step
    gates_is[:, 0, :, 3] = 0.5
    weight_ss = torch.zeros(3, 1, 4, dtype=torch.bfloat16, device=DEVICE)
    hidden = row_scan(gates_is, weight_ss, backend="triton").flatten().float().cpu()
    counted = torch.tensor(0.5).tanh() + step * torch.arange(H)
    torch.testing.assert_close(hidden, counted.tanh(), rtol=8e-3, atol=0)  # h itself is rounded


def test_inputs_need_not_be_contiguous() -> None:
    gates_is, weight_ss = torch.randn(2, 3, 4, 2, 32, device=DEVICE), torch.randn(2, 2, 8, 32, device=DEVICE) / 4
    expected = diagonal_scan(gates_is, weight_ss, backend="reference")
    strided = gates_is.transpose(1, 2).contiguous().transpose(1, 2)
    found = diagonal_scan(strided, weight_ss.transpose(2, 3).contiguous().transpose(2, 3), backend="triton")
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", [3, None], ids=["row", "diagonal"])
def test_the_ops_are_registered_in_full(kernel: int | None) -> None:
    gates_is = torch.randn(2, 2, 3, *(() if kernel else (2,)), 20, device=DEVICE, requires_grad=True)
    weight_ss = torch.randn(*((3,) if kernel else (2, 2)), 5, 20, device=DEVICE, requires_grad=True)
    (row_scan if kernel else diagonal_scan)(gates_is, weight_ss, backend="triton")  # registers the op
    name = "row_scan_triton" if kernel else "diagonal_scan_triton"
    torch.library.opcheck(getattr(torch.ops.pixelseq, name).default, (gates_is, weight_ss))


def test_autocast_reaches_the_kernel_in_its_type() -> None:
    gates_is, weight_ss = torch.randn(2, 3, 4, 32, device=DEVICE), torch.randn(3, 8, 32, device=DEVICE) / 4
    expected = row_scan(gates_is.bfloat16(), weight_ss.bfloat16(), backend="triton")
    with torch.autocast(DEVICE, torch.bfloat16):
        found = row_scan(gates_is.bfloat16(), weight_ss, backend="triton")
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)


@pytest.mark.requires_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=["float32", "bf16", "fp16"])
@pytest.mark.parametrize("kernel", [None, 3], ids=["diagonal", "row"])
@pytest.mark.parametrize("shape", [(16, 28, 29, 16), (64, 32, 33, 128), (5, 100, 17, 512)], ids=ids)
def test_real_sizes_on_cuda(shape: tuple[int, int, int, int], kernel: int | None, dtype: torch.dtype) -> None:
    compare(shape, kernel, dtype)


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from pixelseq.kernels.triton import op, scan

for pointer, D, K, S in [("*fp32", 16, 2, 2), ("*fp16", 64, 3, 1), ("*bf16", 128, 2, 2), ("*bf16", 512, 2, 2)]:
    for kernel, summed in [(scan.forward_kernel, D), (scan.backward_kernel, 4 * D)]:
        blocks = op.blocks(D, K, 4 if pointer == "*fp32" else 2, summed)
        fixed = dict(D=D, S=S, K=K, DIAGONAL=S == 2, PRECISION="tf32x3", IMAGES=2, BM=64, **blocks)
        pointers = {n: "*fp32" if n in ("p_cell", "p_carry") else pointer for n in kernel.arg_names if n[:2] == "p_"}
        signature = {n: pointers.get(n, "constexpr" if n in fixed else "i32") for n in kernel.arg_names}
        constants = {(kernel.arg_names.index(n),): value for n, value in fixed.items()}
        compiled = triton.compile(
            ASTSource(kernel, signature, constants),
            target=GPUTarget("cuda", 90, 32),
            options={"num_warps": 8, "num_stages": 3, "enable_fp_fusion": True},
        )
        assert compiled.metadata.shared <= 227 * 1024, (fixed, compiled.metadata.shared)
        code = compiled.asm["ttgir"]
        steps = code.index("scf.for")
        assert code.rindex("barrier") > code.rindex("tt.store") > steps, fixed  # after all that a step writes
        assert ("tt.load" in code[:steps]) == blocks["RESIDENT"], fixed  # weights that are loaded once
        assert len(compiled.asm["cubin"]) > 1000, fixed
"""


def test_compiles_for_an_h200_without_one(tmp_path: Path) -> None:
    pytest.importorskip("triton.backends.nvidia", reason="this triton has no backend for NVIDIA")
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
