"""The distribution of one value, and draws from it, in Numba; `layers/head.py` and `SamplingOptions` define both."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

MIN_LOG_SCALE, MAX_LOG_SCALE = -3.0, 15.0  # as in `layers/logistic_mixture.py`; tests compare the two


@njit(error_model="numpy")
def log_softmax(x, count):
    """Normalises the first `count` log-weights in place."""
    most = -math.inf
    for k in range(count):
        most = max(most, x[k])
    total = 0.0
    for k in range(count):
        total += math.exp(x[k] - most)
    shift = most + math.log(total)
    for k in range(count):
        x[k] -= shift


@njit(error_model="numpy")
def log_sigmoid(x):
    """Gives log(1 / (1 + exp(-x)))."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@njit(error_model="numpy")
def mixture_log_probs(outputs, mixtures, earlier, earlier_count, levels, log_probs):
    """Fills log_probs [V] with those of a discretised mixture of logistics, from a head's outputs [3 + c, K].

    Args:
        outputs: float64, flat: logits, means, log-scales and c coefficients of the earlier colours, K numbers each;
            overwritten.
        mixtures: K, the number of components.
        earlier: the pixel's earlier colours as numbers in [-1, 1].
        earlier_count: c, the number of earlier colours.
        levels: V.
        log_probs: at least [V]; written.
    """
    log_softmax(outputs, mixtures)
    half = (levels - 1) / 2
    log_probs[:levels] = -math.inf
    for k in range(mixtures):
        mean = outputs[mixtures + k]
        for c in range(earlier_count):
            mean += outputs[(3 + c) * mixtures + k] * earlier[c]
        mean = (mean + 1) * half
        inverse = math.exp(-min(max(outputs[2 * mixtures + k], MIN_LOG_SCALE), MAX_LOG_SCALE))
        between = math.log(-math.expm1(-inverse))
        for v in range(levels):
            mass = outputs[k]
            if v < levels - 1:
                mass += log_sigmoid((v + 0.5 - mean) * inverse)
            if v > 0:
                mass += log_sigmoid((mean - v + 0.5) * inverse)
            if 0 < v < levels - 1:
                mass += between
            high, low = max(mass, log_probs[v]), min(mass, log_probs[v])
            log_probs[v] = high + math.log1p(math.exp(low - high))


@njit(error_model="numpy")
def draw(log_probs, levels, uniform, temperature, top_k, top_p):
    """Draws the level at which the cumulative probability passes `uniform`, in the order of levels.

    Args:
        log_probs: [V], float64.
        levels: V.
        uniform: a number in [0, 1).
        temperature: divides the log-probabilities; 0 takes the likeliest level, the first of equals.
        top_k: the number of likeliest levels that can be drawn, equals in the order of levels; 0 for all.
        top_p: the probability that the levels that can be drawn hold together: the fewest likeliest ones.
    """
    likeliest = np.argmax(log_probs[:levels])
    if temperature == 0:
        return likeliest
    probs = np.empty(levels)
    total = 0.0
    for v in range(levels):
        probs[v] = math.exp((log_probs[v] - log_probs[likeliest]) / temperature)
        total += probs[v]
    if top_p < 1 or 0 < top_k < levels:
        kept = np.zeros(levels)
        count, mass = 0, 0.0
        while count < (top_k or levels) and mass < top_p * total:
            most = np.argmax(probs)
            kept[most] = probs[most]
            mass += probs[most]
            probs[most] = -1.0
            count += 1
        probs, total = kept, mass
    cumulative = 0.0
    last = 0
    for v in range(levels):
        cumulative += probs[v]
        if probs[v] > 0:
            last = v
            if cumulative > uniform * total:
                return v
    return last
