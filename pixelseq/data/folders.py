"""Folders of files with one image each, by splits and classes, as they are or in a .zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pixelseq.data.archives import Member
from pixelseq.data.splits import SPLITS, split_of
from pixelseq.data.tables import Row, Table


def of_pictures(folder: Path, pictures: list[Path]) -> dict[str, Table]:
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


def of_archive(path: Path, pictures: dict[Path, str]) -> dict[str, Table]:
    """Gives the tables of the pictures in a .zip; folders in it are splits and classes.

    Args:
        path: the .zip.
        pictures: what `archives.list_pictures` gives.
    """
    top = path
    # Where a folder was packed as a whole, the .zip holds that folder.
    while len(inside := {picture.relative_to(top).parts[0] for picture in pictures}) == 1:
        (name,) = inside
        if top / name in pictures or split_of(name) is not None:
            break
        top /= name
    tables = of_pictures(top, sorted(pictures))
    return {split: replace(table, rows=partial(_rows, path, pictures, table)) for split, table in tables.items()}


def _rows(path: Path, pictures: dict[Path, str], table: Table) -> Iterator[Row]:
    with zipfile.ZipFile(path) as archive:
        for row in table.rows():
            assert isinstance(row.content, Path)
            yield row._replace(content=Member(archive, archive.getinfo(pictures[row.content])))
