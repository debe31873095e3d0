"""Images of integers, and files of them as bytes."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

IDX_CODES = {"uint8": 8, "int16": 11, "int32": 12, "float32": 13}


def grids(*shape: int, top: int = 5) -> NDArray[np.uint8]:
    """Integers from 0 to top - 1, always the same."""
    return np.random.default_rng(0).integers(0, top, shape).astype(np.uint8)


def idx(array: NDArray) -> bytes:
    """An idx file."""
    head = bytes([0, 0, IDX_CODES[array.dtype.name], array.ndim])
    return head + np.array(array.shape, ">i4").tobytes() + array.astype(array.dtype.newbyteorder(">")).tobytes()


def amat(rows: NDArray, number: str = "%d") -> bytes:
    """A .amat, its numbers written as `number` says."""
    file = io.BytesIO()
    np.savetxt(file, rows, fmt=number)
    return file.getvalue()


def npy(array: NDArray) -> bytes:
    """A .npy."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
