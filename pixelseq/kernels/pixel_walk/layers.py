"""Runs each layer on one pixel, in Numba: features in, features out, with the flat state of one image.

Arrays are flat and contiguous; every vector of features is padded with zeros to a multiple of LANES, which stay zero.
`w` holds the weights of a model, `s` the state of an image, both addressed by the offsets in the block's record `p`
(`layout.py`); `x` is the residual stream, `scratch` is room for intermediate results.
Letters: F features of the stream, D hidden, G = 4D gates, all padded; W1 columns, the empty one included.

`NAME_layer(p, w, s, column, x, scratch)` is a kind of layer: it writes its hidden features at `column` to the first D
numbers of the scratch. After the last column, at W1, it is called once more, to close the row.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from pixelseq.kernels.numba.activations import sigmoid, tanh
from pixelseq.kernels.numba.simd import LANES, broadcast, constant, fma, load, store, where_greater
from pixelseq.kernels.pixel_walk.layout import COLUMNS, FEATURES, HIDDEN, PROJECT, STATE, WEIGHT

ZERO, ONE, TWO, THREE = np.int64(0), np.int64(1), np.int64(2), np.int64(3)
"""Numbers to pass as arguments: for a plain one Numba compiles the called function again, a third of the whole time."""


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
def add(y, y_at, x, x_at, count):
    """Adds `count` numbers, a multiple of LANES, to others."""
    for k in range(0, count, LANES):
        store(y, y_at + k, load(y, y_at + k) + load(x, x_at + k))


@njit(error_model="numpy")
def relu(y, y_at, x, x_at, count):
    """Copies `count` numbers, a multiple of LANES, with 0 in place of negative ones."""
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
    """Writes the bias plus the masked convolution at `column` to y [G].

    The window in s holds `rows` rows of `width` columns of `features` numbers; of the last row the kernel sees the
    first `last` columns. The bias [G] is followed by the weights of the taps that the mask lets through, each
    [features, G], row after row.
    """
    copy(y, y_at, w, w_at, G)
    w_at += G
    for r in range(rows):
        taps = kernel if r < rows - 1 else last
        # Neighbouring columns lie together, and so do their weights: one product per row.
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


@njit(error_model="numpy", forceinline=True)
def conv_layer(p, w, s, column, x, scratch):
    """Runs a 1x1 and a 3x3 mask B convolution; see `ConvBlock`."""
    F, D, W1 = p[FEATURES], p[HIDDEN], p[COLUMNS]
    reduce_bias, reduce, conv = p[WEIGHT], p[WEIGHT + 1], p[WEIGHT + 2]
    window = p[STATE]
    if column == W1:
        shift_rows(s, window, W1 + 2, D, TWO)
        return
    relu(scratch, D, x, ZERO, F)
    copy(scratch, ZERO, w, reduce_bias, D)
    add_product(scratch, ZERO, scratch, D, F, w, reduce, D)
    relu(s, window + ((W1 + 2) + column + 1) * D, scratch, ZERO, D)
    masked_conv(scratch, D, s, window, W1 + 2, D, TWO, THREE, TWO, column, w, conv, D)
    relu(scratch, ZERO, scratch, D, D)


@njit(error_model="numpy", forceinline=True)
def row_layer(p, w, s, column, x, scratch):
    """Runs a Row LSTM; see `RowLSTM`."""
    F, D, W1 = p[FEATURES], p[HIDDEN], p[COLUMNS]
    input_to_state, state_to_state = p[WEIGHT], p[WEIGHT + 2]
    window, above, row, cell = p[STATE], p[STATE + 1], p[STATE + 2], p[STATE + 3]
    if column == W1:
        shift_rows(s, window, W1 + 2, F, ONE)
        copy(s, above + D, s, row, W1 * D)
        return
    gates, G = D, 4 * D  # in the scratch
    copy(s, window + (column + 1) * F, x, ZERO, F)
    masked_conv(scratch, gates, s, window, W1 + 2, F, ONE, THREE, TWO, column, w, input_to_state, G)
    add_product(scratch, gates, s, above + column * D, 3 * D, w, state_to_state, G)
    lstm_cell(scratch, gates, s, cell + column * D, scratch, ZERO, D)
    copy(s, row + column * D, scratch, ZERO, D)


@njit(error_model="numpy", forceinline=True)
def diagonal_layer(p, w, s, column, x, scratch):
    """Runs a Diagonal BiLSTM, its direction from the right when the row is closed; see `DiagonalBiLSTM`."""
    F, D, W1 = p[FEATURES], p[HIDDEN], p[COLUMNS]
    bias, input_to_state, state_to_state = p[WEIGHT], p[WEIGHT + 1], p[WEIGHT + 2]
    left_row, left_hidden, left_cell = p[STATE], p[STATE + 1], p[STATE + 2]
    right_row, right_gates = p[STATE + 3], p[STATE + 4]
    G = 4 * D
    if column == W1:
        hidden, cell = ZERO, D  # in the scratch
        for d in range(2 * D):
            scratch[d] = 0
        above = state_to_state + 2 * D * G
        for j in range(W1 - 1, -1, -1):
            gates = right_gates + j * G
            add_product(s, gates, s, right_row + j * D, D, w, above, G)
            add_product(s, gates, scratch, hidden, D, w, above + D * G, G)
            lstm_cell(s, gates, scratch, cell, scratch, hidden, D)
            copy(s, right_row + j * D, scratch, hidden, D)
        for d in range(D):
            s[left_hidden + d] = 0
            s[left_cell + d] = 0
        return
    gates = D  # in the scratch
    copy(scratch, gates, w, bias, 2 * G)
    add_product(scratch, gates, x, ZERO, F, w, input_to_state, 2 * G)
    copy(s, right_gates + column * G, scratch, gates + G, G)
    add_product(scratch, gates, s, left_row + column * D, D, w, state_to_state, G)
    add_product(scratch, gates, s, left_hidden, D, w, state_to_state + D * G, G)
    lstm_cell(scratch, gates, s, left_cell, s, left_hidden, D)
    copy(s, left_row + column * D, s, left_hidden, D)
    for d in range(0, D, LANES):
        store(scratch, d, load(s, left_hidden + d) + load(s, right_row + column * D + d))


@njit(error_model="numpy", forceinline=True)
def add_projection(p, w, x, scratch):
    """Adds the layer's hidden features, mapped back to F, to the stream x [F]."""
    F, D, project = p[FEATURES], p[HIDDEN], p[PROJECT]
    add(x, ZERO, w, project, F)
    add_product(x, ZERO, scratch, ZERO, D, w, project + F, F)
