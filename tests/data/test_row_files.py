"""Which files the rows of a table may name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pixelseq.data import DataOptions, load
from pixelseq.data.row_files import RowFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures for a table, beside one that is nobody's business."""
    for name in ("data/in", "outside"):
        (tmp_path / name).mkdir(parents=True)
    for k in range(10):
        Image.new("L", (2, 2), k).save(tmp_path / f"data/in/{k}.png")
    Image.new("L", (2, 2), 99).save(tmp_path / "outside/secret.png")
    (tmp_path / "data/link.png").symlink_to(tmp_path / "outside/secret.png")
    return tmp_path / "data"


def write_table(path: Path, names: list[str]) -> str:
    rows = [{"bytes": None, "path": name} for name in names]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps({"image": row}) for row in rows))
    else:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        pq.write_table(pa.table({"image": pa.array(rows, kind)}), path)
    return str(path)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_files_below_the_folder_are_read_from_wherever_the_process_works(folder: Path, suffix: str) -> None:
    names = [f"in/{k}.png" for k in range(5)] + [str(folder / f"in/{k}.png") for k in range(5, 10)]
    data = load(DataOptions(write_table(folder / f"a{suffix}", names), image_column="image"))
    splits: Any = (data.train, data.validation, data.test)
    assert sorted(int(image[0, 0, 0]) for images in splits for image in images) == list(range(10))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize(
    "name",
    [
        *["../outside/secret.png", "in/../../outside/secret.png", "OUTSIDE/secret.png", "link.png", "/etc/passwd"],
        *["file://OUTSIDE/secret.png", "local://OUTSIDE/secret.png", "http://localhost:1/a.png"],
        *["zip://a.png::file://OUTSIDE/a.zip", "zip://a.png::OUTSIDE/a.zip", "simplecache::OUTSIDE/secret.png"],
        *[
            "reference://a.png",
            "hf://datasets/owner/name/a.png",
            "memory://a.png",
            "github://o:r@/a.png",
        ],
    ],
)
def test_everything_else_is_refused_in_a_line(folder: Path, name: str, suffix: str) -> None:
    named = name.replace("OUTSIDE", str(folder.parent / "outside"))
    table = write_table(folder / f"a{suffix}", [named] * 10)
    with pytest.raises(ValueError, match="a row names ") as caught:
        load(DataOptions(table, image_column="image", skip_bad="secret" in name))
    assert "\n" not in str(caught.value)


def test_a_saved_set_names_no_arrow_files_outside_itself(folder: Path) -> None:
    datasets.Dataset.from_dict({"tiles": [[[k, 1]] for k in range(10)]}).save_to_disk(folder / "saved")
    assert len(load(str(folder / "saved")).train) == 8
    state = json.loads((folder / "saved/state.json").read_text())
    for name in ("../other.arrow", str(folder / "other.arrow"), 3):
        changed = state | {"_data_files": [{"filename": name}]}
        (folder / "saved/state.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"names the file .*; expected files that lie beside it"):
            load(str(folder / "saved"))


def test_sets_of_the_hub_may_name_files_of_the_hub_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RowFiles((tmp_path,), hub=True)
    opened = []

    class File:
        def __enter__(self) -> File:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self) -> bytes:
            return b"content"

    def open_file(name: str, mode: str) -> File:
        opened.append((name, mode))
        return File()

    monkeypatch.setattr(fsspec, "open", open_file)
    assert files.read("hf://datasets/owner/name/a.png") == b"content"
    assert files.read("a.png") == tmp_path / "a.png"
    for name in ("file:///etc/passwd", "zip://a::hf://datasets/owner/name/a.zip", "hf://a::file://b", "../a.png"):
        with pytest.raises(ValueError, match="a row names"):
            files.read(name)
    assert opened == [("hf://datasets/owner/name/a.png", "rb")]
