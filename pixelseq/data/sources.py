"""Finds the rows of pictures or grids behind a path or a hub id, in splits; nothing is decoded here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pixelseq.data import tables
from pixelseq.data.options import DataOptions
from pixelseq.data.tables import Row, Table
from pixelseq.imaging.read import SUFFIXES

BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".json": "json", ".jsonl": "json"}
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
SAVED = ("dataset_dict.json", "state.json")
"""The files that datasets' save_to_disk leaves at the top of its folder."""


@dataclass(frozen=True)
class Source:
    """Images that have not been read yet."""

    fingerprint: Any
    """JSON that changes whenever the source does."""
    open: Callable[[], dict[str, Table]]
    """Gives the table of each split, by the split's own name; raises ValueError where it cannot be read."""
    has_columns: bool = False
    """Whether the images are a column of a table, which the user can name."""


def find(options: DataOptions) -> Source:
    """Finds the source that `options.data` names: a path where there is one, a hub id otherwise.

    Raises:
        ValueError: it is neither, nothing at the path can be read, or it does not have the columns that are named.
    """
    path = Path(options.data).expanduser()
    if path.exists():
        source = _local(path, options)
        if not source.has_columns:
            options.check_no_columns()
        return source
    if not is_hub_id(options.data):
        raise ValueError(
            f"no data set {options.data!r}; choose from digits, digit_columns, photos, or give the path of a file or "
            "folder, or a hub id owner/name"
        )
    splits, commit = tables.load_hub(options.data)
    return Source([options.data, commit], partial(tables.of_datasets, splits, options), has_columns=True)


def is_hub_id(name: str) -> bool:
    """Tells whether a name that is no path can be a hub id; if its owner is a folder here, it is a mistyped path."""
    match = re.fullmatch(r"([\w-][\w.-]*)/[\w.-]+", name)
    return match is not None and not Path(match[1]).exists()


def split_of(name: str) -> str | None:
    """Gives the split (train, validation or test) that the name of a file, an array or a split contains, if any."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for word in words for split, names in SPLITS.items() if word in names), None)


def data_files(path: Path) -> tuple[str, dict[str, list[str]]] | None:
    """Gives the builder and the files of each split of a data file or a folder of them; None if there are none.

    Raises:
        ValueError: there are files of several kinds, or some are named for a split and others are not.
    """
    found = [path] if path.is_file() else _files(path)
    kinds = {BUILDERS[file.suffix.lower()] for file in found if file.suffix.lower() in BUILDERS}
    if not kinds:
        return None
    # JSON beside other data describes it.
    if len(kinds) > 1:
        kinds.discard("json")
    if len(kinds) > 1:
        raise ValueError(f"{path} holds {' and '.join(sorted(kinds))} files; name those of one kind")
    (kind,) = kinds
    files = [file for file in found if BUILDERS.get(file.suffix.lower()) == kind]
    if path.is_file():
        return kind, {"train": [str(path)]}
    named: dict[str | None, list[str]] = {}
    for file in files:
        named.setdefault(split_of(str(file.relative_to(path))), []).append(str(file))
    if None in named and len(named) > 1:
        raise ValueError(f"{named[None][0]} is named for no split (train, validation, test) but others in {path} are")
    return kind, {split or "train": names for split, names in named.items()}


def _local(path: Path, options: DataOptions) -> Source:
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in SUFFIXES:
            rows = partial(iter, [Row(str(path), path, 0)])
            return Source(stamp([path]), lambda: {"train": Table(1, rows)})
        if suffix in (".npy", ".npz"):
            return Source(stamp([path]), partial(_arrays, path))
        if suffix not in BUILDERS:
            kinds = "a picture, .npy, .npz, .parquet, .arrow, .json or .jsonl"
            raise ValueError(f"{path} is no file of images; expected {kinds}")
    if any((path / name).exists() for name in SAVED):
        return Source(
            stamp(_files(path)), lambda: tables.of_datasets(tables.load_saved(path), options), has_columns=True
        )
    pictures = [] if path.is_file() else [file for file in _files(path) if file.suffix.lower() in SUFFIXES]
    files = data_files(path)
    if pictures and files and files[0] != "json":
        raise ValueError(f"{path} holds both pictures and {files[0]} files; name one of them")
    if pictures:
        return Source(stamp(pictures), lambda: _folder(path, pictures))
    if files is None:
        raise ValueError(f"the folder {path} holds no images: no pictures, and no parquet, arrow or JSON files")
    kind, splits = files

    def opened() -> dict[str, Table]:
        if kind == "parquet":
            return tables.of_parquet(splits, options)
        return tables.of_datasets(tables.load_files(kind, splits), options)

    return Source(stamp([Path(file) for names in splits.values() for file in names]), opened, has_columns=True)


def _files(folder: Path) -> list[Path]:
    """Gives all files below a folder but hidden ones, in order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def stamp(files: list[Path]) -> list[tuple[str, int, int]]:
    """Gives the name, size and time of change of each file."""
    return [(str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]


def _folder(folder: Path, pictures: list[Path]) -> dict[str, Table]:
    """Gives the tables of a folder of pictures, which may have folders of splits, and in these folders of classes."""
    splits: dict[str, list[tuple[Path, tuple[str, ...]]]] = {}
    for picture in pictures:
        parts = picture.relative_to(folder).parts[:-1]
        split = next((name for name, names in SPLITS.items() if parts and parts[0].lower() in names), None)
        splits.setdefault(split or "train", []).append((picture, parts[1:] if split else parts))
    classes = sorted({parts[0] if parts else "" for found in splits.values() for _, parts in found})
    labelled = len(classes) > 1 and "" not in classes

    def rows(found: list[tuple[Path, tuple[str, ...]]]) -> Iterator[Row]:
        return (Row(str(picture), picture, classes.index(parts[0]) if labelled else 0) for picture, parts in found)

    names = tuple(classes) if labelled else ()
    return {split: Table(len(found), partial(rows, found), labelled, names) for split, found in splits.items()}


def _arrays(path: Path) -> dict[str, Table]:
    """Gives the tables of a .npy or .npz.

    Images are integers [N, H, W], [N, H, W, C], [N, C, H, W] or [H, W]. The arrays of a .npz are named for splits, and
    those of labels are [N].
    """
    try:
        if path.suffix == ".npy":
            arrays = {"train": np.load(path, allow_pickle=False, mmap_mode="r")}
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
        split = split_of(name) or "train"
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
        return (Row(f"{path}, image {k}", array[k], int(numbers[k])) for k in range(len(array)))

    return Table(len(array), rows, labels is not None)
