"""Tables: the images of their rows and what belongs to these, undecoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain, count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelseq.data.array_files import named
from pixelseq.data.columns import Columns, find_columns, shown
from pixelseq.data.options import DataOptions
from pixelseq.data.rows import Row, Table, number_name
from pixelseq.data.table_files import count_rows, read_features, read_values, sound_values, steps
from pixelseq.imaging.text import TextMap, text_lines

if TYPE_CHECKING:
    import datasets


def of_datasets(splits: Mapping[str, datasets.Dataset], options: DataOptions) -> dict[str, Table]:
    """Gives the images and labels of each split.

    Raises:
        ValueError: for the reasons of `find_columns`.
    """

    found = {}
    for name, split in splits.items():
        columns = find_columns(split.features, options)
        found[name] = _table_of(columns, len(split), partial(_read_dataset, split, columns), name)
    return found


def _read_dataset(split: datasets.Dataset, columns: Columns) -> Iterator[dict[str, list]]:
    return sound_values(split.select_columns(columns.used).data.to_batches(), columns.data)


def of_files(kind: str, splits: Mapping[str, list[str]], options: DataOptions) -> dict[str, Table]:
    """Gives the images and labels of parquet or arrow files, read a few rows at a time.

    The datasets library would first copy the files to its cache.

    Args:
        kind: "parquet" or "arrow".
        splits: the files of each split.
        options: the options of the data set.

    Raises:
        ValueError: the files cannot be read, or for the reasons of `find_columns`.
    """
    found = {}
    for name, files in splits.items():
        columns = find_columns(read_features(files[0], kind), options)
        total = sum(count_rows(file, kind, options.pixel_limit) for file in files)
        found[name] = _table_of(columns, total, partial(_read_files, files, kind, columns, options.pixel_limit), name)
    return found


def _read_files(files: list[str], kind: str, columns: Columns, max_pixels: int) -> Iterator[dict[str, list]]:
    return chain.from_iterable(read_values(file, kind, max_pixels, columns.used) for file in files)


def of_streams(splits: Mapping[str, datasets.IterableDataset], columns: Columns) -> dict[str, Table]:
    """Gives the images of each split, read as they are needed and without their labels."""
    return {
        name: Table(None, partial(stream_rows, split, columns, name), names_files=True)
        for name, split in splits.items()
    }


def stream_rows(rows: datasets.IterableDataset, columns: Columns, name: str) -> Iterator[Row]:
    """Gives the undecoded images of a stream.

    Args:
        rows: the stream, as `undecoded` gives it.
        columns: the columns of its images and labels.
        name: the name of the stream, for messages.

    Raises:
        ValueError: a file of the stream is damaged.
    """
    for k, values in enumerate(steps(rows, columns.data)):
        row = number_name(name, "row", k)
        with named(f"{columns.data}, {row}"):
            content = row_content(values[columns.image], columns)
        yield Row(row, content, 0)


def row_content(value: Any, columns: Columns) -> bytes | Path | list | TextMap:
    """Gives the encoded picture, the grid or the text map in an undecoded value of the column of images.

    None gives no bytes, so no picture.

    Raises:
        ValueError: it is none of these, whatever the column declares, or names a file that rows may not name.
    """
    if columns.text:
        return _text_map(value, columns)
    if value is None:
        return b""
    if not columns.pictures:
        return value
    content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if content is None and isinstance(path, str):
        return columns.files.read(path)
    if not isinstance(content, bytes | None):
        raise ValueError(f"it holds {type(content).__name__}; expected the bytes of a picture, or its path")
    return content or b""


def _table_of(columns: Columns, count: int, read: Callable[[], Iterator[Mapping[str, list]]], name: str) -> Table:
    return Table(
        count,
        partial(_rows, read, columns, name),
        columns.label is not None,
        columns.class_names,
        columns.told is not None,
        names_files=columns.pictures,
        text=columns.text,
        in_bytes=columns.in_bytes,
    )


def undecoded(split: Any, columns: Columns) -> Any:
    """Gives the stream without the columns that nothing uses, its pictures left encoded."""
    import datasets

    kept = split.select_columns(columns.used)
    return kept.cast_column(columns.image, datasets.Image(decode=False)) if columns.pictures else kept


def _rows(read: Callable[[], Iterator[Mapping[str, list]]], columns: Columns, name: str) -> Iterator[Row]:
    number = count()
    for batch in read():
        images = batch[columns.image]
        labels = batch[columns.label] if columns.label else repeat(0, len(images))
        told = batch[columns.told] if columns.told else repeat(None, len(images))
        for value, label, own in zip(images, labels, told, strict=True):
            row = number_name(name, "row", next(number))
            with named(f"{columns.data}, {row}"):
                content, label = row_content(value, columns), _label(label, columns)
            yield Row(row, content, label, own)


def _label(label: Any, columns: Columns) -> int:
    """Gives a label; -1 where there is none, as datasets has it."""
    if label is None:
        return -1
    low, high = (-1, len(columns.class_names) - 1) if columns.class_names else (-(2**63), 2**63 - 1)
    if not isinstance(label, int) or not low <= label <= high:
        raise ValueError(f"its label is {str(label)[:40]!r}; expected {low} to {high}")
    return label


def _text_map(value: Any, columns: Columns) -> TextMap:
    if isinstance(value, str) and "\n" not in value.strip():
        raise ValueError(
            f"column {shown(columns.image)} holds texts of one line, such as {value[:40]!r}; expected maps of several "
            "lines, lists of lines, or pictures (bytes, or structs of bytes and path)"
        )
    lines = text_lines(value.strip("\r\n"), None) if isinstance(value, str) else value or []
    if not isinstance(lines, list) or not all(isinstance(line, str | None) for line in lines):
        raise ValueError(f"it holds {type(value).__name__}; expected a text, or a list of lines")
    return TextMap(tuple(line or "" for line in lines))
