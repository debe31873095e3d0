"""Folders of files with one image each, by splits and classes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from pixelseq.data.archives import Member
from pixelseq.data.rows import Row, Table
from pixelseq.data.splits import ALL, split_of


def of_pictures(folder: Path, pictures: list[Path]) -> dict[str, Table]:
    """Gives the tables of a folder of pictures, which may have folders of splits and of classes at any depth."""
    paths = [picture.relative_to(folder) for picture in pictures]
    marks = {path: _mark(path) for path in paths}
    classes, outside = _classes(marks)
    names = sorted(set(classes.values()))
    numbers = {name: number for number, name in enumerate(names)}

    def rows(found: list[Path]) -> Iterator[Row]:
        return (Row(str(path), folder / path, numbers[classes[path]] if path in classes else 0) for path in found)

    notes = (f"no labels: {outside} of {len(paths)} images are in no folder of a class",) if outside else ()
    splits = _by_split(marks)
    return {
        name: Table(len(found), partial(rows, found), found[0] in classes, tuple(names), notes=notes)
        for name, found in splits.items()
    }


def _mark(path: Path) -> int | None:
    """Gives the place of the folder of a split on the way to a file; the one nearest the root decides."""
    return next((k for k, part in enumerate(path.parts[:-1]) if split_of(part)), None)


def _by_split(marks: Mapping[Path, int | None]) -> dict[str, list[Path]]:
    """Sorts files by the names of their splits.

    A file is of the split that a folder on its way is named for. Where there are such folders, the files elsewhere go
    by the folders that they lie in; where there are none, the names of the files count if each of them is a split's.

    Args:
        marks: the place of a split's folder on the way to each file, if there is one.
    """
    in_splits = any(mark is not None for mark in marks.values())
    by_name = not in_splits and all(split_of(path.name) for path in marks)
    found: dict[str, list[Path]] = {}
    for path, mark in marks.items():
        elsewhere = _parent(path) if in_splits else (by_name and split_of(path.name)) or ALL
        found.setdefault(elsewhere if mark is None else path.parts[mark], []).append(path)
    return found


def _parent(path: Path) -> str:
    return "the top folder" if path.parent == Path() else path.parent.as_posix()


def _classes(marks: Mapping[Path, int | None]) -> tuple[dict[Path, str], int]:
    """Gives the class of each file: the first folder on its way that is no split's and that not all of them lie in.

    Files that are in no split beside others that are have no class. No file has one if one lies in no such folder.

    Args:
        marks: the place of a split's folder on the way to each file, if there is one.

    Returns:
        The class of each file, and the number of files that keep the others from having one.
    """
    in_splits = any(mark is not None for mark in marks.values())
    ways = {
        path: [part for k, part in enumerate(path.parts[:-1]) if k != mark]
        for path, mark in marks.items()
        if mark is not None or not in_splits
    }
    shared = len(list(takewhile(lambda parts: len(set(parts)) == 1, zip(*ways.values(), strict=False))))
    classes = {path: way[shared] for path, way in ways.items() if len(way) > shared}
    outside = len(ways) - len(classes)
    return ({}, outside if classes else 0) if outside else (classes, 0)


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
