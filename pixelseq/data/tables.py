"""Tables: which column holds images, which labels, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelseq.data.array_files import named
from pixelseq.data.options import DataOptions
from pixelseq.data.row_files import RowFiles
from pixelseq.data.rows import Row, Table, number_name
from pixelseq.data.table_files import count_rows, read_features, read_values, sound_values, steps
from pixelseq.imaging.text import TextMap, text_lines

if TYPE_CHECKING:
    import datasets


WHOLE = ("int", "uint", "bool")
"""The beginnings of the names of whole-number types."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold its images and labels."""

    data: str
    """The name of the data, for messages."""
    image: str
    pictures: bool
    """Whether the images are encoded pictures rather than grids."""
    label: str | None
    class_names: tuple[str, ...]
    files: RowFiles
    """The files that rows may name."""
    text: bool = False
    """Whether the images are text maps."""
    in_bytes: bool = False
    """Whether grids are of 8-bit integers from 0 on."""

    @property
    def used(self) -> list[str]:
        """The names of the columns that are read."""
        return [self.image, *([self.label] if self.label else [])]


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
        total = sum(count_rows(file, kind) for file in files)
        found[name] = _table_of(columns, total, partial(_read_files, files, kind, columns), name)
    return found


def _read_files(files: list[str], kind: str, columns: Columns) -> Iterator[dict[str, list]]:
    return chain.from_iterable(read_values(file, kind, columns.used) for file in files)


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


def find_columns(features: Mapping[str, Any], options: DataOptions) -> Columns:
    """Finds images and labels by the types of the columns, or takes those that the user names.

    Raises:
        ValueError: there is no such column, no one column of images, or a column has another type.
    """
    with named(options.name):
        image = _image_column(features, options)
        label, class_names = _label_column(features, options)
    grid, text = _grid_type(features[image]), _is_text(features[image])
    pictures = not grid and not text
    return Columns(
        options.name, image, pictures, label, class_names, _row_files(options), text, in_bytes=grid == "uint8"
    )


def _image_column(features: Mapping[str, Any], options: DataOptions) -> str:
    _check_named(features, "image_column", options.image_column)
    ranks = {name: rank for name, kind in features.items() if (rank := _rank(kind)) is not None}
    found = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    if options.image_column is None and len(found) != 1:
        listed = ", ".join(f"{_shown(name)} ({_describe(kind)})" for name, kind in features.items())
        held = "pictures, grids or text maps"
        raise ValueError(f"{len(found) or 'no'} columns hold {held}; name one by `image_column`: {listed}")
    image = options.image_column or found[0]
    kind, grid = features[image], _grid_type(features[image])
    if grid and not grid.startswith(WHOLE):
        raise ValueError(
            f"column {_shown(image)} holds {grid}; whole numbers are expected: quantise it to levels first"
        )
    if not grid and not _is_text(kind) and not _is_picture(kind):
        raise ValueError(
            f"column {_shown(image)} holds {_describe(kind)}; expected pictures, integer grids or text maps"
        )
    return image


def _label_column(features: Mapping[str, Any], options: DataOptions) -> tuple[str | None, tuple[str, ...]]:
    """Gives the column of labels, if there is one, and the names of the labels, if they have names."""
    import datasets

    _check_named(features, "label_column", options.label_column)
    classes = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    label = options.label_column or (classes[0] if len(classes) == 1 else None)
    if label is None:
        return None, ()
    kind = features[label]
    if isinstance(kind, datasets.ClassLabel):
        return label, tuple(kind.names)
    if not isinstance(kind, datasets.Value) or not kind.dtype.startswith(("int", "uint")):
        raise ValueError(f"column {_shown(label)} holds {_describe(kind)}; expected class labels or whole numbers")
    return label, ()


def _check_named(features: Mapping[str, Any], flag: str, column: str | None) -> None:
    if column is not None and column not in features:
        raise ValueError(f"`{flag}` is {column!r}; the columns are {', '.join(map(_shown, features))}")


def _shown(name: str) -> str:
    """Gives the name of a column on one line, whatever it is."""
    return name if name.isprintable() else repr(name)


def _row_files(options: DataOptions) -> RowFiles:
    """Gives the files that rows may name: those below the data's folder, or for a set of the hub those that it has."""
    import datasets
    from huggingface_hub import constants

    if options.path.exists():
        return RowFiles((options.path if options.path.is_dir() else options.path.parent,))
    caches = datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH, constants.HF_HUB_CACHE
    return RowFiles(tuple(map(Path, caches)), hub=True)


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
        for value, label in zip(images, labels, strict=True):
            row = number_name(name, "row", next(number))
            with named(f"{columns.data}, {row}"):
                content, label = row_content(value, columns), _label(label, columns)
            yield Row(row, content, label)


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
            f"column {_shown(columns.image)} holds texts of one line, such as {value[:40]!r}; expected maps of several "
            "lines, lists of lines, or pictures (bytes, or structs of bytes and path)"
        )
    lines = text_lines(value.strip("\r\n"), None) if isinstance(value, str) else value or []
    if not isinstance(lines, list) or not all(isinstance(line, str | None) for line in lines):
        raise ValueError(f"it holds {type(value).__name__}; expected a text, or a list of lines")
    return TextMap(tuple(line or "" for line in lines))


def _rank(kind: Any) -> int | None:
    """Ranks how likely a column holds the images.

    0 pictures, 1 grids, 2 nested lists, 3 numbers that are not whole, 4 lists of texts, 5 texts.
    """
    import datasets

    if isinstance(kind, datasets.Image):
        return 0
    grid = _grid_type(kind)
    if grid is None:
        return (4 if isinstance(kind, datasets.List | datasets.LargeList) else 5) if _is_text(kind) else None
    if not grid.startswith(WHOLE):
        return 3
    return 1 if isinstance(kind, datasets.Array2D | datasets.Array3D) else 2


def _grid_type(kind: Any) -> str | None:
    """Gives the type of the numbers in a column of grids, as `decode_grid` takes them, None for other columns."""
    import datasets

    if isinstance(kind, datasets.Array2D | datasets.Array3D):
        return kind.dtype
    depth = 0
    while isinstance(kind, datasets.List | datasets.LargeList):
        kind, depth = kind.feature, depth + 1
    return kind.dtype if depth in (2, 3) and isinstance(kind, datasets.Value) else None


def _is_text(kind: Any) -> bool:
    """Tells whether a column holds texts or lists of texts, the lines of maps."""
    import datasets

    if isinstance(kind, datasets.List | datasets.LargeList):
        kind = kind.feature
    return getattr(kind, "dtype", None) in ("string", "large_string")


def _is_picture(kind: Any) -> bool:
    """Tells whether a column can hold pictures: of that type, bytes, or a struct of bytes and path."""
    import datasets

    if isinstance(kind, dict):
        return {"bytes", "path"} <= kind.keys()
    return isinstance(kind, datasets.Image) or getattr(kind, "dtype", None) in ("binary", "large_binary")


def _describe(kind: Any) -> str:
    return getattr(kind, "dtype", None) or type(kind).__name__
