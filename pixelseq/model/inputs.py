"""NumPy arrays where tensors go."""

from __future__ import annotations

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
