"""A stream is shared by processes without loss or duplication."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import datasets
import pytest
import torch
from datasets import Array2D, Features, Image
from PIL import Image as Pillow

from pixelseq.data import DataOptions, Stream, load, training_batches


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """datasets sleeps for 5 s at the end of each shuffled epoch."""
    monkeypatch.setattr("datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)


def shards(folder: Path) -> Path:
    """Two files of 12 training images each and one of 5 test images, each image of one shade."""
    for name, shades in (("train-0", range(12)), ("train-1", range(12, 24)), ("test-0", range(100, 105))):
        pictures = [Pillow.new("L", (3, 2), shade) for shade in shades]
        table = datasets.Dataset.from_dict({"image": pictures}, features=Features({"image": Image()}))
        table.to_parquet(folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize("world", [1, 2, 3])
def test_an_epoch_has_every_image_once_over_all_processes(tmp_path: Path, world: int) -> None:
    shards(tmp_path)
    (tmp_path / "validation.parquet").write_bytes((tmp_path / "test-0.parquet").read_bytes())
    data = load(DataOptions(str(tmp_path), streaming=True))
    assert isinstance(data.train, Stream)
    assert data.notes == ()
    seen: list[list[int]] = [[], []]
    for rank in range(world):
        batches = training_batches(data.train, 6, seed=0, rank=rank, world=world)
        for _ in range(2 * 24 // 6):  # two epochs
            batch = next(batches)
            assert len(batch) == 6 // world
            assert batch.epochs is not None
            for image, use in zip(batch, batch.epochs.tolist(), strict=True):
                assert image.shape == (1, 2, 3)
                seen[use].append(int(image[0, 0, 0]))
    assert [sorted(epoch) for epoch in seen] == [list(range(24))] * 2
    assert seen[0] != seen[1]
    assert sorted(int(image[0, 0, 0]) for image in data.test) == list(range(100, 105))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_held_out_images_are_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int) -> None:
    monkeypatch.setattr("pixelseq.data.streaming.HELD_OUT", 3)
    shards(tmp_path)
    data = load(DataOptions(str(tmp_path), streaming=True))
    assert data.notes == ("no validation images: 3 of the first training images are held out",)
    assert len(data.test) == 5
    held = {int(image[0, 0, 0]) for image in data.validation}
    shares = [training_batches(data.train, 3 * world, seed=0, rank=rank, world=world) for rank in range(world)]
    seen = [[int(image[0, 0, 0]) for image in next(share)] for _ in range(28 // world) for share in shares]
    trained = Counter(shade for batch in seen for shade in batch)
    assert len(held) == 3
    assert trained.keys() == set(range(24)) - held
    if world == 1:  # 84 images are 4 epochs of 21
        assert set(trained.values()) == {4}


def test_grids_need_their_levels_and_other_sources_do_not_stream(tmp_path: Path) -> None:
    features = Features({"tiles": Array2D((None, 2), "uint8")})
    rows = [[[k % 3, 0]] * (1 + k % 2) for k in range(9)]
    table = datasets.Dataset.from_dict({"tiles": rows}, features=features)
    for split in ("train", "validation", "test"):
        table.to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(ValueError, match="say how many levels they have with `levels`"):
        load(DataOptions(str(tmp_path), streaming=True))
    data = load(DataOptions(str(tmp_path), streaming=True, levels=4))
    assert data.pixel_format.levels == 4
    batch = next(training_batches(data.train, 9, seed=0))
    assert sorted(int(image[0, 0, 0]) for image in batch) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="values up to 2; `levels` 2 allows 0 to 1"):
        load(DataOptions(str(tmp_path), streaming=True, levels=2))
    with pytest.raises(ValueError, match=r"`streaming` reads parquet, arrow and JSON .*; bundled:digits is none"):
        load(DataOptions("digits", streaming=True))
    with pytest.raises(ValueError, match="no batches of `batch_pixels`"):
        next(training_batches(data.train, 9, seed=0, batch_pixels=8))


def test_held_out_splits_are_decoded_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelseq.data.streaming.HELD_OUT", 2)
    shards(tmp_path)
    (tmp_path / "val.parquet").write_bytes((tmp_path / "test-0.parquet").read_bytes())
    options = DataOptions(str(tmp_path), streaming=True, channels=3, crop="1x2")
    data = load(options)
    assert data.test[0].shape == (3, 1, 2)
    with monkeypatch.context() as no_decoding:
        no_decoding.setattr("pixelseq.data.cache._decode", lambda *_: pytest.fail("decoded again"))
        again = load(options)
    for part in (data.validation, data.test, again.test):
        assert sorted(int(image[0, 0, 0]) for image in part) == list(range(100, 105))
    rows = [{"bytes": b"text" if k == 5 else _png(k), "path": None} for k in range(8)]
    table = datasets.Dataset.from_dict({"image": rows}, features=Features({"image": Image(decode=False)}))
    table.cast_column("image", Image()).to_parquet(tmp_path / "test-0.parquet")
    with pytest.raises(ValueError, match=r"1 images of .* are bad; leave them out with `skip_bad`: test row 5"):
        load(options)


def test_draws_of_a_stream_are_those_of_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelseq.data.streaming.HELD_OUT", 3)
    shards(tmp_path)
    data = load(DataOptions(str(tmp_path), streaming=True, split="train", binarize="stochastic"))
    one, same, other = (next(training_batches(data.train, 8, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.stack(list(one)), torch.stack(list(same)))
    assert one.store.pixels.tolist() != other.store.pixels.tolist()


def test_damaged_pictures_end_a_stream_or_are_left_out(tmp_path: Path) -> None:
    rows = [{"bytes": b"text" if k == 5 else _png(k), "path": None} for k in range(8)]
    table = datasets.Dataset.from_dict({"image": rows}, features=Features({"image": Image(decode=False)}))
    table.cast_column("image", Image()).to_parquet(tmp_path / "train.parquet")
    for split in ("validation", "test"):
        table.select([0]).to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(ValueError, match=r"no picture that can be read.*`skip_bad`"):
        next(training_batches(load(DataOptions(str(tmp_path), streaming=True)).train, 8, seed=0))
    data = load(DataOptions(str(tmp_path), streaming=True, skip_bad=True))
    batch = next(training_batches(data.train, 7, seed=0))
    assert sorted(int(image[0, 0, 0]) for image in batch) == [0, 1, 2, 3, 4, 6, 7]


def _png(shade: int) -> bytes:
    import io

    file = io.BytesIO()
    Pillow.new("L", (2, 2), shade).save(file, "PNG")
    return file.getvalue()
