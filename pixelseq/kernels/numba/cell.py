"""Computes one pixel of a recurrence in Numba, forward and backward, LANES features of two images at a time.

Arrays are contiguous and indexed flat: pixel p has its D hidden features at p * D and its 4D gates, in the order
o, f, i, g, at p * 4D. Two images share each load of a weight, and their 8 accumulators keep the multipliers busy.
`d` is the first of the LANES features at hand; `0` and `1` in names tell the images apart.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from pixelseq.kernels.numba.activations import sigmoid, tanh
from pixelseq.kernels.numba.simd import LANES, broadcast, constant, fma, load, store


@njit(error_model="numpy")
def load_row(gates, at, D):
    """Loads LANES features of each gate, from flat index `at`."""
    return load(gates, at), load(gates, at + D), load(gates, at + 2 * D), load(gates, at + 3 * D)


@njit(error_model="numpy")
def store_row(gates, at, D, o, f, i, g):
    """Writes LANES features of each gate, from flat index `at`."""
    store(gates, at, o)
    store(gates, at + D, f)
    store(gates, at + 2 * D, i)
    store(gates, at + 3 * D, g)


@njit(error_model="numpy")
def add_products(gates0, gates1, hidden, p0, p1, weight, offset, D, d):
    """Adds h[p] @ weight to the gates of both images; the [D, 4D] weight starts at flat index `offset`."""
    o0, f0, i0, g0 = gates0
    o1, f1, i1, g1 = gates1
    at = offset + d
    for k in range(D):
        wo, wf, wi, wg = load_row(weight, at, D)
        h0, h1 = broadcast(hidden, p0 * D + k), broadcast(hidden, p1 * D + k)
        o0, f0, i0, g0 = fma(h0, wo, o0), fma(h0, wf, f0), fma(h0, wi, i0), fma(h0, wg, g0)
        o1, f1, i1, g1 = fma(h1, wo, o1), fma(h1, wf, f1), fma(h1, wi, i1), fma(h1, wg, g1)
        at += 4 * D
    return (o0, f0, i0, g0), (o1, f1, i1, g1)


@njit(error_model="numpy")
def cell_forward(summed, before, hidden, cell, gates, p, D, d):
    """Updates the cell of pixel p from its summed gates and the cell before it, and keeps what backward needs."""
    o, f, i, g = sigmoid(summed[0]), sigmoid(summed[1]), sigmoid(summed[2]), tanh(summed[3])
    c = fma(f, before, i * g)
    store(cell, p * D + d, c)
    store(hidden, p * D + d, o * tanh(c))
    store_row(gates, p * 4 * D + d, D, o, f, i, g)


@njit(error_model="numpy")
def add_transposed_products(sums0, sums1, grad_gates, p0, p1, transposed, offset, D, d):
    """Adds grad_gates[p] @ weight.T to each image's gradient of h, which is kept as one partial sum per gate.

    The [4D, D] transposed weight starts at flat index `offset`.
    """
    o0, f0, i0, g0 = sums0
    o1, f1, i1, g1 = sums1
    at, gate = offset + d, D * D
    n0, n1 = p0 * 4 * D, p1 * 4 * D
    for _ in range(D):
        wo, wf, wi, wg = load_row(transposed, at, gate)
        o0, f0 = fma(broadcast(grad_gates, n0), wo, o0), fma(broadcast(grad_gates, n0 + D), wf, f0)
        i0, g0 = fma(broadcast(grad_gates, n0 + 2 * D), wi, i0), fma(broadcast(grad_gates, n0 + 3 * D), wg, g0)
        o1, f1 = fma(broadcast(grad_gates, n1), wo, o1), fma(broadcast(grad_gates, n1 + D), wf, f1)
        i1, g1 = fma(broadcast(grad_gates, n1 + 2 * D), wi, i1), fma(broadcast(grad_gates, n1 + 3 * D), wg, g1)
        at += D
        n0 += 1
        n1 += 1
    return (o0, f0, i0, g0), (o1, f1, i1, g1)


@njit(error_model="numpy")
def zero_sums(like):
    """Gives four partial sums at zero, of the type of the array `like`."""
    zero = constant(load(like, 0), 0.0)
    return zero, zero, zero, zero


@njit(error_model="numpy")
def cell_backward(sums, before, carry, carry_at, grad_hidden, cell, gates, grad_gates, p, D, d):
    """Computes the gradients of the summed gates of pixel p, and of the cell before it.

    Args:
        sums: the gradient of h from later pixels, in four parts.
        before: the cell before pixel p.
        carry: the array that holds, from flat index `carry_at`, the gradient of pixel p's cell from the cell after it;
            overwritten with that of the cell before.
    """
    dh = load(grad_hidden, p * D + d) + ((sums[0] + sums[1]) + (sums[2] + sums[3]))
    at = p * 4 * D + d
    o, f, i, g = load_row(gates, at, D)
    one = constant(o, 1.0)
    shown = tanh(load(cell, p * D + d))
    dc = fma(dh * o, one - shown * shown, load(carry, carry_at + d))
    do, df = dh * shown * o * (one - o), dc * before * f * (one - f)
    di, dg = dc * g * i * (one - i), dc * i * (one - g * g)
    store_row(grad_gates, at, D, do, df, di, dg)
    store(carry, carry_at + d, dc * f)


@njit(error_model="numpy")
def add_weight_gradient(grad_weight, offset, hidden, p, grad_gates, q, distance, count, D):
    """Adds the outer products of h[p] and grad_gates[q] to the [D, 4D] gradient at flat index `offset`.

    The sum is over `count` pixels, with p and q moving on by `distance`. It takes 2 features of h and LANES features
    of each of the 4 gates at a time, so that 8 accumulators stay in registers.
    """
    G = 4 * D
    for k in range(0, D, 2):
        for d in range(0, D, LANES):
            at = offset + k * G + d
            o0, f0, i0, g0 = load_row(grad_weight, at, D)
            o1, f1, i1, g1 = load_row(grad_weight, at + G, D)
            h, n = p * D + k, q * G + d
            for _ in range(count):
                o, f, i, g = load_row(grad_gates, n, D)
                h0, h1 = broadcast(hidden, h), broadcast(hidden, h + 1)
                o0, f0, i0, g0 = fma(h0, o, o0), fma(h0, f, f0), fma(h0, i, i0), fma(h0, g, g0)
                o1, f1, i1, g1 = fma(h1, o, o1), fma(h1, f, f1), fma(h1, i, i1), fma(h1, g, g1)
                h += distance * D
                n += distance * G
            store_row(grad_weight, at, D, o0, f0, i0, g0)
            store_row(grad_weight, at + G, D, o1, f1, i1, g1)
