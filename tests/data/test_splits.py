"""Names that stand for splits, wherever images lie, and what becomes of images that no split has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from pixelseq.data import DataOptions, Images, load, load_as_named
from pixelseq.data.splits import named_splits, split_of

NAMES = {
    "train": (
        "train training Train TRAIN trainset train_set TrainingSet train-images train-images-idx3-ubyte.gz y_train"
        " xTrain trainA images_background train2014 trainval train_val DIV2K_train_HR cifar10-train"
        " train-00000-of-00001.parquet train/test/1.png data/train/latest/1.png"
    ),
    "validation": "valid validation val dev x_val valset val2017 ILSVRC2012_img_val dev.json data/val/train/1.png",
    "test": (
        "test testing Test TEST tests/../test held-out heldout held_out hold-out HeldOut x_held_out eval"
        " images_evaluation test_images images-test imagestest testset testdata X_test x_test xTest MNISTTest"
        " MNISTtest TESTset mnist_test mnist-test.npy t10k t10k-images-idx3-ubyte.gz t10k-labels test1 test_2"
        " test-00000-of-00001.parquet val_test data/images/test/cats/1.png test/train/1.png"
    ),
    None: (
        "latest contest attest protest testament tests devil device development validated invalid value evaluate"
        " trains trainer strain constrained medieval retrieval household holdings cats images x all 1"
        " training-wheels training_wheel train-station TrainTracks test-tubes test_tube train-test train_test_split"
    ),
}


@pytest.mark.parametrize(("name", "split"), [(name, split) for split in NAMES for name in NAMES[split].split()])
def test_a_name_stands_for_a_split_by_its_words(name: str, split: str | None) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("found", "only", "splits", "left_out"),
    [
        (["train", "test"], None, {"train": ["train"], "test": ["test"]}, []),
        (["val", "train", "valid"], None, {"train": ["train"], "validation": ["val", "valid"]}, []),
        (["train", "unlabelled"], None, {"train": ["train"]}, ["unlabelled"]),
        (["test"], None, {"test": ["test"]}, []),
        (["english"], None, {"all": ["english"]}, []),
        (["trainval", "test"], None, {"train": ["trainval"], "test": ["test"]}, []),
        (["train", "trainval", "val"], None, {"train": ["train"], "validation": ["val"]}, ["trainval"]),
        (["train", "val", "test"], "val", {"all": ["val"]}, []),
        (["train", "val", "valid"], "validation", {"all": ["val", "valid"]}, []),
        (["train", "english"], "english", {"all": ["english"]}, []),
    ],
)
def test_splits_are_sorted_by_their_names(
    found: list[str], only: str | None, splits: dict[str, list[str]], left_out: list[str]
) -> None:
    assert named_splits(found, only) == (splits, left_out)


def test_one_of_several_splits_without_a_known_name_must_be_chosen() -> None:
    with pytest.raises(ValueError, match=r"no split is named train, .*; choose one with `split`: english, french"):
        named_splits(["english", "french"])
    with pytest.raises(ValueError, match="`split` is 'german'; the splits are english, train"):
        named_splits(["english", "train"], "german")


def pictures(folder: Path, *names: str) -> str:
    """Writes pictures of the shades 0, 1, 2, ..., one per name."""
    for k, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), k).save(folder / name)
    return str(folder)


def shades(images: object) -> list[int]:
    assert isinstance(images, Images)
    return [int(image[0, 0, 0]) for image in images]


def named_shades(source: str) -> dict[str, list[int]]:
    return {split: shades(images) for split, images in load_as_named(source).splits.items()}


def of_folder(at: Path) -> str:
    return pictures(at, "own/images/test/cats/1.png", "own/images/train/cats/2.png", "own/images/train/dogs/3.png")


def below_classes(at: Path) -> str:
    return pictures(at, "cats/test/1.png", "cats/train/2.png", "dogs/train/3.png")


def of_pictures(at: Path) -> str:
    return pictures(at, "own/test_1.png", "own/train_1.png", "own/train_2.png")


def of_files(at: Path) -> str:
    for name, values in (("x_test", [0]), ("x_train-0", [1]), ("x_train-1", [2])):
        lines = [json.dumps({"grid": [[value, 0]]}) for value in values]
        (at / f"{name}.jsonl").write_text("\n".join(lines))
    return str(at)


def of_saved(at: Path) -> str:
    rows = {"xTest": [0], "training": [1, 2]}
    parts = {name: datasets.Dataset.from_dict({"g": [[[k, 0]] for k in values]}) for name, values in rows.items()}
    datasets.DatasetDict(parts).save_to_disk(at / "saved")
    return str(at / "saved")


def of_arrays(at: Path) -> str:
    grids = np.array([[[k, 0]] for k in range(3)])
    np.savez(at / "a.npz", images_test=grids[:1], trainImages=grids[1:])
    return str(at / "a.npz")


@pytest.mark.parametrize("make", [of_folder, below_classes, of_pictures, of_files, of_saved, of_arrays])
def test_one_rule_for_whatever_names_a_split(tmp_path: Path, make: Callable[[Path], str]) -> None:
    assert named_shades(make(tmp_path)) == {"train": [1, 2], "test": [0]}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["a.png", "latest/b.png", "contest/c.png"], {"all": [0, 2, 1]}),
        (["training-wheels/a.png", "bicycles/b.png"], {"all": [1, 0]}),
        (["train.png", "bus.png"], {"all": [1, 0]}),  # a picture of a train
        (["test/train/a.png", "test/bus/b.png"], {"test": [1, 0]}),
        (["test/a.png", "held-out/b.png", "Train/c.png"], {"train": [2], "test": [1, 0]}),
    ],
)
def test_words_of_folders_of_pictures(tmp_path: Path, names: list[str], splits: dict[str, list[int]]) -> None:
    assert named_shades(pictures(tmp_path, *names)) == splits


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("test.npy", "test"),
        ("x_test.npz", "test"),
        ("val.jsonl", "validation"),
        ("test/own.npy", "all"),
        ("dev", "all"),
    ],
)
def test_the_name_of_a_file_counts_and_those_of_the_folders_above_do_not(tmp_path: Path, name: str, split: str) -> None:
    for folder in ("test", "dev"):
        (tmp_path / folder).mkdir()
    grids = np.array([[[k, 0]] for k in range(5)])
    for path in ("test.npy", "test/own.npy"):
        np.save(tmp_path / path, grids)
    np.savez(tmp_path / "x_test.npz", grids)
    for path in ("val.jsonl", "dev/own.jsonl"):
        (tmp_path / path).write_text("\n".join(json.dumps({"grid": grid}) for grid in grids.tolist()))
    assert named_shades(str(tmp_path / name)) == {split: [0, 1, 2, 3, 4]}


def test_a_folder_and_the_one_above_are_two_sources(tmp_path: Path) -> None:
    source = pictures(tmp_path, "test/a.png", "test/b.png")
    assert named_shades(source) == {"test": [0, 1]}
    assert named_shades(f"{source}/test") == {"all": [0, 1]}


def test_classes_lie_below_or_above_splits_and_have_one_numbering(tmp_path: Path) -> None:
    below = pictures(tmp_path / "a", *(f"data/{path}/1.png" for path in ("train/dogs", "train/owls", "test/cats")))
    above = pictures(tmp_path / "b", *(f"{path}/1.png" for path in ("dogs/train", "owls/train", "cats/test")))
    for source in (below, above):
        data = load_as_named(source)
        labels = {split: images.labels for split, images in data.splits.items()}
        assert {split: None if own is None else own.tolist() for split, own in labels.items()} == {
            "train": [1, 2],
            "test": [0],
        }
    names = [f"train/{kind}/{k}.png" for kind in ("dogs", "owls") for k in range(4)]
    assert load(pictures(tmp_path / "c", *names, "test/cats/1.png")).class_names == ("cats", "dogs", "owls")


def test_images_without_a_class_beside_others_are_said(tmp_path: Path) -> None:
    names = [f"train/{kind}/{k}.png" for kind in ("dogs", "owls") for k in range(3)]
    data = load(pictures(tmp_path, *names, "test/1.png", "test/2.png"))
    assert (data.test.labels, data.class_names) == (None, ())
    assert data.notes[0] == "no labels: 2 of 8 images are in no folder of a class"


def test_pictures_in_no_split_are_left_out_and_counted(tmp_path: Path) -> None:
    source = pictures(tmp_path, "bus/a.png", "bus/b.png", "c.png", *(f"train/{k}.png" for k in range(4)))
    data = load(source)
    assert sorted(shades(data.train) + shades(data.validation) + shades(data.test)) == [3, 4, 5, 6]
    assert data.notes[0] == "left out beside train: 3 images (bus, the top folder)"
    assert shades(load_as_named(DataOptions(source, split="bus")).splits["all"]) == [0, 1]


def test_several_names_of_one_split_are_taken_together_and_that_is_said(tmp_path: Path) -> None:
    source = pictures(tmp_path, "train/a.png", "val/b.png", "valid/c.png", "test/d.png")
    data = load(source)
    assert (shades(data.validation), data.notes) == ([1, 2], ("the validation images are val and valid",))


@pytest.mark.parametrize("split", ["test", "validation"])
def test_held_out_images_are_not_trained_on_unless_they_are_chosen(tmp_path: Path, split: str) -> None:
    source = pictures(tmp_path / split, *(f"{split}/{k}.png" for k in range(5)))
    with pytest.raises(
        ValueError, match=f"{split} has {split} images alone, and nothing is trained on those; .*`split` {split}"
    ):
        load(source)
    data = load(DataOptions(source, split=split))
    assert sorted(shades(data.train) + shades(data.validation) + shades(data.test)) == [0, 1, 2, 3, 4]
    pictures(tmp_path / split, "a.png")
    with pytest.raises(ValueError, match=rf"\(left out beside {split}: 1 image \(the top folder\)\)"):
        load(source)


def test_a_stream_knows_the_names_of_splits_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelseq.data.streaming.HELD_OUT", 2)
    for name in ("train", "x_test"):
        lines = [json.dumps({"grid": [[k % 2, k // 2]]}) for k in range(8)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    assert load_as_named(DataOptions(str(tmp_path), levels=4, streaming=True)).splits.keys() == {"validation", "test"}
    with pytest.raises(ValueError, match="has test images alone"):
        load(DataOptions(str(tmp_path / "x_test.jsonl"), levels=4, streaming=True))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (of_folder, ["own/images/train/cats/2.png", "own/images/train/dogs/3.png", "own/images/test/cats/1.png"]),
        (of_files, ["train row 0", "train row 1", "test row 0"]),
        (of_arrays, ["train image 0", "train image 1", "test image 0"]),
        (lambda at: pictures(at, "a.png", "b/\u00e9 2.png"), ["a.png", "b/\u00e9 2.png"]),
        (lambda at: pictures(at, "a.png") + "/a.png", ["a.png"]),
    ],
)
def test_images_keep_the_names_that_the_source_gives_them(
    tmp_path: Path, make: Callable[[Path], str], names: list[str]
) -> None:
    data = load_as_named(make(tmp_path))
    assert [name for images in data.splits.values() for name in images.read_names()] == names
    assert load_as_named("digits").splits["test"].subset(np.array([1])).read_names()[0].startswith("image ")
