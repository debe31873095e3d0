"""Opens the files of tables, so that a damaged or hostile one is a line that names it, and nothing worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelseq.data.arrow_buffers import check_buffers
from pixelseq.data.parquet_pages import check_pages
from pixelseq.data.splits import ALL
from pixelseq.runtime.codec import read_object

if TYPE_CHECKING:
    import datasets
    import pyarrow

TABLES = ("parquet", "arrow", "json")
"""The kinds of files that hold tables, as `sources` names them."""
ROWS_AT_A_TIME = 256
SECONDS_TO_THE_HUB = 3
INDEXED = b"ARROW1\0\0"
"""The start of an arrow file whose stream of messages has an index behind it."""
ANOTHER_PLACE = "name another place by HF_DATASETS_CACHE"
LOCAL_HINT = "put the data in a folder here and give its path"


def stream_files(kind: str, splits: dict[str, list[str]], max_pixels: int) -> dict[str, datasets.IterableDataset]:
    """Opens parquet or arrow files as streams, which processes share file by file.

    Args:
        kind: "parquet" or "arrow".
        splits: the files of each split.
        max_pixels: as in `read_values`.

    Raises:
        ValueError: the beginning or the end of a file cannot be read; iterating raises it for what is between them.
    """
    import datasets

    fixed = {"kind": kind, "max_pixels": max_pixels}

    def stream(files: list[str]) -> datasets.IterableDataset:
        features, *_ = [read_features(file, kind) for file in files]
        return datasets.IterableDataset.from_generator(_rows, features, gen_kwargs={"files": files, **fixed})

    return {split: stream(files) for split, files in splits.items()}


def _rows(files: list[str], kind: str, max_pixels: int) -> Iterator[dict[str, Any]]:
    for file in files:
        for values in read_values(file, kind, max_pixels):
            for row in zip(*values.values(), strict=True):
                yield dict(zip(values, row, strict=True))


def saved_files(folder: Path) -> dict[str, list[str]]:
    """Gives the arrow files of each split in what datasets' save_to_disk wrote.

    Raises:
        ValueError: the folder is not of that form, or names files outside itself.
    """
    names = folder / "dataset_dict.json"
    if not names.exists():
        split, files = _saved_split(folder)
        return {split: files}
    splits = _of(names, "splits", list)
    return {name: _saved_split(folder / _beside(name, names))[1] for name in splits}


def _saved_split(folder: Path) -> tuple[str, list[str]]:
    state = folder / "state.json"
    entries = _of(state, "_data_files", list)
    files = [_beside(entry.get("filename") if isinstance(entry, dict) else entry, state) for entry in entries]
    if not files:
        raise ValueError(f"{state} names no files")
    return str(_of(state, "_split", str | None) or ALL), [str(folder / file) for file in files]


def _of(file: Path, field: str, kind: Any) -> Any:
    """Gives a field of a JSON file."""
    with in_a_line(str(file)):
        values = read_object(file.read_text(encoding="utf-8"), "it")
        if not isinstance(value := values.get(field), kind):
            raise ValueError(f"its {field} is {str(value)[:40]!r}")
    return value


def _beside(name: Any, file: Path) -> str:
    """Gives the name of a file or folder that another one names; it has to lie beside that one."""
    if not isinstance(name, str) or not name or name in (".", "..") or Path(name).name != name:
        raise ValueError(f"{file} names the file {name!r}; expected files that lie beside it")
    return name


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
    with in_a_line(f"no file or folder {name} here, and the hub gave no data set of that name ({LOCAL_HINT})"):
        builder = datasets.load_dataset_builder(name)
        if streaming:
            return builder.as_streaming_dataset(), builder.hash
        builder.download_and_prepare()
        return builder.as_dataset(), builder.hash


def read_features(file: str, kind: str) -> datasets.Features:
    """Gives the types of the columns of a parquet or an arrow file.

    Raises:
        ValueError: they cannot be read.
    """
    import datasets
    import pyarrow
    from pyarrow.parquet import read_schema

    with in_a_line(file):
        schema = read_schema(file) if kind == "parquet" else pyarrow.ipc.open_stream(_map_arrow(file)).schema
        return datasets.Features.from_arrow_schema(schema)


def count_rows(file: str, kind: str, max_pixels: int) -> int:
    """Gives the number of rows of a parquet or an arrow file.

    Args:
        file: the file.
        kind: "parquet" or "arrow".
        max_pixels: as in `read_values`.

    Raises:
        ValueError: the file is damaged, or unpacks to too much.
    """
    import pyarrow
    from pyarrow.parquet import read_metadata

    with in_a_line(file):
        if kind == "parquet":
            return read_metadata(file).num_rows
        mapped = _map_arrow(file)
        check_buffers(mapped, max_pixels)
        return sum(batch.num_rows for batch in pyarrow.ipc.open_stream(mapped))


def read_values(file: str, kind: str, max_pixels: int, columns: list[str] | None = None) -> Iterator[dict[str, list]]:
    """Gives the values of each column of a parquet or an arrow file, at most `ROWS_AT_A_TIME` rows at a time.

    Args:
        file: the file.
        kind: "parquet" or "arrow".
        max_pixels: the most bytes that the file unpacks to beyond `packed.MOST` times its own.
        columns: the columns to read; by default all.

    Raises:
        ValueError: the file is damaged, unpacks to too much, or lacks a column.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    with in_a_line(file):
        if kind == "parquet":
            reader = ParquetFile(file)
            rows = min(ROWS_AT_A_TIME, check_pages(file, reader.metadata, columns, max_pixels))
            batches = reader.iter_batches(rows, columns=columns)
        else:
            mapped = _map_arrow(file)
            rows = min(ROWS_AT_A_TIME, check_buffers(mapped, max_pixels))
            batches = iter(pyarrow.ipc.open_stream(mapped))
        selected = (batch if columns is None else batch.select(columns) for batch in batches)
    return sound_values(selected, file, rows)


