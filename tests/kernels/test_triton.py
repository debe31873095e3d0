"""The Triton backend by itself: its types, and that it compiles for a device without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pixelseq.kernels import row_scan

pytest.importorskip("triton", reason="triton is not installed")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


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


def test_autocast_reaches_the_kernel_in_its_type() -> None:
    gates_is, weight_ss = torch.randn(2, 3, 4, 32, device=DEVICE), torch.randn(3, 8, 32, device=DEVICE) / 4
    expected = row_scan(gates_is.bfloat16(), weight_ss.bfloat16(), backend="triton")
    with torch.autocast(DEVICE, torch.bfloat16):
        found = row_scan(gates_is.bfloat16(), weight_ss, backend="triton")
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)


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
