"""Files of arrays: .npy, .npz, idx and .amat, alone and in folders; the rule of axes and of shades in every source."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from array_bytes import amat, grids, idx, npy
from datasets import Array3D, Features
from numpy.typing import NDArray

from pixelseq.data import DataOptions, Dataset, Images, load
from pixelseq.imaging.levels import quantise


def images_of(data: Dataset) -> list[Any]:
    """All images, in an order of their own, as nested lists [C, H, W]."""
    assert isinstance(data.train, Images)
    return sorted(image.tolist() for split in (data.train, data.validation, data.test) for image in split)


def as_lists(images: NDArray) -> list[Any]:
    return sorted(image.tolist() for image in images)


def loaded(path: Path, **options: Any) -> Dataset:
    return load(DataOptions(str(path), **options))


@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", ">i4", "bool"])
@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, kind: str, gzipped: bool, order: Any) -> None:
    images = grids(12, 4, 5, top=2).astype(kind)
    content = npy(np.asarray(images, order=order))
    path = tmp_path / ("a.npy.gz" if gzipped else "a.npy")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    data = loaded(path)
    assert (data.pixel_format.channels, data.pixel_format.levels) == (1, 2)
    assert images_of(data) == as_lists(images[:, None].astype(int))


@pytest.mark.parametrize("last", [True, False])
def test_colours_last_or_first(tmp_path: Path, last: bool) -> None:
    images = grids(12, 3, 5, 6)
    np.save(tmp_path / "a.npy", images.transpose(0, 2, 3, 1) if last else images)
    data = loaded(tmp_path / "a.npy")
    assert (data.pixel_format.channels, data.pixel_format.levels) == (3, 5)
    assert images_of(data) == as_lists(images)


def test_axes_that_leave_two_readings_are_refused_until_channels_are_said(tmp_path: Path) -> None:
    picture, images = grids(48, 64, 3), grids(30, 3, 20, 4)
    np.save(tmp_path / "picture.npy", picture)
    np.save(tmp_path / "first.npy", images)
    for name in ("picture", "first"):
        with pytest.raises(
            ValueError, match=rf"{name}.npy: its shape is \[.*\], which can be .* say which with `channels`"
        ):
            loaded(tmp_path / f"{name}.npy")
    one = loaded(tmp_path / "picture.npy", channels=3, crop="8x8")  # columns 0 to 47 train, 48 to 55 validate
    assert one.validation[0].tolist() == picture[:8, 48:56].transpose(2, 0, 1).tolist()
    assert images_of(loaded(tmp_path / "picture.npy", channels=1)) == as_lists(picture[:, None])
    assert images_of(loaded(tmp_path / "first.npy", channels=3)) == as_lists(images)
    assert images_of(loaded(tmp_path / "first.npy", channels=4)) == as_lists(images.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match="with 1, as `channels` says, for C"):
        loaded(tmp_path / "first.npy", channels=1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_has_splits_and_labels(tmp_path: Path, save: Callable[..., None]) -> None:
    images = grids(12, 4, 5)
    save(tmp_path / "a.npz", x_train=images[:8], y_train=np.arange(8), x_test=images[8:], y_test=np.zeros((4, 1), int))
    data = loaded(tmp_path / "a.npz")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [7, 1, 4]
    assert isinstance(data.train, Images)
    assert data.train.labels is not None
    for image, label in zip(data.train, data.train.labels.tolist(), strict=True):
        assert image[0].tolist() == images[label].tolist()
    assert as_lists(images[8:, None]) == sorted(image.tolist() for image in data.test)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_idx_of_any_name_with_the_labels_beside_it(tmp_path: Path, kind: str, gzipped: bool) -> None:
    images, labels = grids(9, 4, 5).astype(kind), np.arange(9, dtype=np.uint8)
    pack = gzip.compress if gzipped else bytes
    end = ".gz" if gzipped else ""
    (tmp_path / f"train-images-idx3-ubyte{end}").write_bytes(pack(idx(images)))
    (tmp_path / f"alone.bin{end}").write_bytes(pack(idx(images)))
    (tmp_path / f"train-labels-idx1-ubyte{end}").write_bytes(pack(idx(labels)))
    data = loaded(tmp_path / f"train-images-idx3-ubyte{end}")
    assert images_of(data) == as_lists(images[:, None])
    for split in (data.train, data.validation, data.test):
        assert isinstance(split, Images)
        assert split.labels is not None
        assert [image[0].tolist() for image in split] == [images[label].tolist() for label in split.labels.tolist()]
    alone = loaded(tmp_path / f"alone.bin{end}")
    assert images_of(alone) == as_lists(images[:, None])
    assert alone.test.labels is None


def test_mnists_four_files_are_a_data_set(tmp_path: Path) -> None:
    images = grids(14, 28, 28, top=256)
    for split, part in (("train", slice(10)), ("test", slice(10, 14))):
        labels = np.arange(14, dtype=np.uint8)[part]
        for kind, array in (("images-idx3", images[part]), ("labels-idx1", labels)):
            (tmp_path / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images[:10]))  # beside its .gz, as torchvision leaves it
    data = loaded(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [9, 1, 4]
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [10, 11, 12, 13]
    assert [image[0].tolist() for image in data.test] == images[10:].tolist()
    copies, _ = data.notes
    assert copies.startswith("gzipped files that are there unpacked, too, are left out: 1, such as ")
    assert copies.endswith("train-images-idx3-ubyte.gz")


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("number", ["%d", "%.18e"])
def test_amat_is_square_by_default(tmp_path: Path, gzipped: bool, number: str) -> None:
    images = grids(9, 1, 6, 6, top=2)
    path = tmp_path / ("a.amat.gz" if gzipped else "a.amat")
    content = amat(images.reshape(9, 36), number) + b"\n"
    path.write_bytes(gzip.compress(content) if gzipped else content)
    data = loaded(path)
    assert images_of(data) == as_lists(images)
    assert data.test.labels is None
    assert data.notes[0] == f"{path.name} has rows of 36 values, taken as 6x6; choose others with `shape`"
    other = loaded(path, shape="4x9")
    assert images_of(other) == as_lists(images.reshape(9, 1, 4, 9))
    assert len(other.notes) == 1


def test_amat_has_labels_where_there_is_one_value_more(tmp_path: Path) -> None:
    images = grids(9, 1, 6, 6, top=2)
    (tmp_path / "a.amat").write_bytes(amat(np.hstack([images.reshape(9, 36), np.arange(9)[:, None]])))
    data = loaded(tmp_path / "a.amat")
    assert images_of(data) == as_lists(images)
    assert data.test.labels is not None
    assert [image.tolist() for image in data.test] == images[data.test.labels.numpy()].tolist()
    assert data.notes[1] == "the last of the 37 values of a row of a.amat is taken as its label"


def test_a_folder_of_amat_has_splits(tmp_path: Path) -> None:
    rows = grids(12, 36, top=2)
    for split, part in (("train", rows[:6]), ("valid", rows[6:9]), ("test", rows[9:])):
        (tmp_path / f"binarized_mnist_{split}.amat").write_bytes(amat(part))
    data = loaded(tmp_path, shape="6x6")
    assert data.notes == ()
    assert [image.flatten().tolist() for image in data.test] == rows[9:].tolist()
    assert [len(part) for part in (data.train, data.validation)] == [6, 3]


@pytest.mark.parametrize("shape", ["4x9", "3x3x4", "2x6x3", "3x2x6"])
def test_rows_are_images_of_the_shape_that_is_given(tmp_path: Path, shape: str) -> None:
    rows = grids(9, 36)
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "a.npz", train=rows, labels=np.arange(9))
    images = {
        "4x9": rows.reshape(9, 1, 4, 9),
        "3x3x4": rows.reshape(9, 3, 3, 4),
        "2x6x3": rows.reshape(9, 2, 6, 3).transpose(0, 3, 1, 2),
        "3x2x6": rows.reshape(9, 3, 2, 6),
    }[shape]
    ambiguous = shape == "3x3x4"  # 3 channels of 3x4, or 4 of 3x3
    for name in ("a.npy", "a.npz"):
        if ambiguous:
            with pytest.raises(ValueError, match="which can be 1 image of 3x3 in 4 channels or 1 image of 3x4 in 3"):
                loaded(tmp_path / name, shape=shape)
        data = loaded(tmp_path / name, shape=shape, channels=3 if ambiguous else None)
        assert images_of(data) == as_lists(images)
        assert (data.test.labels is not None) == (name == "a.npz")


def test_rows_without_a_shape_are_rows_of_one_image(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", grids(200, 36))
    data = loaded(tmp_path / "a.npy", crop="8x8")
    assert data.notes[0] == f"{tmp_path}/a.npy is taken as one image of 200x36; `shape` takes each row as an image"
    np.savez(tmp_path / "a.npz", train=grids(9, 36), labels=np.arange(9))
    with pytest.raises(ValueError, match="its images are rows of 36 values; say their `shape`"):
        loaded(tmp_path / "a.npz")


def test_an_array_beside_others_or_with_labels_is_no_single_image(tmp_path: Path) -> None:
    np.savez(tmp_path / "splits.npz", train=grids(9, 5, 3), test=grids(4, 5, 3))
    assert [image[0].tolist() for image in loaded(tmp_path / "splits.npz").test] == grids(4, 5, 3).tolist()
    np.savez(tmp_path / "labels.npz", images=grids(9, 5, 3), labels=np.arange(9))
    assert images_of(loaded(tmp_path / "labels.npz")) == as_lists(grids(9, 1, 5, 3))
    np.savez(tmp_path / "shares.npz", images=grids(9, 5, 3), labels=np.ones(9))
    with pytest.raises(ValueError, match=r"shares.npz, labels holds labels of float64; whole numbers"):
        loaded(tmp_path / "shares.npz")
    np.savez(tmp_path / "unlike.npz", train=grids(9, 5, 3), test=grids(4, 5, 3), labels=np.arange(9))
    with pytest.raises(ValueError, match=r"unlike.npz has labels for all and no such images; name them alike"):
        loaded(tmp_path / "unlike.npz")
    np.savez(tmp_path / "fewer.npz", images=grids(9, 5, 3), labels=np.arange(8))
    with pytest.raises(ValueError, match="has 8 labels for 9 all images; expected one each"):
        loaded(tmp_path / "fewer.npz")


def test_a_folder_of_npy_is_read_as_one_of_pictures(tmp_path: Path) -> None:
    images = grids(12, 3, 5, 6)
    for k, image in enumerate(images):
        split, kind = ("train", "cat" if k % 2 else "dog") if k < 8 else ("test", "dog")
        path = tmp_path / split / kind / f"{k}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, image if k % 3 else image.transpose(1, 2, 0))
    data = loaded(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [1] * 4
    assert sorted(image.tolist() for image in data.test) == as_lists(images[8:])
    assert images_of(data) == as_lists(images)


def test_bad_npy_in_a_folder_are_left_out_like_bad_pictures(tmp_path: Path) -> None:
    for k, image in enumerate(grids(6, 5, 6)):
        np.save(tmp_path / f"{k}.npy", image)
    np.save(tmp_path / "many.npy", grids(9, 5, 6))
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match=r"2 of 8 .*broken.npy holds no arrays.*many.npy, one image as each"):
        loaded(tmp_path)
    data = loaded(tmp_path, skip_bad=True)
    assert images_of(data) == as_lists(grids(6, 1, 5, 6))
    assert data.notes[0].startswith("left out 2 bad images: ")


def of_table(folder: Path, images: NDArray) -> Path:
    features = Features({"tiles": Array3D(images.shape[1:], "uint8")})
    datasets.Dataset.from_dict({"tiles": images.tolist()}, features=features).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def of_lists(folder: Path, images: NDArray) -> Path:
    datasets.Dataset.from_dict({"tiles": images.tolist()}).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def of_json(folder: Path, images: NDArray) -> Path:
    (folder / "a.jsonl").write_text("\n".join(json.dumps({"tiles": image.tolist()}) for image in images))
    return folder / "a.jsonl"


def of_npy(folder: Path, images: NDArray) -> Path:
    np.save(folder / "a.npy", images)
    return folder / "a.npy"


SOURCES = pytest.mark.parametrize("source", [of_npy, of_table, of_lists, of_json])


@SOURCES
@pytest.mark.parametrize("last", [True, False])
def test_axes_follow_one_rule_in_every_source(source: Callable[..., Path], tmp_path: Path, last: bool) -> None:
    images = grids(9, 3, 5, 6)
    data = loaded(source(tmp_path, images.transpose(0, 2, 3, 1) if last else images))
    assert data.pixel_format.channels == 3
    assert images_of(data) == as_lists(images)


@SOURCES
def test_axes_with_two_readings_are_refused_in_every_source(source: Callable[..., Path], tmp_path: Path) -> None:
    images = grids(9, 3, 5, 4)
    path = source(tmp_path, images)
    with pytest.raises(ValueError, match=r"in 4 channels or .* in 3 channels: say which with `channels`"):
        loaded(path)
    assert images_of(loaded(path, channels=3)) == as_lists(images)
    assert images_of(loaded(path, channels=4)) == as_lists(images.transpose(0, 3, 1, 2))


def eight_bit_table(folder: Path, images: NDArray) -> Path:
    return of_table(folder, images[..., None])


@pytest.mark.parametrize("source", [of_npy, eight_bit_table])
def test_8_bit_integers_beyond_the_levels_are_shades(source: Callable[..., Path], tmp_path: Path) -> None:
    images = grids(9, 5, 6, top=256)
    path = source(tmp_path, images)
    assert loaded(path).pixel_format.levels == 256
    data = loaded(path, levels=16)
    assert images_of(data) == as_lists(quantise(images[:, None], 16))
    assert data.notes[-2] == (f"8-bit integers up to {images.max()} are shades 0 to 255, each the nearest of 16 levels")


@pytest.mark.parametrize(
    ("top", "kind", "options"),
    [
        (256, "int64", {"levels": 16}),
        (256, "uint8", {"levels": 16, "pixels": "categorical"}),
        (100, "uint8", {"levels": 16}),  # more likely tiles
    ],
)
def test_other_integers_beyond_the_levels_are_refused(tmp_path: Path, top: int, kind: str, options: Any) -> None:
    path = of_npy(tmp_path, grids(9, 5, 6, top=top).astype(kind))
    with pytest.raises(ValueError, match="`levels` 16 allows 0 to 15"):
        loaded(path, **options)


def test_integers_of_json_have_no_8_bits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`levels` 16 allows 0 to 15"):
        loaded(of_json(tmp_path, grids(9, 5, 6, top=256)), levels=16)


def test_integers_within_the_levels_are_levels(tmp_path: Path) -> None:
    images = grids(9, 5, 6, top=150)
    images[0, 0, 0] = 149
    data = loaded(of_npy(tmp_path, images), levels=150)
    assert images_of(data) == as_lists(images[:, None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "28"}, "`shape` is '28'; expected HxW, HxWxC or CxHxW"),
        ({"shape": "4x0"}, "`shape` is '4x0'"),
        ({"shape": "4x8"}, r"a.npy: its shape is \[9, 36\]; `shape` 4x8 is for rows of 32 values"),
    ],
)
def test_a_shape_that_does_not_suit(tmp_path: Path, options: dict[str, str], message: str) -> None:
    np.save(tmp_path / "a.npy", grids(9, 36))
    with pytest.raises(ValueError, match=message):
        load(DataOptions(str(tmp_path / "a.npy"), **options))  # type: ignore[arg-type]


def test_a_shape_is_for_arrays_alone(tmp_path: Path) -> None:
    for source in (of_json(tmp_path, grids(9, 5, 6)), "digits", "photos"):
        with pytest.raises(ValueError, match=r"`shape` is 5x6, but .* holds no arrays of flattened images"):
            load(DataOptions(str(source), shape="5x6"))
    np.save(tmp_path / "a.npy", grids(9, 5, 6))
    with pytest.raises(ValueError, match="`shape` 5x6 is for rows of 30 values"):
        loaded(tmp_path / "a.npy", shape="5x6")
    with pytest.raises(ValueError, match="arrays are not read with `streaming`"):
        DataOptions("a.parquet", shape="5x6", streaming=True)


def test_a_folder_of_several_kinds_or_several_sets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters-images").write_bytes(idx(grids(9, 5, 6)))
    (tmp_path / "digits-images").write_bytes(idx(grids(9, 5, 6)))
    with pytest.raises(ValueError, match="several arrays for all: digits-images, letters-images; name each for its"):
        loaded(tmp_path)
    np.save(tmp_path / "a.npy", grids(5, 6))
    with pytest.raises(ValueError, match=r"holds both \.npy and idx files; name those of one kind"):
        loaded(tmp_path)
    (tmp_path / "more").mkdir()
    np.savez(tmp_path / "more/a.npz", grids(9, 5, 6))
    with pytest.raises(ValueError, match=r"holds .npz files; give the path of one, such as .*a.npz"):
        loaded(tmp_path / "more")


def test_many_small_images_that_are_not_packed_are_read(tmp_path: Path) -> None:
    images = np.zeros((1000, 1, 2), np.uint8)
    np.save(tmp_path / "train.npy", images)
    data = load(DataOptions(str(tmp_path / "train.npy"), max_pixels=2000))
    assert sum(map(len, data.splits.values())) == 1000
    np.savez_compressed(tmp_path / "packed.npz", train=images)
    with pytest.raises(ValueError, match="unpack to 1000 images or lines"):
        load(DataOptions(str(tmp_path / "packed.npz"), max_pixels=3000))
