"""Makes torch ops of Triton kernels: chooses blocks, launches kernels, and sums the gradients of the weights."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor

from pixelseq.kernels.scan_op import empty_results, register
from pixelseq.kernels.triton.scan import BLOCK_MIN, backward_kernel, forward_kernel

RESIDENT_BYTES = 64 * 1024
"""The most bytes of weights of one direction that are loaded once; larger ones are streamed, one tile at a time."""
CACHE_VARIABLE = "TRITON_CACHE_DIR"
"""The environment variable that names the folder of compiled kernels."""


def choose_cache() -> None:
    """Has Triton keep compiled kernels in a temporary folder where it cannot in its own, and says so."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".triton" / "cache")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        os.environ[CACHE_VARIABLE] = tempfile.mkdtemp(prefix="pixelseq-triton-")
        print(
            f"pixelseq: nothing can be written in {folder}: later runs compile CUDA kernels again; {CACHE_VARIABLE} "
            "names a folder",
            file=sys.stderr,
        )


choose_cache()


def blocks(D: int, K: int, itemsize: int, summed: int) -> dict[str, Any]:
    """Chooses the tiles of a kernel.

    Args:
        D: hidden features.
        K: taps.
        itemsize: bytes per number.
        summed: the number of features that a product is summed over: D forward, 4D backward.

    Returns:
        RESIDENT, whether the weights of a direction are loaded once; BN, hidden features per tile; BK, features that a
        product is summed over at a time; PARTS, the number of such parts.
    """
    features, all_summed = (max(BLOCK_MIN, triton.next_power_of_2(n)) for n in (D, summed))
    resident = K * 4 * features * features * itemsize <= RESIDENT_BYTES
    line = 128 // itemsize  # numbers in a line of the cache
    BN, BK = (features, all_summed) if resident else (min(features, line), min(all_summed, line))
    return {"RESIDENT": resident, "BN": BN, "BK": BK, "PARTS": triton.cdiv(summed, BK)}


def _tune(kernel: Any) -> Any:
    """Has Triton choose images and pixels per program, and warps, by trial, for each network and kind of image size."""
    # A tile has at least as many numbers as its program has threads (the smallest is 16 x 16; a warp has 32):
    # otherwise two threads would hold one number, and one could read the carry that the other has written.
    configs = [
        triton.Config({"IMAGES": images, "BM": pixels}, num_warps=warps, num_stages=3)
        for images, pixels, warps in [(1, 16, 4), (1, 32, 4), (1, 32, 8), (2, 64, 8), (4, 128, 8)]
    ]
    interpreted = not isinstance(kernel, triton.JITFunction)
    return triton.autotune(configs[1:2] if interpreted else configs, key=["bucket", "D", "S", "K", "PRECISION"])(kernel)


forward_tuned, backward_tuned = _tune(forward_kernel), _tune(backward_kernel)


def scan_op(name: str, diagonal: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Registers a scan as `pixelseq::NAME_triton`.

    Args:
        name: the name of the scan.
        diagonal: whether to scan two directions by diagonals, rather than one by rows.

    Returns:
        The scan, from gates_is and weight_ss (float32, bfloat16, float16) to hidden [..., D] of that type. The state c
        and all sums are float32.
    """

    def forward(gates_is: Tensor, weight_ss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        results = empty_results(gates_is, weight_ss)
        tensors = (gates_is.contiguous(), weight_ss.contiguous(), *results)
        _launch(forward_tuned, tensors, weight_ss, diagonal, summed=weight_ss.shape[-2])
        return results

    def backward(
        grad_hidden: Tensor, weight_ss: Tensor, hidden: Tensor, cell: Tensor, gates: Tensor
    ) -> tuple[Tensor, Tensor]:
        B, H, W = gates.shape[:3]
        S = 2 if diagonal else 1
        grad_gates = torch.empty_like(gates)
        carry = cell.new_empty(B, S, H if diagonal else W, cell.shape[-1])
        transposed = weight_ss.transpose(-1, -2).contiguous()
        tensors = (grad_hidden.contiguous(), transposed, cell, gates, grad_gates, carry)
        _launch(backward_tuned, tensors, weight_ss, diagonal, summed=weight_ss.shape[-1])
        grad_of = _diagonal_weight_gradient if diagonal else _row_weight_gradient
        return grad_gates, grad_of(hidden, grad_gates, weight_ss)

    op = register(f"{name}_triton", forward, backward)

    def scan(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
        device = gates_is.device.type
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
            gates_is, weight_ss = gates_is.to(dtype), weight_ss.to(dtype)
        return op(gates_is, weight_ss)[0]

    return scan


def _launch(kernel: Any, tensors: tuple[Tensor, ...], weight_ss: Tensor, diagonal: bool, summed: int) -> None:
    """Launches a kernel for all images and directions at once; the first tensor is [B, H, W, ...]."""
    if tensors[0].numel() == 0:
        return
    B, H, W = tensors[0].shape[:3]
    K, D, _ = weight_ss.shape[-3:]
    S = 2 if diagonal else 1
    bucket = triton.next_power_of_2(B) * 2**16 + triton.next_power_of_2(min(H, W) if diagonal else W)
    exact = torch.get_float32_matmul_precision() == "highest"
    with torch.cuda.device_of(weight_ss):
        kernel[lambda meta: (triton.cdiv(B, meta["IMAGES"]), S)](
            *tensors,
            B,
            H,
            W,
            bucket,
            D=D,
            S=S,
            K=K,
            DIAGONAL=diagonal,
            PRECISION="tf32x3" if exact else "tf32",
            enable_fp_fusion=True,
            **blocks(D, K, weight_ss.element_size(), summed),
        )


def _diagonal_weight_gradient(hidden: Tensor, grad_gates: Tensor, weight_ss: Tensor) -> Tensor:
    """Sums h of the neighbours times the gates' gradient, over all pixels: [2, 2, D, 4D]."""
    gradient = torch.empty_like(weight_ss)
    for s in range(2):
        h, dg = hidden[:, :, :, s], grad_gates[:, :, :, s]
        gradient[s, 0] = _product(h[:, :-1], dg[:, 1:])
        gradient[s, 1] = _product(h[:, :, :-1], dg[:, :, 1:]) if s == 0 else _product(h[:, :, 1:], dg[:, :, :-1])
    return gradient


def _row_weight_gradient(hidden: Tensor, grad_gates: Tensor, weight_ss: Tensor) -> Tensor:
    """Sums h of the neighbours times the gates' gradient, over all pixels: [K, D, 4D]."""
    gradient = torch.empty_like(weight_ss)
    K, W = len(weight_ss), hidden.shape[2]
    for k in range(K):
        column = k - K // 2  # of the neighbour, relative to the pixel
        h = hidden[:, :-1, max(0, column) : max(0, W + min(0, column))]
        dg = grad_gates[:, 1:, max(0, -column) : max(0, W + min(0, -column))]
        gradient[k] = _product(h, dg)
    return gradient


def _product(h: Tensor, dg: Tensor) -> Tensor:
    """Multiplies [B, H, W, D] by [B, H, W, 4D] and sums over pixels, in one matrix product -> [D, 4D]."""
    return h.flatten(0, 2).T @ dg.flatten(0, 2)
