"""Every fast backend against the float64 reference: outputs and gradients, registration, strides, vmap.

Triton runs on NumPy by its interpreter where there is no CUDA device.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelseq.kernels import diagonal_scan, row_scan

Shape = tuple[int, int, int, int]
# One image and an odd number; D at and off the sizes of registers and tiles, and in several; one row, one column; more
# pixels of a step than a tile has (W = 40); no image.
SHAPES: list[Shape] = [
    (1, 1, 1, 1),
    (2, 3, 4, 5),
    (3, 4, 7, 16),
    (2, 9, 6, 17),
    (1, 3, 3, 33),
    (1, 2, 3, 70),
    (5, 1, 6, 8),
    (4, 6, 1, 20),
    (1, 3, 40, 3),
    (0, 3, 3, 4),
]
KERNELS = [None, 1, 3, 5]
"""Of a row scan; None is the diagonal scan."""
# Relative to the largest value: float32 sums over all pixels; the half types keep 8 and 11 bits of h and the gates.
TOLERANCE = {
    ("numba", torch.float64): 1e-12,
    ("numba", torch.float32): 1e-5,
    ("triton", torch.float32): 3e-6,
    ("triton", torch.bfloat16): 4e-2,
    ("triton", torch.float16): 4e-3,
}
shape_id = "B{0[0]}-H{0[1]}-W{0[2]}-D{0[3]}".format
kernel_id = lambda kernel: f"row{kernel}" if kernel else "diagonal"  # noqa: E731
type_id = lambda dtype: str(dtype).removeprefix("torch.")  # noqa: E731
with_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
NUMBA, TRITON = "numba", pytest.param("triton", marks=with_triton)


def device_of(backend: str) -> str:
    return "cuda" if backend == "triton" and torch.cuda.is_available() else "cpu"


def scan_of(kernel: int | None) -> Callable[..., Tensor]:
    return row_scan if kernel else diagonal_scan


def inputs(shape: Shape, kernel: int | None, dtype: torch.dtype, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Gates, weights, and a gradient of h."""
    B, H, W, D = shape
    directions, taps = ((), (kernel,)) if kernel else ((2,), (2, 2))
    gates_is = torch.randn(B, H, W, *directions, 4 * D, device=device)
    weight_ss = torch.randn(*taps, D, 4 * D, device=device) / (3 * D) ** 0.5
    grad_hidden = torch.randn(B, H, W, *directions, D, device=device)
    return gates_is.to(dtype), weight_ss.to(dtype), grad_hidden.to(dtype)


def results(
    backend: str, kernel: int | None, gates_is: Tensor, weight_ss: Tensor, grad_hidden: Tensor
) -> tuple[Tensor, ...]:
    """h, and the gradients of the gates and of the weights."""
    gates, weight = gates_is.detach().requires_grad_(), weight_ss.detach().requires_grad_()
    hidden = scan_of(kernel)(gates, weight, backend=backend)
    assert hidden.dtype == gates_is.dtype
    return hidden, *torch.autograd.grad(hidden, (gates, weight), grad_hidden)


def compare(backend: str, shape: Shape, kernel: int | None, dtype: torch.dtype) -> None:
    tensors = inputs(shape, kernel, dtype, device_of(backend))
    wanted = results("reference", kernel, *(tensor.double() for tensor in tensors))
    for expected, found, name in zip(wanted, results(backend, kernel, *tensors), ("h", "gates", "weight"), strict=True):
        tolerance = TOLERANCE[backend, dtype] * max(1, expected.abs().max().item() if expected.numel() else 1)
        message: Any = lambda text, n=name: f"{n}: {text}"  # noqa: E731
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=tolerance, msg=message)


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
@pytest.mark.parametrize("kernel", KERNELS, ids=kernel_id)
@pytest.mark.parametrize(
    ("backend", "dtype"),
    [("numba", torch.float64), ("numba", torch.float32), pytest.param("triton", torch.float32, marks=with_triton)],
    ids=["numba-float64", "numba-float32", "triton-float32"],
)
def test_equals_the_reference(backend: str, dtype: torch.dtype, kernel: int | None, shape: Shape) -> None:
    compare(backend, shape, kernel, dtype)


