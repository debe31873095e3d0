"""Files .amat, as they are or gzipped: text, one image per row, its label perhaps last.

The static binarisation of MNIST is published so (Larochelle and Murray 2011, The Neural Autoregressive Distribution
Estimator), with labels rectangles and convex sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixelseq.data.array_files import in_one_line, named, open_unpacked
from pixelseq.data.options import DataOptions
from pixelseq.data.packed import check_unpacked
from pixelseq.data.rows import Row, Table, number_name
from pixelseq.imaging.axes import channels_first, find_order

MOST_BYTES = 2**22
"""The most bytes of a row."""
LARGEST = 2**31
"""Whole numbers are below it."""


def open_amat(path: Path, split: str, options: DataOptions) -> tuple[Table, list[str]]:
    """Opens a .amat.

    Args:
        path: the file.
        split: its split, for the names of images.
        options: the options of the data set. Without a shape, images are squares, if their rows can be.

    Returns:
        The table of its images, and what was decided on its rows, one line per decision.

    Raises:
        ValueError: its first row holds no numbers, or none of such an image and perhaps a label.
    """
    read = partial(_numbers, path, options.pixel_limit)
    count, sizes, notes = len(next(read(), ())), options.shape_sizes, []
    if sizes is None:
        side = next((math.isqrt(n) for n in (count, count - 1) if n > 0 and math.isqrt(n) ** 2 == n), None)
        if side is None:
            raise ValueError(
                f"{path} has rows of {count} values, which are no square; say their `shape`, such as 28x20"
            )
        sizes = (side, side)
        notes.append(f"{path.name} has rows of {count} values, taken as {side}x{side}; choose others with `shape`")
    values = math.prod(sizes)
    if count not in (values, values + 1):
        raise ValueError(f"{path} has rows of {count} values; `shape` has {values}, one more where labels are last")
    if labelled := count > values:
        notes.append(f"the last of the {count} values of a row of {path.name} is taken as its label")
    with named(str(path)):
        order = find_order(sizes, options.channels)

    def rows() -> Iterator[Row]:
        for k, numbers in enumerate(read()):
            if len(numbers) != count:
                raise ValueError(f"{path}, image {k} has {len(numbers)} values; the first one has {count}")
            image = channels_first(numbers[:values].reshape(sizes), order)
            yield Row(number_name(split, "image", k), image, int(numbers[-1]) if labelled else 0)

    return Table(None, rows, labelled), notes


def _numbers(path: Path, max_pixels: int) -> Iterator[NDArray[np.int64]]:
    """Gives the whole numbers of each row that has any."""
    size, done = path.stat().st_size, 0
    with in_one_line(path), open_unpacked(path) as file:
        for number, line in enumerate(iter(partial(file.readline, MOST_BYTES), b""), 1):
            if len(line) == MOST_BYTES:
                raise ValueError(f"a row has {MOST_BYTES} bytes or more")
            done += len(line)
            check_unpacked(done, number, size, max_pixels)
            if numbers := line.split():
                values = np.array(numbers, np.float64)
                whole = (values == np.floor(values)) & (np.abs(values) < LARGEST)
                if not whole.all():
                    raise ValueError(f"{values[~whole][0]} is no whole number; quantise it to levels first")
                yield values.astype(np.int64)
