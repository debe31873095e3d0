"""A walk over pixels, compiled: the whole model, the draw included, in one call for a stretch of a row.

An image is walked by one thread, and the order of its sums depends on the model alone, so it comes out the same to the
last bit in any batch and on any number of threads.
Shapes: N images, C colours, W columns of the stretch, Q numbers a colour value, V levels.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from pixelseq.kernels.numba.op import kernel
from pixelseq.kernels.pixel_walk.distributions import draw, log_softmax, mixture_log_probs
from pixelseq.kernels.pixel_walk.layers import (
    ZERO,
    add_product,
    block_end_row,
    block_step,
    copy,
    masked_conv,
    relu,
    shift_rows,
)


@kernel
def walk(model, blocks, head, weights, table, state, first, given, known, uniform, settings, levels, nats, features):
    """Walks columns `first` to `first` + W - 1 of the current row, and closes the row after its last one.

    Args:
        model: F, C, V, columns of the image; the first convolution's offset in `weights`, kernel, rows and features in;
            components of a mixture head (0: categorical); size of the scratch.
        blocks: [blocks, 8], parameters of `block_step`.
        head: [C, 5], offsets in `weights` of from_features, from_earlier and to_outputs; the widths, padded, of the
            outputs and of the hidden layer.
        weights: all of them.
        table: [V, Q], what a level looks like.
        state: [N, size], written.
        first: the first column.
        given: [N, W, C], levels of known pixels.
        known: [N, W], whether a pixel is known.
        uniform: [N, W, C], float64 in [0, 1).
        settings: temperature, top_k, top_p, and whether known values are scored (1) or only entered (0).
        levels: [N, W, C], written: given or drawn.
        nats: [N, W, C], written: of each value under the model; 0 where it is known and not scored.
        features: [N, F], written: the stream at the last pixel.
    """
    F, C, V, width, conv, K, R, X, mixtures, size = model
    N, W = known.shape
    Q = table.shape[1]
    padded = width + 1 + 2 * (K // 2)
    for b in prange(N):
        s = state[b]
        x = features[b]
        scratch = np.zeros(size, weights.dtype)
        log_probs = np.empty(max(V, head[C - 1, 3]))
        earlier = np.zeros(C * Q, weights.dtype)
        for n in range(W + (first + W == width)):
            column = first + n
            masked_conv(x, ZERO, s, ZERO, padded, X, R, K, K // 2, column, weights, conv, F)
            for k in range(len(blocks)):
                block_step(blocks[k], weights, s, column, x, scratch)
            if column == width:  # the empty one
                break
            pixel = ((R - 1) * padded + column + K // 2) * X
            for c in range(C):
                if known[b, n] and settings[3] == 0:
                    level = given[b, n, c]
                    nats[b, n, c] = 0.0
                else:
                    outputs, hidden_size = head[c, 3], head[c, 4]
                    relu(scratch, ZERO, x, ZERO, F)
                    hidden = F
                    copy(scratch, hidden, weights, head[c, 0], hidden_size)
                    add_product(scratch, hidden, scratch, ZERO, F, weights, head[c, 0] + hidden_size, hidden_size)
                    add_product(scratch, hidden, earlier, ZERO, c * Q, weights, head[c, 1], hidden_size)
                    relu(scratch, hidden, scratch, hidden, hidden_size)
                    out = hidden + hidden_size
                    copy(scratch, out, weights, head[c, 2], outputs)
                    add_product(scratch, out, scratch, hidden, hidden_size, weights, head[c, 2] + outputs, outputs)
                    if mixtures:
                        numbers = scratch[out : out + outputs].astype(np.float64)
                        mixture_log_probs(numbers, mixtures, earlier, c, V, log_probs)
                    else:
                        log_probs[:V] = scratch[out : out + V]
                        log_softmax(log_probs, V)
                    if known[b, n]:
                        level = given[b, n, c]
                    else:
                        level = draw(log_probs, V, uniform[b, n, c], settings[0], int(settings[1]), settings[2])
                    nats[b, n, c] = -log_probs[level]
                levels[b, n, c] = level
                for q in range(Q):
                    earlier[c * Q + q] = table[level, q]
                    s[pixel + c * Q + q] = table[level, q]
            s[pixel + C * Q] = 1.0  # inside the image
        if first + W == width:
            shift_rows(s, ZERO, padded, X, R)
            for k in range(len(blocks)):
                block_end_row(blocks[k], weights, s, scratch)
