"""Folders of files with one image each, by splits and classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pixelseq.data.splits import SPLITS
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
