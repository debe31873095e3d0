"""The row scan on the CPU, in raster order; a task scans two images, so that its state stays in cache.

Shapes: B batch, H rows, W columns, D hidden (a multiple of LANES), K kernel width.
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
    """Fills hidden and cell [B, H, W, D], and gates [B, H, W, 4D], which are the activated ones.

    It reads gates_is [B, H, W, 4D] and weight_ss [K, D, 4D].
    """
    B, H, W, D = hidden.shape
    K = weight_ss.shape[0]
    for task in prange((B + 1) // 2):
        b0 = 2 * task
        b1 = min(b0 + 1, B - 1)  # the last of an odd number of images is its own partner
        for i in range(H):
            for j in range(W):
                p0, p1 = (b0 * H + i) * W + j, (b1 * H + i) * W + j
                for d in range(0, D, LANES):
                    gates0, gates1 = load_row(gates_is, p0 * 4 * D + d, D), load_row(gates_is, p1 * 4 * D + d, D)
                    before0 = before1 = zero_sums(gates_is)[0]
                    if i > 0:
                        for k in range(K):
                            column = k - K // 2
                            if 0 <= j + column < W:
                                tap, offset = column - W, k * D * 4 * D
                                gates0, gates1 = add_products(
                                    gates0, gates1, hidden, p0 + tap, p1 + tap, weight_ss, offset, D, d
                                )
                        before0, before1 = load(cell, (p0 - W) * D + d), load(cell, (p1 - W) * D + d)
                    cell_forward(gates0, before0, hidden, cell, gates, p0, D, d)
                    cell_forward(gates1, before1, hidden, cell, gates, p1, D, d)


@kernel
def backward_kernel(grad_hidden, transposed, hidden, cell, gates, grad_gates, grad_weight):
    """Fills grad_gates [B, H, W, 4D]; adds to grad_weight [workers, K, D, 4D], one part per worker.

    It reads grad_hidden [B, H, W, D], transposed [K, 4D, D] and what forward filled.
    """
    B, H, W, D = grad_hidden.shape
    workers, K = grad_weight.shape[:2]
    for worker in prange(workers):
        carry = np.empty(W * 2 * D, grad_hidden.dtype)
        for task in range(worker, (B + 1) // 2, workers):
            b0 = 2 * task
            b1 = min(b0 + 1, B - 1)
            carry[:] = 0
            for i in range(H - 1, -1, -1):
                for j in range(W):
                    p0, p1 = (b0 * H + i) * W + j, (b1 * H + i) * W + j
                    for d in range(0, D, LANES):
                        sums0 = sums1 = zero_sums(cell)
                        before0 = before1 = sums0[0]
                        if i < H - 1:
                            for k in range(K):
                                column = K // 2 - k
                                if 0 <= j + column < W:
                                    tap, offset = W + column, k * 4 * D * D
                                    sums0, sums1 = add_transposed_products(
                                        sums0, sums1, grad_gates, p0 + tap, p1 + tap, transposed, offset, D, d
                                    )
                        if i > 0:
                            before0, before1 = load(cell, (p0 - W) * D + d), load(cell, (p1 - W) * D + d)
                        at = j * 2 * D
                        cell_backward(sums0, before0, carry, at, grad_hidden, cell, gates, grad_gates, p0, D, d)
                        cell_backward(sums1, before1, carry, at + D, grad_hidden, cell, gates, grad_gates, p1, D, d)
                if i > 0:
                    for b in range(b0, b1 + 1):
                        for k in range(K):
                            column = k - K // 2
                            q = (b * H + i) * W + max(0, -column)  # the first pixel whose tap lies inside
                            offset, count = (worker * K + k) * D * 4 * D, W - abs(column)
                            add_weight_gradient(grad_weight, offset, hidden, q - W + column, grad_gates, q, 1, count, D)


row_scan = scan_op("row_scan", forward_kernel, backward_kernel)
