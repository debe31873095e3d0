"""One pixel of each layer for Numba: features in, features out, from a flat state of one image.

Arrays are flat and contiguous; every vector of features is padded with zeros to a multiple of LANES, which stay zero.
`w` holds the weights of a model, `s` the state of an image, both addressed by the offsets that a layer's parameters
give (`pixelseq/compiled_model.py` lays them out); x is the residual stream, `scratch` anything.
Letters: F features of the stream, D hidden, G = 4D gates, all padded; W1 columns, the empty one included.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from pixelseq.kernels.numba.activations import sigmoid, tanh
from pixelseq.kernels.numba.simd import LANES, broadcast, constant, fma, load, store, where_greater

CONV, ROW, DIAGONAL = 0, 1, 2
ZERO, ONE, TWO, THREE = np.int64(0), np.int64(1), np.int64(2), np.int64(3)
"""As arguments; for a plain number Numba compiles the called function again, which takes a third of the whole time."""


@njit(error_model="numpy")
def add_product(y, y_at, x, x_at, count, w, w_at, G):
    """Adds x [count] @ w [count, G] to y [G], in registers of LANES outputs and up to 8 of them at a time.

    The order of the sums depends on nothing but `count` and `G`.
    """
    g = 0
    while G - g >= 8 * LANES:
        at = y_at + g
        y0, y1, y2, y3 = load(y, at), load(y, at + LANES), load(y, at + 2 * LANES), load(y, at + 3 * LANES)
        at += 4 * LANES
        y4, y5, y6, y7 = load(y, at), load(y, at + LANES), load(y, at + 2 * LANES), load(y, at + 3 * LANES)
        n = w_at + g
        for k in range(count):
            a = broadcast(x, x_at + k)
            y0, y1 = fma(a, load(w, n), y0), fma(a, load(w, n + LANES), y1)
            y2, y3 = fma(a, load(w, n + 2 * LANES), y2), fma(a, load(w, n + 3 * LANES), y3)
            y4, y5 = fma(a, load(w, n + 4 * LANES), y4), fma(a, load(w, n + 5 * LANES), y5)
            y6, y7 = fma(a, load(w, n + 6 * LANES), y6), fma(a, load(w, n + 7 * LANES), y7)
            n += G
        at = y_at + g
        store(y, at, y0)
        store(y, at + LANES, y1)
        store(y, at + 2 * LANES, y2)
        store(y, at + 3 * LANES, y3)
        store(y, at + 4 * LANES, y4)
        store(y, at + 5 * LANES, y5)
        store(y, at + 6 * LANES, y6)
        store(y, at + 7 * LANES, y7)
        g += 8 * LANES
    while G - g >= 2 * LANES:
        # Two registers, each in two sums that are added at the end.
        at = y_at + g
        y0, y1 = load(y, at), load(y, at + LANES)
        z0 = z1 = constant(y0, 0.0)
        n = w_at + g
        for k in range(count // 2):
            a, b = broadcast(x, x_at + 2 * k), broadcast(x, x_at + 2 * k + 1)
            y0, y1 = fma(a, load(w, n), y0), fma(a, load(w, n + LANES), y1)
            z0, z1 = fma(b, load(w, n + G), z0), fma(b, load(w, n + G + LANES), z1)
            n += 2 * G
        if count % 2:
            a = broadcast(x, x_at + count - 1)
            y0, y1 = fma(a, load(w, n), y0), fma(a, load(w, n + LANES), y1)
        store(y, at, y0 + z0)
        store(y, at + LANES, y1 + z1)
        g += 2 * LANES
    if g < G:
        at = y_at + g
        y0 = load(y, at)
        z0 = constant(y0, 0.0)
        n = w_at + g
        for k in range(count // 2):
            y0 = fma(broadcast(x, x_at + 2 * k), load(w, n), y0)
            z0 = fma(broadcast(x, x_at + 2 * k + 1), load(w, n + G), z0)
            n += 2 * G
        if count % 2:
            y0 = fma(broadcast(x, x_at + count - 1), load(w, n), y0)
        store(y, at, y0 + z0)


@njit(error_model="numpy")
def copy(y, y_at, x, x_at, count):
    """Copies `count` numbers, a multiple of LANES."""
    for k in range(0, count, LANES):
        store(y, y_at + k, load(x, x_at + k))


@njit(error_model="numpy")
def relu(y, y_at, x, x_at, count):
    """Copies `count` numbers, a multiple of LANES, negative ones as 0."""
    zero = constant(load(x, x_at), 0.0)
    for k in range(0, count, LANES):
        value = load(x, x_at + k)
        store(y, y_at + k, where_greater(zero, value, zero, value))


@njit(error_model="numpy")
def lstm_cell(gates, gates_at, cell, cell_at, hidden, hidden_at, D):
    """Updates cell [D] in place from the summed gates [4D] and writes hidden [D]."""
    for d in range(0, D, LANES):
        at = gates_at + d
        o, f = sigmoid(load(gates, at)), sigmoid(load(gates, at + D))
        i, g = sigmoid(load(gates, at + 2 * D)), tanh(load(gates, at + 3 * D))
        c = fma(f, load(cell, cell_at + d), i * g)
        store(cell, cell_at + d, c)
        store(hidden, hidden_at + d, o * tanh(c))


@njit(error_model="numpy")
def masked_conv(y, y_at, s, window, width, features, rows, kernel, last, column, w, w_at, G):
    """Writes bias + masked convolution at `column` to y [G].

    The window in s holds `rows` rows of `width` columns of `features` numbers; of the last row the kernel sees the
    first `last` columns. The bias [G] is followed by the weights of the taps that the mask lets through, each
    [features, G], row after row.
    """
    copy(y, y_at, w, w_at, G)
    w_at += G
    for r in range(rows):
        taps = kernel if r < rows - 1 else last
        # Neighbouring columns lie together, and so do their weights: one product a row.
        count = taps * features
        add_product(y, y_at, s, window + (r * width + column) * features, count, w, w_at, G)
        w_at += count * G


@njit(error_model="numpy")
def shift_rows(s, window, width, features, rows):
    """Moves the rows of a window up by one and empties the last."""
    size = width * features
    for k in range((rows - 1) * size):
        s[window + k] = s[window + size + k]
    for k in range(size):
        s[window + (rows - 1) * size + k] = 0


@njit(error_model="numpy")
def block_step(p, w, s, column, x, scratch):
    """Adds a residual block's output at `column` to the stream x [F].

    Args:
        p: parameters: kind, F, D, weights of the layer, of the state-to-state product, of the projection, offset of
            the state, W1.
    """
    kind, F, D, layer, state_to_state, project, at, W1 = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
    G = 4 * D
    h, gates = ZERO, D  # in scratch
    if kind == CONV:
        relu(scratch, gates, x, ZERO, F)
        copy(scratch, h, w, layer, D)
        add_product(scratch, h, scratch, gates, F, w, layer + D, D)
        relu(s, at + ((W1 + 2) + column + 1) * D, scratch, h, D)
        masked_conv(scratch, gates, s, at, W1 + 2, D, TWO, THREE, TWO, column, w, layer + D + F * D, D)
        relu(scratch, h, scratch, gates, D)
    elif kind == ROW:
        copy(s, at + (column + 1) * F, x, ZERO, F)
        masked_conv(scratch, gates, s, at, W1 + 2, F, ONE, THREE, TWO, column, w, layer, G)
        above = at + (W1 + 2) * F
        row = above + (W1 + 2) * D
        cell = row + W1 * D
        add_product(scratch, gates, s, above + column * D, 3 * D, w, state_to_state, G)
        lstm_cell(scratch, gates, s, cell + column * D, scratch, h, D)
        copy(s, row + column * D, scratch, h, D)
    else:
        copy(scratch, gates, w, layer, 2 * G)
        add_product(scratch, gates, x, ZERO, F, w, layer + 2 * G, 2 * G)
        left_row = at
        left_hidden = left_row + W1 * D
        left_cell = left_hidden + D
        right_row = left_cell + D
        right_gates = right_row + W1 * D
        copy(s, right_gates + column * G, scratch, gates + G, G)
        add_product(scratch, gates, s, left_row + column * D, D, w, state_to_state, G)
        add_product(scratch, gates, s, left_hidden, D, w, state_to_state + D * G, G)
        lstm_cell(scratch, gates, s, left_cell, s, left_hidden, D)
        copy(s, left_row + column * D, s, left_hidden, D)
        for d in range(0, D, LANES):
            store(scratch, h + d, load(s, left_hidden + d) + load(s, right_row + column * D + d))
    for f in range(0, F, LANES):
        store(x, f, load(x, f) + load(w, project + f))
    add_product(x, ZERO, scratch, h, D, w, project + F, F)


@njit(error_model="numpy")
def block_end_row(p, w, s, scratch):
    """Closes the current row of a residual block, with the parameters of `block_step`."""
    kind, F, D, state_to_state, at, W1 = p[0], p[1], p[2], p[4], p[6], p[7]
    G = 4 * D
    if kind == CONV:
        shift_rows(s, at, W1 + 2, D, TWO)
    elif kind == ROW:
        shift_rows(s, at, W1 + 2, F, ONE)
        above = at + (W1 + 2) * F
        copy(s, above + D, s, above + (W1 + 2) * D, W1 * D)
    else:
        left_hidden = at + W1 * D
        right_row = left_hidden + 2 * D
        right_gates = right_row + W1 * D
        hidden, cell = ZERO, D  # in scratch
        for d in range(2 * D):
            scratch[d] = 0
        above = state_to_state + 2 * D * G
        for column in range(W1 - 1, -1, -1):
            gates = right_gates + column * G
            add_product(s, gates, s, right_row + column * D, D, w, above, G)
            add_product(s, gates, scratch, hidden, D, w, above + D * G, G)
            lstm_cell(s, gates, scratch, cell, scratch, hidden, D)
            copy(s, right_row + column * D, scratch, hidden, D)
        for d in range(2 * D):
            s[left_hidden + d] = 0
