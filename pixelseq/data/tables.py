"""Reads tables by the datasets library: which column holds images, which labels, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelseq.data.options import DataOptions
from pixelseq.data.row_files import RowFiles
from pixelseq.data.rows import Row, Table, number_name
from pixelseq.data.splits import ALL
from pixelseq.imaging.text import TextMap, text_lines
from pixelseq.runtime.codec import read_object

if TYPE_CHECKING:
    import datasets


BUILDERS = ("parquet", "arrow", "json")
"""The kinds of tables that the datasets library reads, as it names them."""
ROWS_AT_A_TIME = 256
SECONDS_TO_THE_HUB = 3
WHOLE = ("int", "uint", "bool")
"""The beginnings of the names of whole-number types."""
LOCAL_HINT = "put the data in a folder here and give its path"


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold its images and labels."""

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


def load_files(kind: str, splits: dict[str, list[str]], streaming: bool = False) -> Any:
    """Opens parquet, arrow or JSON files.

    Raises:
        ValueError: the files cannot be read.
    """
    import datasets

    with _one_line(", ".join(names[0] for names in splits.values())):
        # datasets keeps the name "all" for the sum of its splits.
        names = {split: "train" if split == ALL else split for split in splits}
        files = {names[split]: splits[split] for split in splits}
        loaded = datasets.load_dataset(kind, data_files=files, streaming=streaming)
    return {split: loaded[name] for split, name in names.items()}


def load_saved(folder: Path) -> Mapping[str, datasets.Dataset]:
    """Opens what datasets' save_to_disk wrote.

    Raises:
        ValueError: the folder cannot be read.
    """
    import datasets

    _check_saved(folder)
    with _one_line(str(folder)):
        loaded = datasets.load_from_disk(folder)
    return {str(loaded.split or ALL): loaded} if isinstance(loaded, datasets.Dataset) else loaded


def _check_saved(folder: Path) -> None:
    """Raises ValueError where a folder of save_to_disk names files outside itself."""
    for state in folder.rglob("state.json"):
        listed = read_object(state.read_text(encoding="utf-8"), str(state)).get("_data_files")
        names = [entry.get("filename") for entry in listed or [] if isinstance(entry, dict)]
        if foreign := [name for name in names if not isinstance(name, str) or Path(name).name != name]:
            raise ValueError(f"{state} names the file {foreign[0]}; expected files that lie beside it")


def load_hub(name: str, streaming: bool = False) -> tuple[Any, str]:
    """Opens a data set of the hub; says at once if the hub cannot be reached.

    Returns:
        The splits of the data set, and its commit.

    Raises:
        ValueError: there is no such data set, or the hub cannot be reached.
    """
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if not constants.HF_HUB_OFFLINE:
        try:
            HfApi().dataset_info(name, timeout=SECONDS_TO_THE_HUB)  # datasets itself would try again for 23 s
        except (HfHubHTTPError, HFValidationError):
            pass  # the hub answers, and datasets says what
        except Exception as error:  # from whatever HTTP client huggingface_hub stands on
            raise ValueError(
                f"no file or folder {name} here, and the hub cannot be reached; {LOCAL_HINT}, "
                "or set HF_HUB_OFFLINE=1 to use what was downloaded before"
            ) from error
    with _one_line(f"no file or folder {name} here, and the hub gave no data set of that name ({LOCAL_HINT})"):
        builder = datasets.load_dataset_builder(name)
        if streaming:
            return builder.as_streaming_dataset(), builder.hash
        builder.download_and_prepare()
        return builder.as_dataset(), builder.hash


def of_datasets(splits: Mapping[str, datasets.Dataset], options: DataOptions) -> dict[str, Table]:
    """Gives the images and labels of each split."""
    return {name: _table(split, name, options) for name, split in splits.items()}


def of_parquet(splits: Mapping[str, list[str]], options: DataOptions) -> dict[str, Table]:
    """Gives the images and labels of parquet files, read a few rows at a time.

    The datasets library would first copy the files to its cache.

    Raises:
        ValueError: the files cannot be read.
    """
    import datasets
    from pyarrow.parquet import read_metadata

    found = {}
    for name, files in splits.items():
        with _one_line(files[0]):
            metadata = [read_metadata(file) for file in files]
            features = datasets.Features.from_arrow_schema(metadata[0].schema.to_arrow_schema())
        columns = find_columns(features, options)
        rows = partial(_rows, partial(_parquet_batches, files, columns), columns, name)
        total = sum(file.num_rows for file in metadata)
        found[name] = _table_of(columns, total, rows)
    return found


