"""The compiled walk over pixels: one call runs the whole model, the draw included, over a stretch of a row.

An image is walked by one thread, and the order of its sums depends on the model alone, so it comes out the same to the
last bit in any batch and on any number of threads.
Shapes: N images, C colours, W columns of the stretch, Q numbers per colour value, V levels.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit, prange

from pixelseq.kernels.numba.op import kernel
from pixelseq.kernels.pixel_walk import layers, layout
from pixelseq.kernels.pixel_walk.distributions import draw, log_softmax, mixture_log_probs
from pixelseq.kernels.pixel_walk.layers import (
    ZERO,
    add,
    add_product,
    add_projection,
    copy,
    masked_conv,
    relu,
    shift_rows,
)


def _dispatch(functions, kind=0):
    """Makes one compiled function of those of all kinds of layers, which calls the one of the block's own kind.

    It and the layers are inlined by force: a call would pass every array in seven parts, which costs 6 % of a walk.
    """
    function = functions[0]
    if len(functions) == 1:
        return function
    others = _dispatch(functions[1:], kind + 1)

    @njit(error_model="numpy", forceinline=True)
    def chosen(p, w, s, column, x, scratch):
        if p[layout.KIND] == kind:
            function(p, w, s, column, x, scratch)
        else:
            others(p, w, s, column, x, scratch)

    return chosen


layer = _dispatch([getattr(layers, f"{name}_layer") for name in layout.LAYERS])


@kernel
def walk(
    net,
    blocks,
    head,
    weights,
    table,
    state,
    told,
    first_column,
    uniform,
    given,
    known,
    scored,
    temperature,
    top_k,
    top_p,
    guidance,
    levels,
    nats,
    features,
):
    """Walks columns `first_column` to `first_column` + W - 1 of the current row, and closes the row after its last one.

    Args:
        net: the net's record; see `layout.py`.
        blocks: [blocks, BLOCK_SIZE], the records of the trunk's blocks.
        head: [C, COLOUR_SIZE], the records of the head's colours.
        weights: flat, all weights of the model.
        table: [V, Q], what a level looks like to the network.
        state: [N * S, size], the flat states of each image, one or with guidance two; written.
        told: [N * S, F or (W + 1) * F], what is added to the stream before a block, at all columns of the row alike or
            at each; of no features where nothing is told.
        first_column: the first column of the stretch.
        uniform: [N, W, C], float64 in [0, 1), one number per value.
        given: [N, W, C], levels of known pixels.
        known: [N, W], whether a pixel is known.
        scored: whether known values get nats, too.
        temperature: as in `SamplingOptions`, a float.
        top_k: as in `SamplingOptions`, a whole number.
        top_p: as in `SamplingOptions`, a float.
        guidance: as in `Walker`, a float; above 0, an image has two states.
        levels: [N, W, C], written: the levels given or drawn.
        nats: [N, W, C], written: the nats of each value under the model; 0 where it is known and not scored.
        features: [N * S, F], written: the stream at the last pixel.
    """
    F, C, V, width = net[layout.STREAM], net[layout.COLOURS], net[layout.LEVELS], net[layout.WIDTH]
    conv, K, R, X = net[layout.FIRST], net[layout.KERNEL], net[layout.ROWS], net[layout.INPUTS]
    window, mixtures, size = net[layout.WINDOW], net[layout.MIXTURES], net[layout.SCRATCH]
    conditioned = net[layout.CONDITIONED]
    stride = F if told.shape[1] > F else 0
    N, W = known.shape
    Q = table.shape[1]
    S = len(state) // max(N, 1)
    for b in prange(N):
        scratch = np.zeros(size, weights.dtype)
        log_probs = np.empty(max(V, head[C - 1, layout.OUTPUTS]))
        first = np.empty(len(log_probs) if S > 1 else 0)
        earlier = np.zeros(C * Q, weights.dtype)
        for n in range(W + (first_column + W == width)):
            column = first_column + n
            for a in range(b * S, b * S + S):
                s, x = state[a], features[a]
                masked_conv(x, ZERO, s, ZERO, window, X, R, K, K // 2, column, weights, conv, F)
                for k in range(len(blocks)):
                    if k == conditioned:
                        add(x, ZERO, told[a], column * stride, F)
                    layer(blocks[k], weights, s, column, x, scratch)
                    add_projection(blocks[k], weights, x, scratch)
                if conditioned == len(blocks):
                    add(x, ZERO, told[a], column * stride, F)
            if column == width:  # the empty one
                break
            pixel = ((R - 1) * window + column + K // 2) * X
            for c in range(C):
                if known[b, n] and not scored:
                    level = given[b, n, c]
                    nats[b, n, c] = 0.0
                else:
                    outputs, hidden_size = head[c, layout.OUTPUTS], head[c, layout.HEAD_HIDDEN]
                    from_features, from_earlier = head[c, layout.FROM_FEATURES], head[c, layout.FROM_EARLIER]
                    to_outputs = head[c, layout.TO_OUTPUTS]
                    for a in range(b * S, b * S + S):
                        relu(scratch, ZERO, features[a], ZERO, F)
                        hidden = F
                        copy(scratch, hidden, weights, from_features, hidden_size)
                        add_product(
                            scratch, hidden, scratch, ZERO, F, weights, from_features + hidden_size, hidden_size
                        )
                        add_product(scratch, hidden, earlier, ZERO, c * Q, weights, from_earlier, hidden_size)
                        relu(scratch, hidden, scratch, hidden, hidden_size)
                        out = hidden + hidden_size
                        copy(scratch, out, weights, to_outputs, outputs)
                        add_product(scratch, out, scratch, hidden, hidden_size, weights, to_outputs + outputs, outputs)
                        if mixtures:
                            numbers = scratch[out : out + outputs].astype(np.float64)
                            mixture_log_probs(numbers, mixtures, earlier, c, V, log_probs)
                        else:
                            log_probs[:V] = scratch[out : out + V]
                            log_softmax(log_probs, V)
                        if a < b * S + S - 1:
                            first[:V] = log_probs[:V]
                    if S > 1:
                        for v in range(V):
                            log_probs[v] = (1 + guidance) * first[v] - guidance * log_probs[v]
                    if known[b, n]:
                        level = given[b, n, c]
                    else:
                        level = draw(log_probs, V, uniform[b, n, c], temperature, top_k, top_p)
                    nats[b, n, c] = -first[level] if S > 1 else -log_probs[level]
                levels[b, n, c] = level
                for q in range(Q):
                    earlier[c * Q + q] = table[level, q]
                    for a in range(b * S, b * S + S):
                        state[a, pixel + c * Q + q] = table[level, q]
            for a in range(b * S, b * S + S):
                state[a, pixel + C * Q] = 1.0  # inside the image
        if first_column + W == width:
            for a in range(b * S, b * S + S):
                s = state[a]
                shift_rows(s, ZERO, window, X, R)
                for k in range(len(blocks)):
                    layer(blocks[k], weights, s, width + 1, features[a], scratch)
