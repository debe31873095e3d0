"""Sigmoid and tanh of vector registers, with a relative error of 2e-7 in float32; NaN gives NaN.

The error holds wherever the result is a normal number; a smaller sigmoid is 0.
"""

from __future__ import annotations

import math

from numba import njit, types
from numba.extending import overload

from pixelseq.kernels.numba.simd import (
    absolute,
    constant,
    fma,
    power_of_two,
    round_shift,
    where_greater,
    with_sign,
)

LOG2_E = 1.4426950408889634
LOG_2_HIGH, LOG_2_LOW = 0.693359375, -2.1219444005469057e-4  # their sum is log 2; n * LOG_2_HIGH is exact

# The Taylor series of (e ** r - 1 - r) / r ** 2 for |r| <= log(2) / 2, highest power first.
SERIES_32 = tuple(1 / math.factorial(k) for k in range(7, 1, -1))
SERIES_64 = tuple(1 / math.factorial(k) for k in range(13, 1, -1))


def _settings(x):  # type: ignore[no-untyped-def]
    """Gives the lowest and highest argument of exp, and its series, for the type of the vector x."""


@overload(_settings)
def _settings_overload(x):  # type: ignore[no-untyped-def]
    # Within these arguments the power of two is a normal number.
    if x.dtype == types.float32:
        return lambda x: (-87.0, 88.37, SERIES_32)
    return lambda x: (-708.0, 709.4, SERIES_64)


@njit(error_model="numpy")
def sigmoid(x):  # type: ignore[no-untyped-def]
    """Gives 1 / (1 + e ** -x)."""
    zero, one = constant(x, 0.0), constant(x, 1.0)
    power, rest = _split_exp(zero - x)
    _, highest, _ = _settings(x)
    # Below -highest the result is no longer a normal number.
    return where_greater(constant(x, -highest), x, zero, one / (one + fma(power, rest, power)))


@njit(error_model="numpy")
def tanh(x):  # type: ignore[no-untyped-def]
    """Gives (e ** 2x - 1) / (e ** 2x + 1), from e ** 2x - 1, so that nothing cancels near 0."""
    a = absolute(x)
    most = constant(x, 20.0)  # tanh is 1 from there on, in float64 too
    a = where_greater(a, most, most, a)
    power, rest = _split_exp(a + a)
    expm1 = fma(power, rest, power - constant(x, 1.0))
    return with_sign(expm1 / (expm1 + constant(x, 2.0)), x)


@njit(error_model="numpy")
def _split_exp(x):  # type: ignore[no-untyped-def]
    """Gives a power of two and a rest near 0 such that e ** x = power * (1 + rest)."""
    lowest, highest, series = _settings(x)
    low, high = constant(x, lowest), constant(x, highest)
    x = where_greater(x, high, high, x)
    x = where_greater(low, x, low, x)
    shift = round_shift(x)
    shifted = fma(x, constant(x, LOG2_E), shift)
    n = shifted - shift
    r = fma(n, constant(x, -LOG_2_HIGH), x)
    r = fma(n, constant(x, -LOG_2_LOW), r)
    p = constant(x, 0.0)
    for coefficient in series:
        p = fma(p, r, constant(x, coefficient))
    return power_of_two(shifted), fma(p * r, r, r)