def _parquet_batches(files: list[str], columns: Columns) -> Iterator[Mapping[str, list]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    for file in files:
        try:
            for batch in ParquetFile(file).iter_batches(ROWS_AT_A_TIME, columns=columns.used):
                yield batch.select(columns.used).to_pydict()
        except (OSError, KeyError, ArrowException) as error:  # damaged further on, or without the columns of the first
            raise ValueError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error


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
    """
    for k, values in enumerate(rows):
        yield Row(number_name(name, "row", k), row_content(values[columns.image], columns.files), 0)


def find_columns(features: Mapping[str, Any], options: DataOptions) -> Columns:
    """Finds images and labels by the types of the columns, or takes those that the user names.

    Raises:
        ValueError: there is no such column, no one column of images, or a column has another type.
    """
    import datasets

    for flag, column in (("image_column", options.image_column), ("label_column", options.label_column)):
        if column is not None and column not in features:
            raise ValueError(f"`{flag}` is {column!r}; the columns are {', '.join(features)}")
    ranks = {name: rank for name, kind in features.items() if (rank := _rank(kind)) is not None}
    found = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    if options.image_column is None and len(found) != 1:
        listed = ", ".join(f"{name} ({_describe(kind)})" for name, kind in features.items())
        held = "pictures, grids or text maps"
        raise ValueError(f"{len(found) or 'no'} columns hold {held}; name one by `image_column`: {listed}")
    image = options.image_column or found[0]
    grid, text = _grid_type(features[image]), _is_text(features[image])
    if grid and not grid.startswith(WHOLE):
        raise ValueError(f"column {image} holds {grid}; whole numbers are expected: quantise it to levels first")
    pictures = isinstance(features[image], datasets.Image) or _is_encoded(features[image])
    if not grid and not text and not pictures:
        raise ValueError(
            f"column {image} holds {_describe(features[image])}; expected pictures, integer grids or text maps"
        )
    classes = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    label = options.label_column or (classes[0] if len(classes) == 1 else None)
    kind = features[label] if label else None
    if kind is not None and "int" not in getattr(kind, "dtype", ""):
        raise ValueError(f"column {label} holds {_describe(kind)}; expected class labels or whole numbers")
    names = tuple(kind.names) if isinstance(kind, datasets.ClassLabel) else ()
    return Columns(image, pictures, label, names, _row_files(options), text, grid == "uint8")


def _row_files(options: DataOptions) -> RowFiles:
    """Gives the files that rows may name: those below the data's folder, or for a set of the hub those that it has."""
    import datasets
    from huggingface_hub import constants

    if options.path.exists():
        return RowFiles((options.path if options.path.is_dir() else options.path.parent,))
    caches = datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH, constants.HF_HUB_CACHE
    return RowFiles(tuple(map(Path, caches)), hub=True)


def row_content(value: Any, files: RowFiles) -> bytes | Path | list:
    """Gives the encoded picture or the grid in an undecoded value of a column; None gives no bytes, so no picture.

    Raises:
        ValueError: it names a file that rows may not name.
    """
    if value is None:
        return b""
    if not isinstance(value, dict):
        return value
    if value["bytes"] is not None:
        return value["bytes"]
    return files.read(value["path"])


def _table(split: datasets.Dataset, name: str, options: DataOptions) -> Table:
    columns = find_columns(split.features, options)
    rows = partial(_rows, partial(_batches, undecoded(split, columns)), columns, name)
    return _table_of(columns, len(split), rows)


def _table_of(columns: Columns, count: int, rows: Callable[[], Iterator[Row]]) -> Table:
    return Table(
        count,
        rows,
        columns.label is not None,
        columns.class_names,
        names_files=columns.pictures,
        text=columns.text,
        in_bytes=columns.in_bytes,
    )


def undecoded(split: Any, columns: Columns) -> Any:
    """Gives the table without the columns that nothing uses, its pictures left encoded."""
    import datasets

    kept = split.select_columns(columns.used)
    return kept.cast_column(columns.image, datasets.Image(decode=False)) if columns.pictures else kept


def _batches(split: datasets.Dataset) -> Iterator[Mapping[str, list]]:
    return (split[start : start + ROWS_AT_A_TIME] for start in range(0, len(split), ROWS_AT_A_TIME))


def _rows(batches: Callable[[], Iterator[Mapping[str, list]]], columns: Columns, name: str) -> Iterator[Row]:
    number = count()
    for batch in batches():
        images = batch[columns.image]
        labels = batch[columns.label] if columns.label else repeat(0, len(images))
        for value, label in zip(images, labels, strict=True):
            if columns.text and isinstance(value, str) and "\n" not in value.strip():
                raise ValueError(
                    f"column {columns.image} holds texts of one line, such as {value[:40]!r}; expected maps of several "
                    "lines, lists of lines, or pictures (bytes, or structs of bytes and path)"
                )
            content = _text_map(value) if columns.text else row_content(value, columns.files)
            yield Row(number_name(name, "row", next(number)), content, -1 if label is None else label)


def _text_map(value: list[str | None] | str | None) -> TextMap:
    lines = text_lines(value.strip("\r\n"), None) if isinstance(value, str) else value or []
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


def _is_encoded(kind: Any) -> bool:
    """Tells whether a column of no image type can hold encoded pictures: bytes, or a struct of bytes and path."""
    if isinstance(kind, dict):
        return {"bytes", "path"} <= kind.keys()
    return getattr(kind, "dtype", None) in ("binary", "large_binary")


def _describe(kind: Any) -> str:
    return getattr(kind, "dtype", None) or type(kind).__name__


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Keeps datasets from writing lines of its own, and makes a ValueError of whatever it raises."""
    import datasets

    bars, verbosity = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    except Exception as error:  # datasets and its readers raise many unrelated kinds
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{what} cannot be read: {reason[0]}") from error
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()
