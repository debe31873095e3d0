"""A damaged decode cache: the images are decoded anew, with a line; what it holds is never believed."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from mutations import FEW_OR_MANY, attack
from PIL import Image

from pixelseq.data import DataOptions, Dataset, Images, load
from pixelseq.data import cached as files

FILES = [
    files.FACTS,
    files.DIGEST,
    *(f"train/{name}" for name in (files.PIXELS, files.SIZES, files.LABELS, files.NAMES)),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded sources, empty."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "cache" / "pixelseq"


def pictures(folder: Path, first: int = 0) -> DataOptions:
    """Pictures of three splits and two classes, each of one shade."""
    for k, split in enumerate(("train", "validation", "test")):
        for n, kind in enumerate(("cat", "dog")):
            path = folder / split / kind / "0.png"
            path.parent.mkdir(parents=True)
            Image.new("L", (3, 2), first + 10 * k + n).save(path)
    return DataOptions(str(folder))


def seen(data: object) -> list[object]:
    """All that the cache keeps."""
    assert isinstance(data, Dataset)
    found: list[object] = [data.class_names, data.notes, data.pixel_format]
    for images in data.splits.values():
        assert images.labels is not None
        found += [images.read_names(), images.labels.tolist(), *(image.tolist() for image in images)]
    return found


def only(cache: Path) -> Path:
    """The one folder in the cache."""
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    return folder


@FEW_OR_MANY
@pytest.mark.parametrize("name", FILES)
def test_no_damage_is_believed(
    name: str, times: int, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = pictures(tmp_path / "data")
    expected = seen(load(options))
    assert seen(load(options)) == expected
    assert not caplog.records
    count = 8 * times
    refused, _ = attack(only(cache) / name, count, lambda: load(options), lambda data: seen(data) == expected)
    assert refused == 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * count
    assert all("is damaged" in record.getMessage() for record in caplog.records)
    caplog.clear()
    assert seen(load(options)) == expected
    assert not caplog.records


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "missing", "a folder", "another split's", "another source's"])
def test_a_file_that_is_not_its_own_is_decoded_anew(
    name: str, damage: str, tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(pictures(tmp_path / "other", first=100))
    other = only(cache).rename(tmp_path / "elsewhere")
    options = pictures(tmp_path / "data")
    expected = seen(load(options))
    path = only(cache) / name
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "missing":
            path.unlink()
        case "a folder":
            path.unlink()
            path.mkdir()
        case "another split's":
            source = path.parent.parent / "test" / path.name
            if not source.exists() or source.read_bytes() == path.read_bytes():
                pytest.skip("it has no such file, or one alike")
            shutil.copy(source, path)
        case "another source's":
            if (other / name).read_bytes() == path.read_bytes():
                pytest.skip("theirs is alike")
            shutil.copy(other / name, path)
    assert seen(load(options)) == expected
    assert "is damaged" in caplog.text


def test_a_folder_of_another_source_and_a_file_in_place_of_one_are_not_believed(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(pictures(tmp_path / "other", first=100))
    other = only(cache).rename(tmp_path / "elsewhere")
    options = pictures(tmp_path / "data")
    expected = seen(load(options))
    folder = only(cache)
    for replace in (lambda: shutil.copytree(other, folder), folder.touch):
        shutil.rmtree(folder)
        replace()
        caplog.clear()
        assert seen(load(options)) == expected
        assert "is damaged" in caplog.text


def test_of_large_files_the_length_and_pieces_are_looked_at(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "READ_AT_ONCE", 20)  # memory-mapped beyond
    monkeypatch.setattr(files, "PIECES", 3)
    monkeypatch.setattr(files, "PIECE", 8)
    array = np.arange(100, dtype=np.uint8).reshape(10, 2, 5)
    np.save(tmp_path / "train.npy", array)
    options = DataOptions(str(tmp_path / "train.npy"), channels=1)

    def images() -> list[object]:
        data = load(options)
        assert isinstance(data.train, Images)
        return sorted(image.tolist() for images in data.splits.values() for image in images)

    expected = images()
    path = only(cache) / "train" / files.PIXELS
    content = path.read_bytes()
    assert content == array.tobytes()
    for damaged in (content[:-1], content + b"\0", b"\xff" + content[1:], content[:50] + b"\xff" + content[51:]):
        path.write_bytes(damaged)
        caplog.clear()
        assert images() == expected
        assert "pixels.u8 is not what was written" in caplog.text
        assert path.read_bytes() == content


def test_what_datasets_cannot_write_is_a_line(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"tiles": [[1, 2], [3, 4]]}\n' * 9)
    cache.parent.touch()  # a file where the folder should be
    with pytest.raises(ValueError, match=r"the cache .* cannot be used: .*; name another place by HF_DATASETS_CACHE$"):
        load(DataOptions(str(tmp_path / "rows.jsonl")))


def test_a_cache_that_cannot_be_written_or_read_is_a_line(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = pictures(tmp_path / "data")
    cache.parent.touch()  # a file where the folder should be
    with pytest.raises(
        ValueError, match=r"the cache .*pixelseq cannot be written: .*; name another .* HF_DATASETS_CACHE"
    ):
        load(options)
    cache.parent.unlink()
    expected = seen(load(options))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as read_only:  # what is there already is used
        read_only.setattr(Path, "mkdir", refused)
        assert seen(load(options)) == expected
    with monkeypatch.context() as unreadable:
        unreadable.setattr(Path, "read_bytes", refused)
        with pytest.raises(ValueError, match=r"the cache .* cannot be read: Permission denied; name another"):
            load(options)
    assert seen(load(options)) == expected


LOAD = "import sys; from pixelseq.data import load; print([image.tolist() for image in load(sys.argv[1]).train])"


@pytest.mark.slow
def test_processes_that_find_the_same_damage_at_once_all_decode_it_anew(tmp_path: Path, cache: Path) -> None:
    options = pictures(tmp_path / "data")
    expected = str([image.tolist() for image in load(options).train])
    (only(cache) / "train" / files.PIXELS).write_bytes(b"")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD, options.data],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"HF_DATASETS_CACHE": str(cache.parent)},
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == [expected] * 3
    assert str([image.tolist() for image in load(options).train]) == expected