@with_triton
@pytest.mark.parametrize("shape", [(3, 4, 7, 16), (1, 2, 3, 70)], ids=shape_id)
@pytest.mark.parametrize("kernel", [None, 3], ids=kernel_id)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=type_id)
def test_half_types_equal_the_reference(dtype: torch.dtype, kernel: int | None, shape: Shape) -> None:
    compare("triton", shape, kernel, dtype)


@pytest.mark.requires_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=type_id)
@pytest.mark.parametrize("kernel", [None, 3], ids=kernel_id)
@pytest.mark.parametrize("shape", [(16, 28, 29, 16), (64, 32, 33, 128), (5, 100, 17, 512)], ids=shape_id)
def test_real_sizes_on_cuda(shape: Shape, kernel: int | None, dtype: torch.dtype) -> None:
    compare("triton", shape, kernel, dtype)


@pytest.mark.parametrize("backend", [NUMBA, TRITON])
def test_a_kernel_may_be_wider_than_the_image(backend: str) -> None:
    compare(backend, (1, 3, 2, 4), 7, torch.float32)


@pytest.mark.parametrize("backend", [NUMBA, TRITON])
@pytest.mark.parametrize("kernel", [None, 3], ids=kernel_id)
def test_inputs_need_not_be_contiguous(backend: str, kernel: int | None) -> None:
    gates_is, weight_ss, grad_hidden = inputs((2, 3, 4, 16), kernel, torch.float32, device_of(backend))
    expected = results(backend, kernel, gates_is, weight_ss, grad_hidden)
    strided = (gates_is.transpose(1, 2), weight_ss.transpose(-1, -2), grad_hidden.flip(0).transpose(0, 1))
    back = [strided[0].contiguous().transpose(1, 2), strided[1].contiguous().transpose(-1, -2)]
    back.append(strided[2].contiguous().transpose(0, 1).flip(0))
    assert not any(tensor.is_contiguous() for tensor in back[:2])
    for one, other in zip(results(backend, kernel, *back), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("backend", [NUMBA, TRITON])
@pytest.mark.parametrize("kernel", [None, 3], ids=kernel_id)
def test_the_ops_are_registered_in_full(backend: str, kernel: int | None) -> None:
    gates_is, weight_ss, _ = inputs((2, 2, 3, 5), kernel, torch.float32, device_of(backend))
    scan_of(kernel)(gates_is, weight_ss, backend=backend)  # registers the op
    padded = inputs((2, 2, 3, 16), kernel, torch.float32, device_of(backend))[:2]
    op = getattr(torch.ops.pixelseq, f"{'row_scan' if kernel else 'diagonal_scan'}_{backend}")
    torch.library.opcheck(op.default, tuple(tensor.requires_grad_() for tensor in padded))


@pytest.mark.parametrize("kernel", [None, 3], ids=kernel_id)
def test_scans_are_vectorised_over_gates_weights_and_both(kernel: int | None) -> None:
    pairs = [inputs((2, 3, 4, 5), kernel, torch.float64)[:2] for _ in range(3)]
    gates, weights = (torch.stack(tensors) for tensors in zip(*pairs, strict=True))

    def scan(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
        return scan_of(kernel)(gates_is, weight_ss, backend="numba")

    for dims in ((0, 0), (0, None), (None, 0)):
        args = (gates if dims[0] == 0 else gates[0], weights if dims[1] == 0 else weights[0])
        found = torch.vmap(scan, in_dims=dims)(*args)
        for k in range(3):
            expected = scan(gates[k if dims[0] == 0 else 0], weights[k if dims[1] == 0 else 0])
            torch.testing.assert_close(found[k], expected)
