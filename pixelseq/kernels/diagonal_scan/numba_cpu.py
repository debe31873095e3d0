"""The diagonal scan on the CPU, in raster order: that respects every dependency, so nothing is skewed.

A task scans one direction of two images, so that its state stays in cache; tasks share the cores.
Shapes: B batch, H rows, W columns, D hidden (a multiple of LANES), 2 directions.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from pixelseq.kernels.numba.cell import (
    add_products,
    add_transposed_products,
    add_weight_gradient,
    cell_backward,
    cell_forward,
    load_row,
    zero_sums,
)
from pixelseq.kernels.numba.op import kernel, scan_op
from pixelseq.kernels.numba.simd import LANES, load


@kernel
def forward_kernel(gates_is, weight_ss, hidden, cell, gates):
    """Fills hidden and cell [B, H, W, 2, D], and gates [B, H, W, 2, 4D], which are the activated ones.

    It reads gates_is [B, H, W, 2, 4D] and weight_ss [2, 2, D, 4D].
    """
    B, H, W, _, D = hidden.shape
    for task in prange((B + 1) // 2 * 2):
        s = task % 2
        b0 = task // 2 * 2
        b1 = min(b0 + 1, B - 1)  # the last of an odd number of images is its own partner
        for i in range(H):
            for turn in range(W):
                j = turn if s == 0 else W - 1 - turn
                p0, p1 = ((b0 * H + i) * W + j) * 2 + s, ((b1 * H + i) * W + j) * 2 + s
                beside = -2 if s == 0 else 2
                for d in range(0, D, LANES):
                    gates0, gates1 = load_row(gates_is, p0 * 4 * D + d, D), load_row(gates_is, p1 * 4 * D + d, D)
                    before0 = before1 = zero_sums(gates_is)[0]
                    if i > 0:
                        above, offset = -2 * W, s * 2 * D * 4 * D
                        gates0, gates1 = add_products(
                            gates0, gates1, hidden, p0 + above, p1 + above, weight_ss, offset, D, d
                        )
                    if turn > 0:
                        offset = (s * 2 + 1) * D * 4 * D
                        gates0, gates1 = add_products(
                            gates0, gates1, hidden, p0 + beside, p1 + beside, weight_ss, offset, D, d
                        )
                        before0, before1 = load(cell, (p0 + beside) * D + d), load(cell, (p1 + beside) * D + d)
                    cell_forward(gates0, before0, hidden, cell, gates, p0, D, d)
                    cell_forward(gates1, before1, hidden, cell, gates, p1, D, d)


@kernel
def backward_kernel(grad_hidden, transposed, hidden, cell, gates, grad_gates, grad_weight):
    """Fills grad_gates [B, H, W, 2, 4D]; adds to grad_weight [workers, 2, 2, D, 4D], one part per worker.

    It reads grad_hidden [B, H, W, 2, D], transposed [2, 2, 4D, D] and what forward filled.
    """
    B, H, W, _, D = grad_hidden.shape
    workers = grad_weight.shape[0]
    for worker in prange(workers):
        carry = np.empty(2 * D, grad_hidden.dtype)
        for task in range(worker, (B + 1) // 2 * 2, workers):
            s = task % 2
            b0 = task // 2 * 2
            b1 = min(b0 + 1, B - 1)
            beside = -2 if s == 0 else 2
            for i in range(H - 1, -1, -1):
                carry[:] = 0
                for turn in range(W - 1, -1, -1):
                    j = turn if s == 0 else W - 1 - turn
                    p0, p1 = ((b0 * H + i) * W + j) * 2 + s, ((b1 * H + i) * W + j) * 2 + s
                    for d in range(0, D, LANES):
                        sums0 = sums1 = zero_sums(cell)
                        before0 = before1 = sums0[0]
                        if i < H - 1:
                            below, offset = 2 * W, s * 2 * 4 * D * D
                            sums0, sums1 = add_transposed_products(
                                sums0, sums1, grad_gates, p0 + below, p1 + below, transposed, offset, D, d
                            )
                        if turn < W - 1:
                            offset = (s * 2 + 1) * 4 * D * D
                            sums0, sums1 = add_transposed_products(
                                sums0, sums1, grad_gates, p0 - beside, p1 - beside, transposed, offset, D, d
                            )
                        if turn > 0:
                            before0, before1 = load(cell, (p0 + beside) * D + d), load(cell, (p1 + beside) * D + d)
                        cell_backward(sums0, before0, carry, 0, grad_hidden, cell, gates, grad_gates, p0, D, d)
                        cell_backward(sums1, before1, carry, D, grad_hidden, cell, gates, grad_gates, p1, D, d)
                for b in range(b0, b1 + 1):
                    offset = (worker * 2 + s) * 2 * D * 4 * D
                    row = (b * H + i) * W * 2 + s
                    if i > 0:
                        add_weight_gradient(grad_weight, offset, hidden, row - 2 * W, grad_gates, row, 2, W, D)
                    q = row + 2 if s == 0 else row  # the leftmost pixel that has a neighbour beside it
                    add_weight_gradient(grad_weight, offset + D * 4 * D, hidden, q + beside, grad_gates, q, 2, W - 1, D)


diagonal_scan = scan_op("diagonal_scan", forward_kernel, backward_kernel)
