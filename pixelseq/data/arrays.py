"""Files of arrays, alone or in folders: which hold images and which labels, in splits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelseq.data import folders
from pixelseq.data.amat import open_amat
from pixelseq.data.array_files import (
    Array,
    GridFile,
    check_image,
    check_whole,
    ending,
    is_idx,
    named,
    open_idx,
    open_npy,
    open_npz,
)
from pixelseq.data.options import DataOptions
from pixelseq.data.rows import Row, Table, number_name
from pixelseq.data.splits import ALL, split_of
from pixelseq.imaging.axes import IMAGES, ONE_IMAGE, channels_first, find_order

ENDINGS = (".npy", ".npz", ".amat")
"""The endings of files of arrays, a .gz behind them left out; idx files are known by their first bytes."""


@dataclass(frozen=True)
class Arrays:
    """What files of arrays hold, whose images are not read yet."""

    tables: dict[str, Table]
    """The table of each split."""
    files: list[Path]
    """The files that are read."""
    notes: list[str]
    """What was decided for the user, one line per decision."""


def is_array_file(path: Path) -> bool:
    """Tells whether a file is taken for one of arrays."""
    return ending(path) in ENDINGS or is_idx(path)


def find(path: Path, files: list[Path], options: DataOptions) -> Arrays:
    """Finds the images and labels in files of arrays.

    The files of a folder are images of their own if they are .npy; others, and the arrays of a .npz, are named for
    splits and hold many images.

    Args:
        path: the file that the user names, or the folder.
        files: the files of arrays that are at the path.
        options: the options of the data set.

    Raises:
        ValueError: the files are of several kinds, damaged, or their arrays no images and labels.
    """
    files, notes = _without_copies(files)
    kinds = {ending(file) if ending(file) in ENDINGS else "idx" for file in files}
    if len(kinds) > 1:
        raise ValueError(f"{path} holds both {' and '.join(sorted(kinds))} files; name those of one kind")
    (kind,) = kinds
    if kind == "idx" and path.is_file():
        files = [path, *_labels_beside(path)]
    if kind == ".amat":
        tables, said = _amat_tables(path, files, options)
    elif kind == ".npy" and path.is_dir():
        options.check_no_shape()
        tables, said = _grid_tables(path, files), []
    elif kind == ".npz" and path.is_dir():
        raise ValueError(f"the folder {path} holds .npz files; give the path of one, such as {files[0]}")
    else:
        tables, said = _tables(path, _open(path, files, kind, options.pixel_limit), options, is_stack=kind == "idx")
    return Arrays(tables, files, notes + said)


def _open(path: Path, files: list[Path], kind: str, max_pixels: int) -> dict[str, Array]:
    """Opens arrays, by the names that tell their splits."""
    if kind == ".npz":
        return open_npz(path, max_pixels)
    if kind == ".npy":
        return {path.stem: open_npy(path, max_pixels)}
    return {_name(path, file): open_idx(file, max_pixels) for file in files}


def _name(path: Path, file: Path) -> str:
    """Names a file at a path, or below it."""
    return file.relative_to(path).as_posix() if path.is_dir() else file.name


def _amat_tables(path: Path, files: list[Path], options: DataOptions) -> tuple[dict[str, Table], list[str]]:
    names = {_name(path, file): file for file in files}
    tables, notes = {}, []
    for split, name in _by_split(path, list(names)).items():
        tables[split], said = open_amat(names[name], split, options)
        notes += said
    return tables, notes


def _grid_tables(path: Path, files: list[Path]) -> dict[str, Table]:
    """Gives the tables of a folder of .npy, of which each is an image, as of one of pictures."""
    tables = folders.of_pictures(path, files)
    return {split: replace(table, rows=partial(_grid_rows, table)) for split, table in tables.items()}


def _grid_rows(table: Table) -> Iterator[Row]:
    for row in table.rows():
        assert isinstance(row.content, Path)
        yield row._replace(content=GridFile(row.content))


def _without_copies(files: list[Path]) -> tuple[list[Path], list[str]]:
    """Leaves out gzipped files beside which they lie unpacked."""
    unpacked = set(files)
    copies = [file for file in files if file.suffix.lower() == ".gz" and file.with_suffix("") in unpacked]
    if not copies:
        return files, []
    note = f"gzipped files that are there unpacked, too, are left out: {len(copies)}, such as {copies[0]}"
    return [file for file in files if file not in copies], [note]


def _labels_beside(path: Path) -> list[Path]:
    """Gives the idx file of labels, if there is one, that is named as one of images: train-labels-idx1-ubyte."""
    if "images" not in path.name:
        return []
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    found = (path.with_name(name + suffix) for suffix in ("", ".gz"))
    return [file for file in found if file.is_file() and is_idx(file)][:1]


def _by_split(path: Path, names: list[str]) -> dict[str, str]:
    """Gives the name of the array, or of the file, of each split."""
    found: dict[str, str] = {}
    for name in names:
        split = split_of(name) or (split_of(path.stem) if path.is_file() else None) or ALL
        if split in found:
            raise ValueError(f"{path} has several arrays for {split}: {', '.join(names)}; name each for its split")
        found[split] = name
    return found


def _tables(
    path: Path, arrays: Mapping[str, Array], options: DataOptions, is_stack: bool
) -> tuple[dict[str, Table], list[str]]:
    """Gives the tables of arrays that are named for splits, and notes on what was decided.

    An array that is alone may be one image, unless `is_stack`.
    """
    labels = _by_split(path, [name for name, array in arrays.items() if _holds_labels(array)])
    images = _by_split(path, [name for name, array in arrays.items() if not _holds_labels(array)])
    if not images:
        raise ValueError(f"{path} holds no images; expected integers [N, H, W], [N, H, W, C] or [N, C, H, W]")
    if ALL in labels and len(images) == 1:
        labels = dict.fromkeys(images, labels[ALL])
    if unlike := labels.keys() - images.keys():
        raise ValueError(f"{path} has labels for {' and '.join(sorted(unlike))} and no such images; name them alike")
    tables, notes = {}, []
    may_be_one = len(images) == 1 and not labels and not is_stack
    for split, name in images.items():
        array, where = arrays[name], str(path) if len(images) == 1 else f"{path}, {name}"
        check_whole(array, where)
        count, read = _images(array, where, options, may_be_one)
        if len(array.shape) == 2 and options.shape is None:
            H, W = array.shape
            notes.append(f"{where} is taken as one image of {H}x{W}; `shape` takes each row as an image")
        numbers = None
        if split in labels:
            numbers = _read_labels(arrays[labels[split]], f"{path}, {labels[split]}", count, f"{count} {split} images")
        tables[split] = Table(count, partial(_rows, split, read, numbers), numbers is not None)
    return tables, notes


def _holds_labels(array: Array) -> bool:
    return len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] == 1)


def _images(
    array: Array, where: str, options: DataOptions, may_be_one: bool
) -> tuple[int, Callable[[], Iterator[NDArray]]]:
    """Gives the number of images in an array, which may be one image, and what reads them, each [C, H, W]."""
    sizes = options.shape_sizes
    with named(where):
        if sizes is None:
            if len(array.shape) == 2 and not may_be_one:
                raise ValueError(f"its images are rows of {array.shape[1]} values; say their `shape`, such as 28x28")
            order = find_order(array.shape, options.channels, (*IMAGES, *ONE_IMAGE) if may_be_one else IMAGES)
            check_image(array.shape, order, options.pixel_limit)
            if not order.startswith("N"):
                return 1, lambda: iter([channels_first(array.whole(), order)])
            return array.shape[0], lambda: (channels_first(image, order[1:]) for image in array.rows())
        if len(array.shape) != 2 or array.shape[1] != math.prod(sizes):
            raise ValueError(
                f"its shape is {list(array.shape)}; `shape` {options.shape} is for rows of {math.prod(sizes)} values"
            )
        order = find_order(sizes, options.channels)
        return array.shape[0], lambda: (channels_first(row.reshape(sizes), order) for row in array.rows())


def _read_labels(array: Array, where: str, count: int, images: str) -> NDArray[np.integer]:
    if array.shape[0] != count:
        raise ValueError(f"{where} has {array.shape[0]} labels for {images}; expected one each")
    if not np.can_cast(array.dtype, np.int64):
        raise ValueError(f"{where} holds labels of {array.dtype}; whole numbers that int64 can hold are expected")
    return array.whole().reshape(-1)


def _rows(split: str, read: Callable[[], Iterator[NDArray]], labels: NDArray[np.integer] | None) -> Iterator[Row]:
    for k, image in enumerate(read()):
        yield Row(number_name(split, "image", k), image, 0 if labels is None else int(labels[k]))
