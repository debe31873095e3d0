"""Runs the scans on the backend that fits the tensors, or on one that is asked for by name."""

from __future__ import annotations

import importlib.util
import os
import warnings

import torch
from torch import Tensor

from pixelseq.kernels.diagonal_scan.reference import diagonal_scan as diagonal_scan_reference
from pixelseq.kernels.row_scan.reference import row_scan as row_scan_reference

if hasattr(os, "register_at_fork"):  # not on Windows
    # A forked process has none of the threads that torch would wait for without end.
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

BACKENDS = ("auto", "reference", "numba", "triton")
BACKEND_VARIABLE = "PIXELSEQ_BACKEND"
"""The environment variable that names the backend of a whole run."""


def row_scan(gates_is: Tensor, weight_ss: Tensor, backend: str | None = None) -> Tensor:
    """Runs a Row LSTM down an image (van den Oord et al. 2016, section 3.1); see `row_scan/reference.py`.

    Args:
        gates_is: [B, H, W, 4D], the input-to-state part of the gates, in the order o, f, i, g.
        weight_ss: [K, D, 4D], K odd.
        backend: the name of the backend; see `choose_backend`.

    Returns:
        [B, H, W, D], the hidden state h.

    Raises:
        ValueError: the shapes or types do not fit each other, or the backend does not exist or cannot take them.
    """
    _check(gates_is, weight_ss, (), 1)
    name = choose_backend(backend, gates_is)
    if name == "numba":
        from pixelseq.kernels.row_scan.numba_cpu import row_scan as row_scan_numba

        return row_scan_numba(gates_is, weight_ss)
    if name == "triton":
        from pixelseq.kernels.row_scan.triton_cuda import row_scan as row_scan_triton

        return row_scan_triton(gates_is, weight_ss)
    return row_scan_reference(gates_is, weight_ss)


def diagonal_scan(gates_is: Tensor, weight_ss: Tensor, backend: str | None = None) -> Tensor:
    """Runs a Diagonal BiLSTM over an image (van den Oord et al. 2016, section 3.2); see `diagonal_scan/reference.py`.

    Args:
        gates_is: [B, H, W, 2, 4D], the input-to-state part of the gates from the left and from the right.
        weight_ss: [2, 2, D, 4D], direction, then neighbour (0 above, 1 beside).
        backend: the name of the backend; see `choose_backend`.

    Returns:
        [B, H, W, 2, D], the hidden state h of each direction.

    Raises:
        ValueError: the shapes or types do not fit each other, or the backend does not exist or cannot take them.
    """
    _check(gates_is, weight_ss, (2,), 2)
    name = choose_backend(backend, gates_is)
    if name == "numba":
        from pixelseq.kernels.diagonal_scan.numba_cpu import diagonal_scan as diagonal_scan_numba

        return diagonal_scan_numba(gates_is, weight_ss)
    if name == "triton":
        from pixelseq.kernels.diagonal_scan.triton_cuda import diagonal_scan as diagonal_scan_triton

        return diagonal_scan_triton(gates_is, weight_ss)
    return diagonal_scan_reference(gates_is, weight_ss)


def choose_backend(backend: str | None, tensor: Tensor) -> str:
    """Chooses the backend to use.

    Args:
        backend: "reference" (eager torch, anywhere), "numba" (CPU, float32 and float64), "triton" (CUDA, float32,
            bfloat16 and float16), or "auto": the fast one for the tensor's device, or else, with a warning, the
            reference. None means what PIXELSEQ_BACKEND says, or "auto".
        tensor: the gates of the scan.

    Raises:
        ValueError: there is no such backend, or it cannot take the tensor.
    """
    name = backend or os.environ.get(BACKEND_VARIABLE) or "auto"
    if name not in BACKENDS:
        raise ValueError(f"no backend {name!r}; choose from {', '.join(BACKENDS)}")
    if name == "reference":
        return name
    fast = name
    if name == "auto":
        fast = "numba" if tensor.device.type == "cpu" else "triton"
    reason = _why_not_numba(tensor) if fast == "numba" else _why_not_triton(tensor)
    if reason is None:
        return fast
    if name == "auto":
        warnings.warn(f"the slow reference runs the scans: backend {fast!r} {reason}", stacklevel=3)
        return "reference"
    raise ValueError(f"backend {name!r} {reason}; choose from {', '.join(BACKENDS)}")


def _why_not_numba(tensor: Tensor) -> str | None:
    if tensor.device.type != "cpu":
        return f"runs on the CPU, the tensors are on {tensor.device.type}"
    # Autocast's own types are cast to float32 before they reach the kernels.
    if tensor.dtype not in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu"):
        return f"computes in float32 and float64, the tensors are {_short(tensor.dtype)}"
    return None


def _why_not_triton(tensor: Tensor) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "needs the package triton, which is not installed"
    devices = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)
    if tensor.device.type not in devices:
        return f"runs on CUDA, the tensors are on {tensor.device.type}"
    if tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"computes in float32, bfloat16 and float16, the tensors are {_short(tensor.dtype)}"
    return None


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check(gates_is: Tensor, weight_ss: Tensor, directions: tuple[int, ...], taps: int) -> None:
    """Raises ValueError unless gates_is is [B, H, W, *directions, 4D] and weight_ss [..., D, 4D], both of one type.

    Args:
        gates_is: the input-to-state part of the gates.
        weight_ss: the state-to-state weights.
        directions: (2,) where the scan has two directions, () where it has one.
        taps: the number of axes of weight_ss before [D, 4D].
    """
    D = weight_ss.shape[-2] if weight_ss.ndim == taps + 2 else 0
    fits = (
        D > 0
        and weight_ss.shape[-1] == 4 * D
        and gates_is.ndim == 4 + len(directions)
        and gates_is.shape[3:] == (*directions, 4 * D)
        and (not directions or weight_ss.shape[:2] == (2, 2))
    )
    if not fits:
        raise ValueError(f"gates {list(gates_is.shape)} and weight {list(weight_ss.shape)} do not fit each other")
    types = (gates_is.dtype, weight_ss.dtype)
    autocast = torch.is_autocast_enabled(gates_is.device.type) and torch.float64 not in types
    if gates_is.device != weight_ss.device or (gates_is.dtype != weight_ss.dtype and not autocast):
        kinds = f"{gates_is.dtype} on {gates_is.device} and {weight_ss.dtype} on {weight_ss.device}"
        raise ValueError(f"gates and weight are of unlike types: {kinds}")