def sound_values(batches: Iterable[Any], what: str, rows: int = ROWS_AT_A_TIME) -> Iterator[dict[str, list]]:
    """Gives the values of each column of record batches, at most so many rows at a time.

    Args:
        batches: record batches, checked here: offsets and indices in damaged ones point anywhere in memory.
        what: the name of the file or the data that they are of, for messages.
        rows: the number of rows.

    Raises:
        ValueError: a batch is damaged.
    """
    for batch in steps(batches, what):
        with in_a_line(what):
            batch.validate(full=True)
        for start in range(0, batch.num_rows, rows):
            with in_a_line(what):
                values = batch.slice(start, rows).to_pydict()
            yield values


def steps(items: Iterable[Any], what: str) -> Iterator[Any]:
    """Gives what an iterator of pyarrow or datasets gives; raises ValueError, in a line, where that fails."""
    rest = iter(items)
    while True:
        with in_a_line(what):
            item = next(rest, None)
        if item is None:
            return
        yield item


def _map_arrow(file: str) -> pyarrow.Buffer:
    """Maps an arrow file's stream of messages; the index behind that of the other of arrow's formats is not needed."""
    import pyarrow

    mapped = pyarrow.memory_map(file).read_buffer()
    return mapped.slice(len(INDEXED)) if mapped.slice(0, len(INDEXED)).equals(pyarrow.py_buffer(INDEXED)) else mapped


@contextmanager
def in_a_line(what: str) -> Iterator[None]:
    """Keeps datasets from writing lines of its own, and makes a ValueError of whatever it or pyarrow raises."""
    import datasets

    bars, verbosity = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    except Exception as error:  # datasets and its readers raise many unrelated kinds
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetsError) else error
        cache = Path(datasets.config.HF_DATASETS_CACHE)
        if isinstance(cause, OSError) and cause.filename and _is_at(cache, Path(str(cause.filename))):
            raise ValueError(f"the cache {cache} cannot be used: {cause.strerror}; {ANOTHER_PLACE}") from error
        reason = str(cause or error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{what} cannot be read: {reason[0]}") from error
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()


def _is_at(folder: Path, path: Path) -> bool:
    """Tells whether a path is in a folder, or is the folder or one that it is in."""
    return path.is_relative_to(folder) or folder.is_relative_to(path)
