"""Rows of images as their source holds them, undecoded, in a table per split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pixelseq.data.splits import ALL
from pixelseq.imaging.text import TextMap

if TYPE_CHECKING:
    from pixelseq.data.archives import Member
    from pixelseq.data.array_files import GridFile


class Row(NamedTuple):
    """One image as its source holds it, undecoded."""

    name: str
    """What the source calls it: the path of a file below the data's folder, the number of a row or an image."""
    content: bytes | Path | Member | np.ndarray | list | GridFile | TextMap
    """An encoded picture, its file here or in a .zip, integers [C, H, W], a grid as `decode_grid` takes it, the file of
    one, or a text map."""
    label: int
    told: str | list[float] | None = None
    """The text or the vector that the image is told by, where the source has them."""


@dataclass(frozen=True)
class Table:
    """The rows of one split."""

    count: int | None
    """The number of images, if it is known beforehand."""
    rows: Callable[[], Iterator[Row]]
    labelled: bool = False
    class_names: tuple[str, ...] = ()
    told: bool = False
    """Whether the images have texts or vectors that they are told by."""
    notes: tuple[str, ...] = ()
    """What was decided on the source for the user, one line per decision."""
    names_files: bool = False
    """Whether rows may name files, of whose changes nothing else tells."""
    text: bool = False
    """Whether the images are text maps."""
    legend: str = ""
    """The character of each level of text maps, once it is known."""
    in_bytes: bool = False
    """Whether nested lists are of 8-bit integers from 0 on."""


def number_name(split: str, noun: str, k: int) -> str:
    """Names an image by its number in its split."""
    return f"{noun} {k}" if split == ALL else f"{split} {noun} {k}"


def joined(found: Sequence[Table]) -> Table:
    """Gives the rows of several tables, one table after the other; they have labels if all of them do."""
    if len(found) == 1:
        return found[0]
    counts = [table.count for table in found if table.count is not None]
    return replace(
        found[0],
        count=sum(counts) if len(counts) == len(found) else None,
        rows=lambda: chain.from_iterable(table.rows() for table in found),
        labelled=all(table.labelled for table in found),
        in_bytes=all(table.in_bytes for table in found),
    )
