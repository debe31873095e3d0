"""Both scans on CUDA, in Triton: one launch runs all directions and images of a scan.

A program owns a few images of one direction and walks their steps: the rows of a row scan, the diagonals of a diagonal
scan. The pixels of a step do not depend on each other, so they are the rows of matrix products with the weights. Only
the program itself reads what it wrote in earlier steps, so a barrier among its threads after each step is all the
synchronisation there is.

Shapes: B batch, H rows, W columns, S directions (1 or 2), D hidden, K taps; M pixels and N hidden features of a tile.
Columns of direction 1 are counted from the right. Names: p_ pointer, o_ offsets, B* size of a block.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import triton
import triton.language as tl

BLOCK_MIN = 16
"""The smallest side of a tile that the matrix units take."""
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
"""Whether the kernels run on NumPy, on any machine, as TRITON_INTERPRET=1 asks for."""


@triton.jit
def _sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def _tanh(x):
    e = tl.exp(-2 * tl.abs(x))
    t = (1 - e) / (1 + e)
    return tl.where(x < 0, -t, t)


@triton.jit
def _length(t, H, W, DIAGONAL: tl.constexpr):
    """Counts the pixels of step t in one image and direction."""
    if DIAGONAL:
        return tl.minimum(H, t + 1) - tl.maximum(0, t - W + 1)
    else:
        return W


@triton.jit
def _pixels(t, n, first_image, B, H, W, IMAGES: tl.constexpr, DIAGONAL: tl.constexpr):
    """Finds pixels n of step t in a program: their images, rows and columns, and which of them exist."""
    length = _length(t, H, W, DIAGONAL)
    b = first_image + n // length
    if DIAGONAL:
        i = tl.maximum(0, t - W + 1) + n % length
        j = t - i
    else:
        i = t + n * 0
        j = n % length
    return b, i, j, (n < IMAGES * length) & (b < B)


@triton.jit
def _place(b, i, j, s, H, W, S: tl.constexpr):
    """Gives the index of a pixel's features of direction s."""
    return ((b.to(tl.int64) * H + i) * W + tl.where(s == 1, W - 1 - j, j)) * S + s


@triton.jit
def _neighbour(b, i, j, s, there, k, sign, H, W, S: tl.constexpr, K: tl.constexpr, DIAGONAL: tl.constexpr):
    """Finds the pixel that tap k reads (sign 1), or the one that reads this pixel by it (sign -1), and which exist."""
    if DIAGONAL:
        y, x = i - sign * (1 - k), j - sign * k
    else:
        y, x = i - sign, j - sign * (K // 2 - k)
    return _place(b, y, x, s, H, W, S), there & (y >= 0) & (y < H) & (x >= 0) & (x < W)


@triton.jit
def _tile(p, rows, o_n, stride, valid, D):
    """Loads features o_n of rows [M] -> [M, N]."""
    return tl.load(p + rows[:, None] * stride + o_n[None, :], valid[:, None] & (o_n < D)[None, :], 0)


@triton.jit
def _weights(p, o_k, o_n, D):
    """Loads a tile [BK, BN] of each gate's part of a tap's weights [D, 4D]."""
    inside = (o_k < D)[:, None] & (o_n < D)[None, :]
    p_tile = p + o_k[:, None] * 4 * D + o_n[None, :]
    return (
        tl.load(p_tile, inside, 0),
        tl.load(p_tile + D, inside, 0),
        tl.load(p_tile + 2 * D, inside, 0),
        tl.load(p_tile + 3 * D, inside, 0),
    )


@triton.jit
def _transposed(p, o_k, o_n, D):
    """Loads a tile [BK, BN] of a tap's transposed weights [4D, D]."""
    return tl.load(p + o_k[:, None] * D + o_n[None, :], (o_k < 4 * D)[:, None] & (o_n < D)[None, :], 0)


@triton.jit
def _dot(a, b, sums, PRECISION: tl.constexpr):
    """Adds the matrix product to float32 sums."""
    if INTERPRETED:  # NumPy has no bfloat16; in float32 the products are the same
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, sums, input_precision=PRECISION)


