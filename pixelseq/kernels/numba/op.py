"""Makes torch ops of Numba kernels: they are compiled once, run on torch's threads, and take any D."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.kernels.numba.cache import KernelCache
from pixelseq.kernels.numba.simd import LANES
from pixelseq.kernels.scan_op import empty_results, register

ONE_AT_A_TIME = threading.Lock()
"""The lock under which kernels run: some of Numba's threading layers end the process when two threads start kernels."""

_launched_in: int | None = None
"""The process that started the threads of kernels."""
CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable that names the folder of compiled kernels."""


def kernel(function: Callable[..., None]) -> Any:
    """Compiles a kernel that runs on several threads, cached on disk until a file that it is made of changes.

    Numba looks for changes only in the file of the kernel itself, so the name that it is cached under carries a digest
    of all files beside it and beside this one.
    """
    folders = dict.fromkeys((Path(__file__).parent, Path(function.__code__.co_filename).parent))
    files = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    function.__qualname__ += f"_{hashlib.sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:12]}"
    compiled = numba.njit(parallel=True, error_model="numpy")(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written: `run` says so
        compiled._cache = KernelCache(function)
    return compiled


def scan_op(name: str, forward_kernel: Any, backward_kernel: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Registers the kernels of a scan as `pixelseq::NAME_numba`.

    Args:
        name: the name of the scan.
        forward_kernel: fills hidden, cell [..., D] and the activated gates [..., 4D] from gates_is [..., 4D] and
            weight_ss [..., D, 4D].
        backward_kernel: fills grad_gates [..., 4D], and adds to grad_weight [threads, *weight_ss.shape], from
            grad_hidden, the transposed weight [..., 4D, D] and what forward filled.

    Returns:
        The scan, from gates_is and weight_ss, float32 or float64, with any D, to hidden [..., D].
    """

    def forward(gates_is: Tensor, weight_ss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, cell, gates = empty_results(gates_is, weight_ss)
        run(forward_kernel, gates_is.contiguous(), weight_ss.contiguous(), hidden, cell, gates)
        return hidden, cell, gates

    def backward(
        grad_hidden: Tensor, weight_ss: Tensor, hidden: Tensor, cell: Tensor, gates: Tensor
    ) -> tuple[Tensor, Tensor]:
        grad_gates = torch.empty_like(gates)
        workers = min(torch.get_num_threads(), len(gates) + 1)  # no more than there are tasks
        grad_weight = weight_ss.new_zeros(workers, *weight_ss.shape)
        transposed = weight_ss.transpose(-1, -2).contiguous()
        run(backward_kernel, grad_hidden.contiguous(), transposed, hidden, cell, gates, grad_gates, grad_weight)
        return grad_gates, grad_weight.sum(0)

    op = register(f"{name}_numba", forward, backward)

    def scan(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu") and gates_is.dtype != torch.float64:
            gates_is, weight_ss = gates_is.float(), weight_ss.float()
        hidden = op(_pad_gates(gates_is), _pad_weight(weight_ss))[0]
        return hidden[..., : weight_ss.shape[-2]]

    return scan


def _pad_hidden(tensor: Tensor) -> Tensor:
    """Pads the last axis with zeros to a multiple of LANES; a padded feature stays 0 through every scan."""
    return F.pad(tensor, (0, -tensor.shape[-1] % LANES))


def _pad_gates(tensor: Tensor) -> Tensor:
    """Pads the D features of each of the four gates on the last axis."""
    D = tensor.shape[-1] // 4
    return tensor if D % LANES == 0 else _pad_hidden(tensor.unflatten(-1, (4, D))).flatten(-2)


def _pad_weight(weight: Tensor) -> Tensor:
    """Pads [..., D, 4D]: the D inputs, and the D features of each gate."""
    return _pad_hidden(_pad_gates(weight).transpose(-1, -2)).transpose(-1, -2)


def run(kernel: Any, *arguments: Any) -> None:
    """Calls a kernel on contiguous tensors, with as many threads as torch uses, and says if it had to be compiled.

    Raises:
        RuntimeError: this process was forked from one that has run kernels, whose threads it does not have.
    """
    global _launched_in
    if _launched_in not in (None, os.getpid()) and numba.threading_layer() == "omp":  # the others can be forked
        raise RuntimeError(
            "this process was forked from one that has run CPU kernels, whose threads do not come along: start it by "
            "multiprocessing's method spawn, or fork before any kernel runs"
        )
    threads = torch.get_num_threads()
    with ONE_AT_A_TIME:
        _launched_in = os.getpid()
        misses = _cache_misses(kernel)
        started = time.monotonic()
        try:
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
            kernel(*(x.detach().numpy() if isinstance(x, Tensor) else x for x in arguments))
        finally:
            torch.set_num_threads(threads)  # Numba and torch can share an OpenMP, whose setting Numba changes
        seconds, compiled = time.monotonic() - started, _cache_misses(kernel) > misses
    if compiled:
        kept = getattr(kernel._cache, "keeps", False)
        later = (
            "load it from disk" if kept else f"compile it again, as it cannot be kept; {CACHE_VARIABLE} names a folder"
        )
        print(f"pixelseq: compiled a CPU kernel in {seconds:.1f} s; later runs {later}", file=sys.stderr)


def _cache_misses(kernel: Any) -> int:
    return sum(kernel.stats.cache_misses.values())
