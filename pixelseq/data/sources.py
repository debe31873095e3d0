"""Finds the rows of pictures or grids behind a path or a hub id, in splits; nothing is decoded here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pixelseq.data import arrays, folders, tables
from pixelseq.data.files import files_below, stamp
from pixelseq.data.options import DataOptions
from pixelseq.data.splits import split_of
from pixelseq.data.tables import Row, Table
from pixelseq.imaging.read import SUFFIXES

BUILDERS = {".parquet": "parquet", ".arrow": "arrow", ".json": "json", ".jsonl": "json"}
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


def data_files(path: Path) -> tuple[str, dict[str, list[str]]] | None:
    """Gives the builder and the files of each split of a data file or a folder of them; None if there are none.

    Raises:
        ValueError: there are files of several kinds, or some are named for a split and others are not.
    """
    found = [path] if path.is_file() else files_below(path)
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
            return Source(stamp([path]), partial(arrays.of_arrays, path))
        if suffix not in BUILDERS:
            kinds = "a picture, .npy, .npz, .parquet, .arrow, .json or .jsonl"
            raise ValueError(f"{path} is no file of images; expected {kinds}")
    if any((path / name).exists() for name in SAVED):
        return Source(
            stamp(files_below(path)), lambda: tables.of_datasets(tables.load_saved(path), options), has_columns=True
        )
    pictures = [] if path.is_file() else [file for file in files_below(path) if file.suffix.lower() in SUFFIXES]
    files = data_files(path)
    if pictures and files and files[0] != "json":
        raise ValueError(f"{path} holds both pictures and {files[0]} files; name one of them")
    if pictures:
        return Source(stamp(pictures), lambda: folders.of_pictures(path, pictures))
    if files is None:
        raise ValueError(f"the folder {path} holds no images: no pictures, and no parquet, arrow or JSON files")
    kind, splits = files

    def opened() -> dict[str, Table]:
        if kind == "parquet":
            return tables.of_parquet(splits, options)
        return tables.of_datasets(tables.load_files(kind, splits), options)

    return Source(stamp([Path(file) for names in splits.values() for file in names]), opened, has_columns=True)