@triton.jit
def _add_products(gates, h, weights, PRECISION: tl.constexpr):
    """Adds h [M, BK] times the weights [BK, BN] of each gate to the gates [M, BN]."""
    return (
        _dot(h, weights[0], gates[0], PRECISION),
        _dot(h, weights[1], gates[1], PRECISION),
        _dot(h, weights[2], gates[2], PRECISION),
        _dot(h, weights[3], gates[3], PRECISION),
    )


@triton.jit
def forward_kernel(
    p_gates_is,  # [B, H, W, S, 4D]
    p_weight,  # [S, K, D, 4D]
    p_hidden,  # [B, H, W, S, D], written
    p_cell,  # as hidden, written
    p_gates,  # as gates_is, written: activated
    B,
    H,
    W,
    bucket,  # keys the choice of blocks
    D: tl.constexpr,
    S: tl.constexpr,
    K: tl.constexpr,
    DIAGONAL: tl.constexpr,
    PRECISION: tl.constexpr,
    RESIDENT: tl.constexpr,
    PARTS: tl.constexpr,  # parts of BK features, per tap, that a product is summed over
    IMAGES: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    first_image, s = tl.program_id(0) * IMAGES, tl.program_id(1)
    p_weight += s * K * D * 4 * D
    o_m = tl.arange(0, BM)
    if RESIDENT:  # one tile holds all features: the weights are loaded once
        resident = ()
        for k in tl.static_range(K):
            resident += (_weights(p_weight + k * D * 4 * D, tl.arange(0, BK), tl.arange(0, BN), D),)
    for t in tl.range(0, H + W - 1 if DIAGONAL else H, num_stages=1):
        for m in tl.range(0, IMAGES * _length(t, H, W, DIAGONAL), BM, num_stages=1):
            b, i, j, there = _pixels(t, m + o_m, first_image, B, H, W, IMAGES, DIAGONAL)
            here = _place(b, i, j, s, H, W, S)
            # The cell state comes from beside (tap 1) in a diagonal scan, from right above (tap K // 2) in a row scan.
            before, has_before = _neighbour(b, i, j, s, there, K // 2, 1, H, W, S, K, DIAGONAL)
            for n in tl.range(0, D, BN, num_stages=1):
                o_n = n + tl.arange(0, BN)
                gates = (
                    _tile(p_gates_is, here, o_n, 4 * D, there, D).to(tl.float32),
                    _tile(p_gates_is + D, here, o_n, 4 * D, there, D).to(tl.float32),
                    _tile(p_gates_is + 2 * D, here, o_n, 4 * D, there, D).to(tl.float32),
                    _tile(p_gates_is + 3 * D, here, o_n, 4 * D, there, D).to(tl.float32),
                )
                if RESIDENT:
                    for k in tl.static_range(K):
                        neighbour, has = _neighbour(b, i, j, s, there, k, 1, H, W, S, K, DIAGONAL)
                        h = _tile(p_hidden, neighbour, tl.arange(0, BK), D, has, D)
                        gates = _add_products(gates, h, resident[k], PRECISION)
                else:
                    for part in tl.range(0, K * PARTS):
                        k, o_k = part // PARTS, part % PARTS * BK + tl.arange(0, BK)
                        neighbour, has = _neighbour(b, i, j, s, there, k, 1, H, W, S, K, DIAGONAL)
                        h = _tile(p_hidden, neighbour, o_k, D, has, D)
                        gates = _add_products(gates, h, _weights(p_weight + k * D * 4 * D, o_k, o_n, D), PRECISION)
                o, f, i_gate, g = _sigmoid(gates[0]), _sigmoid(gates[1]), _sigmoid(gates[2]), _tanh(gates[3])
                c = f * _tile(p_cell, before, o_n, D, has_before, D) + i_gate * g
                inside = there[:, None] & (o_n < D)[None, :]
                at = here[:, None] * D + o_n[None, :]
                tl.store(p_cell + at, c, inside)
                tl.store(p_hidden + at, o * _tanh(c), inside)
                at = here[:, None] * 4 * D + o_n[None, :]
                tl.store(p_gates + at, o, inside)
                tl.store(p_gates + D + at, f, inside)
                tl.store(p_gates + 2 * D + at, i_gate, inside)
                tl.store(p_gates + 3 * D + at, g, inside)
        tl.debug_barrier()  # what this step wrote is read in the next


@triton.jit
def backward_kernel(
    p_grad_hidden,  # [B, H, W, S, D]
    p_transposed,  # [S, K, 4D, D]
    p_cell,
    p_gates,
    p_grad_gates,  # as gates, written
    p_carry,  # [B, S, H or W, D], scratch: the gradient of c, by row in a diagonal scan, by column in a row scan
    B,
    H,
    W,
    bucket,
    D: tl.constexpr,
    S: tl.constexpr,
    K: tl.constexpr,
    DIAGONAL: tl.constexpr,
    PRECISION: tl.constexpr,
    RESIDENT: tl.constexpr,
    PARTS: tl.constexpr,  # parts of BK features, per tap, that a product is summed over
    IMAGES: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    first_image, s = tl.program_id(0) * IMAGES, tl.program_id(1)
    p_transposed += s * K * 4 * D * D
    o_m = tl.arange(0, BM)
    steps = H + W - 1 if DIAGONAL else H
    if RESIDENT:
        resident = ()
        for k in tl.static_range(K):
            resident += (_transposed(p_transposed + k * 4 * D * D, tl.arange(0, BK), tl.arange(0, BN), D),)
    for back in tl.range(0, steps, num_stages=1):
        t = steps - 1 - back
        for m in tl.range(0, IMAGES * _length(t, H, W, DIAGONAL), BM, num_stages=1):
            b, i, j, there = _pixels(t, m + o_m, first_image, B, H, W, IMAGES, DIAGONAL)
            here = _place(b, i, j, s, H, W, S)
            before, has_before = _neighbour(b, i, j, s, there, K // 2, 1, H, W, S, K, DIAGONAL)
            _, has_after = _neighbour(b, i, j, s, there, K // 2, -1, H, W, S, K, DIAGONAL)
            for n in tl.range(0, D, BN, num_stages=1):
                o_n = n + tl.arange(0, BN)
                dh = _tile(p_grad_hidden, here, o_n, D, there, D).to(tl.float32)
                if RESIDENT:
                    for k in tl.static_range(K):
                        reader, has = _neighbour(b, i, j, s, there, k, -1, H, W, S, K, DIAGONAL)
                        grad = _tile(p_grad_gates, reader, tl.arange(0, BK), 4 * D, has, 4 * D)
                        dh = _dot(grad, resident[k], dh, PRECISION)
                else:
                    for part in tl.range(0, K * PARTS):
                        k, o_k = part // PARTS, part % PARTS * BK + tl.arange(0, BK)
                        reader, has = _neighbour(b, i, j, s, there, k, -1, H, W, S, K, DIAGONAL)
                        grad = _tile(p_grad_gates, reader, o_k, 4 * D, has, 4 * D)
                        dh = _dot(grad, _transposed(p_transposed + k * 4 * D * D, o_k, o_n, D), dh, PRECISION)
                o = _tile(p_gates, here, o_n, 4 * D, there, D).to(tl.float32)
                f = _tile(p_gates + D, here, o_n, 4 * D, there, D).to(tl.float32)
                i_gate = _tile(p_gates + 2 * D, here, o_n, 4 * D, there, D).to(tl.float32)
                g = _tile(p_gates + 3 * D, here, o_n, 4 * D, there, D).to(tl.float32)
                squashed = _tanh(_tile(p_cell, here, o_n, D, there, D))
                carry = (b.to(tl.int64) * S + s) * H + i if DIAGONAL else b.to(tl.int64) * W + j
                dc = dh * o * (1 - squashed * squashed) + _tile(p_carry, carry, o_n, D, has_after, D)
                inside = there[:, None] & (o_n < D)[None, :]
                tl.store(p_carry + carry[:, None] * D + o_n[None, :], dc * f, inside)
                at = here[:, None] * 4 * D + o_n[None, :]
                c_before = _tile(p_cell, before, o_n, D, has_before, D)
                tl.store(p_grad_gates + at, dh * squashed * o * (1 - o), inside)
                tl.store(p_grad_gates + D + at, dc * c_before * f * (1 - f), inside)
                tl.store(p_grad_gates + 2 * D + at, dc * g * i_gate * (1 - i_gate), inside)
                tl.store(p_grad_gates + 3 * D + at, dc * i_gate * (1 - g * g), inside)
        tl.debug_barrier()
