"""Checks of arguments: NumPy arrays where tensors go, and whole numbers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Integers = Tensor | NDArray[np.integer]
Bools = Tensor | NDArray[np.bool_]


def as_tensor(values: Integers | Bools, name: str, device: torch.device | None = None) -> Tensor:
    """Gives a tensor as it is, and a copy of a NumPy array as a tensor.

    Args:
        values: a tensor, or an array of integers or bools.
        name: what the values are called, for messages.
        device: where the tensor of an array goes.

    Raises:
        TypeError: the values are neither.
    """
    if isinstance(values, Tensor):
        return values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iub":
        got = f"a NumPy array of {values.dtype}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
        raise TypeError(f"{name} cannot be {got}; give a torch tensor or a NumPy array of integers or bools")
    # torch shares no memory that is read-only, runs backwards or has its bytes in another order.
    return torch.from_numpy(np.array(values, values.dtype.newbyteorder("="), order="C")).to(device)


def whole_number(value: Any, name: str, least: int = 1, bits: int = 31) -> int:
    """Gives a whole number of any type, NumPy's among them, as an int.

    Args:
        value: the number.
        name: the name of the option.
        least: the least number that is allowed.
        bits: all numbers that are allowed are below 2 to this power.

    Raises:
        ValueError: it is out of range, or no whole number.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number < 2**bits:
        got = repr(value) if isinstance(value, str) else value
        raise ValueError(f"`{name}` is {got}; it must be a whole number of at least {least} and below 2**{bits}")
    return number
