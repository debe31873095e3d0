"""What has been decoded is used again, until anything that it was made from has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pixelseq.data import DataOptions, Images, load
from pixelseq.runtime.files import LOCK


def save(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 2), shade).save(path)


def shades(source: Path | DataOptions) -> list[int]:
    data = load(str(source) if isinstance(source, Path) else source)
    assert isinstance(data.train, Images)
    return sorted(int(image[0, 0, 0]) for images in (data.train, data.validation, data.test) for image in images)


def parquet(folder: Path, pictures: list[Path]) -> DataOptions:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": str(picture)} for picture in pictures]
    pq.write_table(pa.table({"image": pa.array(rows, kind)}), folder / "a.parquet")
    return DataOptions(str(folder / "a.parquet"), image_column="image")


def jsonl(folder: Path, pictures: list[Path]) -> DataOptions:
    rows = [{"image": {"bytes": None, "path": str(picture)}} for picture in pictures]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return DataOptions(str(folder / "a.jsonl"), image_column="image")


@pytest.mark.parametrize("make", [parquet, jsonl])
def test_pictures_that_a_table_names_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, list[Path]], DataOptions]
) -> None:
    pictures = [tmp_path / f"pictures/{k}.png" for k in range(4)]
    for k, path in enumerate(pictures):
        save(path, k)
    table = make(tmp_path, pictures)
    for first, expected in ((0, [0, 1, 2, 3]), (99, [1, 2, 3, 99])):
        save(pictures[0], first)
        assert shades(table) == expected
        with monkeypatch.context() as no_decoding:
            no_decoding.setattr("pixelseq.data.cache._images", lambda *_: pytest.fail("decoded again"))
            assert shades(table) == expected
    pictures[0].unlink()
    with pytest.raises(ValueError, match=r"1 of 4 images of .* are bad; .*: row 0: "):
        load(table)


def test_another_file_of_the_same_size_and_time_counts(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"data/{k}.png", k)
    assert shades(tmp_path / "data") == [0, 1, 2, 3]
    before = (tmp_path / "data/3.png").stat()
    save(tmp_path / "other.png", 9)
    os.utime(tmp_path / "other.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (tmp_path / "other.png").stat().st_size == before.st_size
    (tmp_path / "other.png").rename(tmp_path / "data/3.png")
    assert shades(tmp_path / "data") == [0, 1, 2, 9]


def test_a_link_that_leads_elsewhere_and_one_of_another_name_count(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"a/{k}.png", k)
        save(tmp_path / f"b/{k}.png", 10 + k)
        save(tmp_path / f"data/cats/{k}.png", 20 + k)
    link = tmp_path / "data/dogs"
    for name, folder, first in (("dogs", "a", 0), ("dogs", "b", 10), ("eels", "b", 10)):
        link.unlink(missing_ok=True)
        link = tmp_path / "data" / name
        link.symlink_to(tmp_path / folder)
        assert shades(tmp_path / "data")[:4] == list(range(first, first + 4))
        assert load(str(tmp_path / "data")).class_names == ("cats", name)


def test_a_legend_counts(tmp_path: Path) -> None:
    (tmp_path / "maps.jsonl").write_text('{"tiles": [[0, 1]]}\n' * 4)
    options = DataOptions(str(tmp_path / "maps.jsonl"))
    legends = [load(options).pixel_format.legend]
    for tiles in (["-", "#"], ["-", "o"]):
        (tmp_path / "legend.json").write_text(json.dumps({"maps": {"tiles": tiles}}))
        legends.append(load(options).pixel_format.legend)
    assert legends == [None, "-#", "-o"]


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        ({"levels": 2, "crop": "1x1", "flip": True}, False),
        ({"pixels": "categorical"}, False),
        ({"channels": 3}, True),
        ({"resize": "1x1"}, True),
        ({"skip_bad": True}, True),
    ],
)
def test_options_that_change_what_is_decoded_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], again: bool
) -> None:
    for k in range(4):
        save(tmp_path / f"{k}.png", k)
    load(str(tmp_path))

    def decode(*_: object) -> None:
        raise ValueError("decoded again")

    monkeypatch.setattr("pixelseq.data.cache._images", decode)
    with pytest.raises(ValueError, match="decoded again") if again else nullcontext():
        load(DataOptions(str(tmp_path), **fields))


def test_leftovers_of_stopped_decodings_go_and_work_in_progress_stays(tmp_path: Path) -> None:
    cache = Path(datasets.config.HF_DATASETS_CACHE) / "pixelseq"
    stopped, young, working = (cache / f".{'0' * 32}.{name}.tmp" for name in ("a" * 8, "b" * 8, "c" * 8))
    for folder in (stopped, young, working):
        (folder / "train").mkdir(parents=True)
        (folder / LOCK).touch()
    code = "import sys; from pathlib import Path; from pixelseq.runtime.files import in_use\n"
    code += "with in_use(Path(sys.argv[1])): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, working], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for folder in (stopped, working):
            os.utime(folder, (0, time.time() - 3600))
        for k in range(4):
            save(tmp_path / f"{k}.png", k)
        shades(tmp_path)
        assert [folder.exists() for folder in (stopped, young, working)] == [False, True, True]
        holder.kill()
    os.utime(young, (0, time.time() - 3600))
    save(tmp_path / "4.png", 4)
    shades(tmp_path)
    assert not young.exists()
    assert not working.exists()
