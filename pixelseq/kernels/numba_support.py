"""What the CPU scans share around their kernels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numba
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.kernels.simd import LANES


def pad_hidden(tensor: Tensor) -> Tensor:
    """Pads the last axis with zeros to a multiple of LANES; a padded feature stays 0 through every scan."""
    return F.pad(tensor, (0, -tensor.shape[-1] % LANES))


def pad_gates(tensor: Tensor) -> Tensor:
    """Pads the D features of each of the four gates on the last axis."""
    D = tensor.shape[-1] // 4
    return tensor if D % LANES == 0 else pad_hidden(tensor.unflatten(-1, (4, D))).flatten(-2)


def pad_weight(weight: Tensor) -> Tensor:
    """Pads [..., D, 4D]: the D inputs, and the D features of each gate."""
    return pad_hidden(pad_gates(weight).transpose(-1, -2)).transpose(-1, -2)


def run(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Calls a kernel on contiguous tensors with as many threads as torch uses, and says so where it was compiled."""
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    misses = _cache_misses(kernel)
    started = time.monotonic()
    kernel(*(tensor.detach().numpy() for tensor in tensors))
    torch.set_num_threads(threads)  # Numba and torch can share an OpenMP, whose setting Numba changes
    if _cache_misses(kernel) > misses:
        seconds = time.monotonic() - started
        print(f"pixelseq: compiled a CPU kernel in {seconds:.1f} s; later runs load it from disk", file=sys.stderr)


def _cache_misses(kernel: Any) -> int:
    return sum(kernel.stats.cache_misses.values())
