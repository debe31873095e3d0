"""Damaged tables: refused in a line, or rows that may be believed; none ends the process."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Array2D, ClassLabel, Features, Value
from mutations import FEW_OR_MANY, attack, in_a_child
from PIL import Image

from pixelseq.data import DataOptions, Dataset, Stream, load, training_batches

COUNT = 12
SHADES = np.random.Generator(np.random.Philox(0)).integers(256, size=(COUNT, 3, 4), dtype=np.uint8)
GRIDS = [[[(k + i + j) % 5 for j in range(3)] for i in range(1 + k % 3)] for k in range(COUNT)]
LABELS = {"kind": [k % 2 for k in range(COUNT)]}

PACKED = pa.ipc.IpcWriteOptions(compression="zstd")


def pictures() -> datasets.Dataset:
    features = Features({"image": datasets.Image(), "kind": ClassLabel(names=["cat", "dog"])})
    return datasets.Dataset.from_dict({"image": [Image.fromarray(s) for s in SHADES], **LABELS}, features=features)


def grids() -> datasets.Dataset:
    features = Features({"tiles": Array2D((None, 3), "uint8"), "kind": Value("int64")})
    return datasets.Dataset.from_dict({"tiles": GRIDS, **LABELS}, features=features)


def lists() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"tiles": [grid[:1] * 2 for grid in GRIDS], **LABELS})


def texts() -> datasets.Dataset:
    return datasets.Dataset.from_dict({"map": [["#-"[k % 2] + "ab#", "#--a"] for k in range(COUNT)], **LABELS})


def arrow(table: datasets.Dataset, path: Path, opened: Callable[..., Any] = pa.ipc.new_stream) -> None:
    rows = table.with_format("arrow")[:]
    with opened(str(path), rows.schema) as file:
        file.write_table(rows, max_chunksize=7)


def jsonl(table: datasets.Dataset, path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, table.with_format("arrow")[:].to_pylist())))


def codes(_: datasets.Dataset, path: Path) -> None:
    """Texts as indices in a dictionary."""
    maps = pa.DictionaryArray.from_arrays(pa.array([k % 2 for k in range(COUNT)], pa.int8()), ["#-\n-#", "--\n##"])
    rows = pa.table({"map": maps, **LABELS})
    with pa.ipc.new_stream(str(path), rows.schema) as file:
        file.write_table(rows)


def saved(table: datasets.Dataset, path: Path) -> None:
    """What save_to_disk writes, its one file under another name."""
    table.save_to_disk(path.parent)
    (written,) = path.parent.glob("*.arrow")
    written.rename(path)
    state = path.parent / "state.json"
    state.write_text(state.read_text().replace(written.name, path.name))


CASES: dict[str, tuple[Callable[[], datasets.Dataset], Callable[[datasets.Dataset, Path], object]]] = {
    "parquet of pictures": (pictures, lambda table, path: table.to_parquet(path)),
    "parquet of grids": (grids, lambda table, path: table.to_parquet(path)),
    "parquet of texts": (texts, lambda table, path: table.to_parquet(path)),
    "arrow of pictures": (pictures, arrow),
    "arrow file of grids": (grids, partial(arrow, opened=pa.ipc.new_file)),
    "arrow of packed grids": (grids, partial(arrow, opened=partial(pa.ipc.new_stream, options=PACKED))),
    "arrow of codes": (texts, codes),
    "save_to_disk of pictures": (pictures, saved),
    "save_to_disk of texts": (texts, saved),
    "jsonl of lists": (lists, jsonl),
    "jsonl of texts": (texts, jsonl),
}
STREAMED = [name for name in CASES if "save" not in name and "texts" not in name and "codes" not in name]


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)
    datasets.disable_progress_bars()


def written(folder: Path, name: str) -> Path:
    """The file of a case, in a folder that messages name where they cannot name the file."""
    make, write = CASES[name]
    path = folder / "train" / f"train.{'jsonl' if 'jsonl' in name else 'parquet' if 'parquet' in name else 'arrow'}"
    path.parent.mkdir()
    write(make(), path)
    return path


def believable(found: object) -> bool:
    """Whether all images and labels are what some table could hold."""
    assert isinstance(found, Dataset)
    for images in found.splits.values():
        for image in images:
            assert image.ndim == 3
        assert images.labels is None or len(images.labels) == len(images)
        images.read_names()
    if isinstance(found.train, Stream):
        assert len(next(training_batches(found.train, 4, seed=0))) == 4
    return True


@FEW_OR_MANY
@pytest.mark.parametrize("name", CASES)
def test_damaged_tables_are_refused_or_harmless(name: str, times: int, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    options = DataOptions(str(path.parent if "save" in name else path), label_column="kind")
    assert believable(load(options))
    in_a_child(lambda begins: attack(path, 10 * times, lambda: load(options), believable, begins=begins))


@FEW_OR_MANY
@pytest.mark.parametrize("name", STREAMED)
def test_damaged_streams_are_refused_or_harmless(name: str, times: int, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    for split in ("validation", "test"):
        path.with_stem(split).write_bytes(path.read_bytes())
    options = DataOptions(str(path.parent), streaming=True, levels=None if "pictures" in name else 9)

    def read() -> Dataset:
        data = load(options)
        believable(data)
        return data

    read()
    in_a_child(lambda begins: attack(path, 5 * times, read, believable, begins=begins))


@FEW_OR_MANY
@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "dataset_dict.json"])
def test_damaged_descriptions_of_saved_sets_are_refused_or_harmless(name: str, times: int, tmp_path: Path) -> None:
    folder = tmp_path / name.partition(".")[0]  # so that the file is named with the folder
    table = grids()
    (datasets.DatasetDict(train=table) if "dict" in name else table).save_to_disk(folder)
    read = lambda: load(str(folder))  # noqa: E731
    in_a_child(lambda begins: attack(folder / name, 10 * times, read, believable, begins=begins))


def test_a_saved_set_has_no_splits_outside_itself(tmp_path: Path) -> None:
    datasets.DatasetDict(train=grids()).save_to_disk(tmp_path / "saved")
    grids().save_to_disk(tmp_path / "other")
    names = tmp_path / "saved/dataset_dict.json"
    for name in ("../other", str(tmp_path / "other"), ".", "", None, ["train"]):
        names.write_text(json.dumps({"splits": [name]}))
        with pytest.raises(ValueError, match=r"dataset_dict.json names the file .*; expected files that lie beside it"):
            load(str(tmp_path / "saved"))


def rows(path: Path, metadata: Features | None = None, **columns: pa.Array) -> DataOptions:
    """A table of columns that declare other types than they hold, where `metadata` says so."""
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata(metadata.arrow_schema.metadata)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as file:
            file.write_table(table)
    label = "kind" if "kind" in columns else None
    return DataOptions(str(path), label_column=label, image_column="image" if "image" in columns else None)


TILES = pa.array([[[0, 1], [1, 0]]] * 6, pa.list_(pa.list_(pa.int64())))
TWO = Features({"tiles": datasets.List(datasets.List(Value("int64"))), "kind": ClassLabel(names=["cat", "dog"])})
PLAIN = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
UNKNOWN = pa.DictionaryArray.from_arrays(pa.array([0, 9, 0, 0, 0, 0], pa.int8()), ["#-\n-#"], safe=False)
BAD_TEXT = pa.Array.from_buffers(
    pa.string(), 6, [None, pa.py_buffer(np.arange(0, 49, 7, dtype=np.int32)), pa.py_buffer(b"#-#\n\xff-#" * 6)]
)
FAR = pa.Array.from_buffers(
    pa.binary(), 6, [None, pa.py_buffer(np.array([0, 1, 2**30, 3, 4, 5, 6], np.int32)), pa.py_buffer(b"abcdef")]
)
BACK = pa.Array.from_buffers(
    pa.binary(), 6, [None, pa.py_buffer(np.array([0, 6, 2, 3, 4, 5, 6], np.int32)), pa.py_buffer(b"abcdef")]
)
HOSTILE: dict[str, tuple[dict[str, pa.Array], Features | None, str]] = {
    "label beyond the names": ({"tiles": TILES, "kind": pa.array([0, 1, 2, 0, 1, 0])}, TWO, "row 2: its label is '2'"),
    "label below": ({"tiles": TILES, "kind": pa.array([0, 1, -2, 0, 1, 0])}, TWO, "row 2: its label is '-2'"),
    "label beyond 64 bits": (
        {"tiles": TILES, "kind": pa.array([2**64 - 1] * 6, pa.uint64())},
        None,
        "row 0: its label is '18446744073709551615'",
    ),
    "no list of rows": ({"tiles": pa.array([[], [[1]]] * 3, TILES.type)}, None, "row 0: "),
    "null in a row": ({"tiles": pa.array([[[1, None]]] * 6, TILES.type)}, None, "row 0: it holds object"),
    "null instead of rows": ({"tiles": pa.array([[None, [1]]] * 6, TILES.type)}, None, "row 0: its rows are of unlike"),
    "neither bytes nor path": (
        {"image": pa.array([{"bytes": None, "path": None}] * 6, PLAIN)},
        Features({"image": datasets.Image()}),
        "no image of the 6 of .* can be decoded: row 0: ",
    ),
    "path with a zero": (
        {"image": pa.array([{"bytes": None, "path": "a\0b"}] * 6, PLAIN)},
        Features({"image": datasets.Image()}),
        "row 0: a row names",
    ),
    "path too long": (
        {"image": pa.array([{"bytes": None, "path": "a" * 5000}] * 6, PLAIN)},
        Features({"image": datasets.Image()}),
        "no image of the 6 of .* can be decoded: row 0: ",
    ),
    "index beyond the dictionary": ({"map": UNKNOWN}, None, "cannot be read: .*[Ii]ndices"),
    "text that is not UTF-8": ({"map": BAD_TEXT}, None, "cannot be read: .*UTF"),
    "offset beyond the values": ({"image": FAR}, None, "cannot be read: "),
    "offset that goes back": ({"image": BACK}, None, "cannot be read: "),
    "column with a line break": ({"a\nb": pa.array([1] * 6)}, None, r"no columns hold .*'a\\nb' \(int64\)"),
}


NOT_IN_PARQUET = {"index beyond the dictionary", "offset beyond the values", "offset that goes back"}


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_is_a_line(name: str, suffix: str, tmp_path: Path) -> None:
    columns, features, message = HOSTILE[name]
    if suffix == "parquet" and name in (
        "index beyond the dictionary",
        "offset beyond the values",
        "offset that goes back",
    ):
        pytest.skip("no parquet file can say so")
    path = tmp_path / f"table.{suffix}"
    options = rows(path, features, **columns)

    def run(_: Callable[[int], None]) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            load(options)
        assert "\n" not in str(caught.value)
        assert "table" in str(caught.value)

    in_a_child(run)


OTHERS: dict[str, tuple[dict[str, pa.Array], dict[str, pa.Array], str]] = {
    "grids": ({"tiles": TILES}, {"tiles": pa.array(["ab\ncd"] * 6)}, "row 6: it holds <U5; whole numbers are expected"),
    "texts": (
        {"tiles": pa.array(["ab\nba"] * 6)},
        {"tiles": pa.array([1] * 6)},
        "row 6: it holds int; expected a text",
    ),
    "lines": (
        {"tiles": pa.array([["ab"]] * 6)},
        {"tiles": pa.array([[1]] * 6)},
        "row 6: it holds list; expected a text",
    ),
    "pictures": (
        {"image": pa.array([b"BM"] * 6)},
        {"image": pa.array([1] * 6)},
        "row 6: it holds int; expected the bytes",
    ),
    "labels": (
        {"tiles": TILES, "kind": pa.array([1] * 6)},
        {"tiles": TILES, "kind": pa.array(["a"] * 6)},
        "row 6: its label is 'a'",
    ),
}


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("name", OTHERS)
def test_a_second_file_of_other_types_is_a_line(name: str, suffix: str, tmp_path: Path) -> None:
    first, second, message = OTHERS[name]
    options = rows(tmp_path / f"a.{suffix}", **first)
    rows(tmp_path / f"b.{suffix}", **second)
    with pytest.raises(ValueError, match=message) as caught:
        load(replace(options, data=str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_no_label_is_one_of_its_own(tmp_path: Path) -> None:
    labels = load(
        rows(tmp_path / "a.parquet", TWO, tiles=TILES, kind=pa.array([0, 1, None, -1, 1, 0]))
    ).train.store.labels
    assert labels is not None
    assert labels.tolist() == [0, 1, -1, -1, 1, 0]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_of_several_files_the_damaged_one_is_named(kind: str, split: str, tmp_path: Path) -> None:
    name = {"parquet": "parquet of grids", "arrow": "arrow file of grids", "jsonl": "jsonl of lists"}[kind]
    path = written(tmp_path, name)
    content = path.read_bytes()
    for file in ("train-1", "test-0", "test-1"):
        path.with_stem(file).write_bytes(content)
    path.rename(path.with_stem("train-0"))
    load(str(path.parent))
    path.with_stem(f"{split}-1").write_bytes(content[: len(content) // 2] + b"\0" * 9)
    with pytest.raises(ValueError, match=rf"{split}-1\.{kind} cannot be read"):
        load(str(path.parent))


@FEW_OR_MANY
def test_a_damaged_file_of_what_was_downloaded_is_refused_or_harmless(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures().to_parquet(tmp_path / "rows.parquet")
    builder = datasets.load_dataset_builder(
        "parquet", data_files={"train": str(tmp_path / "rows.parquet")}, cache_dir=str(tmp_path / "cache")
    )
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda name: builder)  # in place of the hub's
    loads = itertools.count()

    def read() -> Dataset:
        builder.hash = str(next(loads))  # another commit, which is not decoded yet
        return load(DataOptions("someone/parquet-train"))

    assert believable(read())
    (path,) = (tmp_path / "cache").rglob("parquet-train.arrow")
    in_a_child(lambda begins: attack(path, 20 * times, read, believable, begins=begins))


def test_a_shard_without_rows_is_read(tmp_path: Path) -> None:
    table = pa.table({"grid": GRIDS[:3] * 4, "kind": pa.array(["a", "b", "c"] * 4)})
    pq.write_table(table, tmp_path / "train-0.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "train-1.parquet")
    assert sum(map(len, load(DataOptions(str(tmp_path), image_column="grid")).splits.values())) == 12
