"""Reads files of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pixelseq.data.splits import ALL, split_of
from pixelseq.data.tables import Row, Table, number_name


def of_arrays(path: Path) -> dict[str, Table]:
    """Gives the tables of a .npy or .npz.

    Images are integers [N, H, W], [N, H, W, C], [N, C, H, W] or [H, W]. The arrays of a .npz, or the file, are
    named for splits, and those of labels are [N].
    """
    try:
        if path.suffix == ".npy":
            arrays = {path.stem: np.load(path, allow_pickle=False, mmap_mode="r")}
        else:
            with path.open("rb") as file:  # which NumPy would leave open if it is damaged
                loaded = np.load(file, allow_pickle=False)
                arrays = {name: loaded[name] for name in loaded.files}
    except MemoryError:
        raise
    except Exception as error:  # NumPy and zipfile raise many unrelated kinds for damaged files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} holds no arrays of numbers that can be read: {reason}") from error
    images: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        part = labels if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1) else images
        split = split_of(name) or split_of(path.stem) or ALL
        if split in part:
            raise ValueError(f"{path} has several arrays for {split}: {', '.join(arrays)}; name each for its split")
        part[split] = array
    if not images:
        raise ValueError(f"{path} holds no images; expected integers [N, H, W], [N, H, W, C] or [N, C, H, W]")
    return {split: _array_table(path, split, array, labels.get(split)) for split, array in images.items()}


def _array_table(path: Path, split: str, array: np.ndarray, labels: np.ndarray | None) -> Table:
    if array.dtype.kind not in "iub":
        raise ValueError(f"{path} holds {array.dtype}; whole numbers are expected: quantise it to levels first")
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 4 and array.shape[3] in (1, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    elif array.ndim == 4 and array.shape[1] not in (1, 3, 4):
        raise ValueError(f"{path} has the shape {list(array.shape)}; expected 1, 3 or 4 colours, last or second")
    elif array.ndim not in (3, 4):
        raise ValueError(f"{path} has the shape {list(array.shape)}; expected [N, H, W], [N, H, W, C] or [N, C, H, W]")
    if labels is not None and len(labels) != len(array):
        raise ValueError(f"{path} has {len(labels)} labels for {len(array)} {split} images; expected one each")
    if labels is not None and labels.dtype.kind not in "iub":
        raise ValueError(f"{path} has labels of {labels.dtype}; whole numbers are expected")
    numbers = np.zeros(len(array), int) if labels is None else labels.reshape(-1)

    def rows() -> Iterator[Row]:
        return (Row(number_name(split, "image", k), array[k], int(numbers[k])) for k in range(len(array)))

    return Table(len(array), rows, labels is not None)
