"""Images wherever they are: folders, files of tables, arrays, saved data sets, the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from datasets import Array2D, ClassLabel, Features, Value
from helpers import shared_data
from PIL import Image
from torch import Tensor

from pixelseq.data import DataOptions, Dataset, Images, load

SHADES = range(0, 250, 25)


def picture(shade: int, size: tuple[int, int] = (3, 2), mode: str = "L") -> Image.Image:
    return Image.new(mode, size, shade if mode in ("L", "1") else (shade, 0, 0))


def save(path: Path, shade: int, size: tuple[int, int] = (3, 2), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(shade, size, mode).save(path)


def everything(data: Dataset) -> list[Tensor]:
    assert isinstance(data.train, Images)
    return [*data.train, *data.validation, *data.test]


def shades(images: Any) -> list[int]:
    return sorted(int(image[0, 0, 0]) for image in images)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures in folders within folders, and files that are none."""
    for k, shade in enumerate(SHADES):
        save(tmp_path / "images" / f"part{k % 3}" / "deep" / f"{k}.png", shade)
    (tmp_path / "images/notes.txt").write_text("no picture")
    (tmp_path / "images/.hidden.png").write_text("no picture")
    return tmp_path / "images"


def test_columns_are_of_tables_alone(folder: Path) -> None:
    np.save(folder / "grids.npy", np.zeros((5, 2, 2), np.uint8))
    for data in (folder / "part0", folder / "grids.npy", "digits", "photos"):
        with pytest.raises(ValueError, match=r"`label_column` is 'kind', but .* is no table"):
            load(DataOptions(str(data), label_column="kind"))


def test_a_folder_with_class_folders(folder: Path) -> None:
    data = load(str(folder))
    assert (data.pixel_format.channels, data.pixel_format.levels) == (1, 256)
    assert shades(everything(data)) == list(SHADES)
    assert data.class_names == ("part0", "part1", "part2")
    assert isinstance(data.train, Images)
    assert data.train.labels is not None
    for image, label in zip(data.train, data.train.labels.tolist(), strict=True):
        assert SHADES.index(int(image[0, 0, 0])) % 3 == label
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 1, 1]
    left_out, note = data.notes
    assert left_out == "left out what is no picture: 1 .txt"
    assert note == "no validation or test images: 1 of 10 training images are held out for each (seed 0)"
    assert shades(load(str(folder)).test) == shades(data.test)
    assert any(shades(load(str(folder), seed=seed).test) != shades(data.test) for seed in range(1, 5))


def test_folders_of_splits(tmp_path: Path) -> None:
    for split, shade in (("train", 10), ("val", 20), ("test", 30)):
        for k in range(3):
            save(tmp_path / split / f"{k}.png", shade + k)
    data = load(str(tmp_path))
    assert (shades(data.train), shades(data.validation), shades(data.test)) == (
        [10, 11, 12],
        [20, 21, 22],
        [30, 31, 32],
    )
    assert data.notes == ()
    assert data.test.labels is None
    only = load(DataOptions(str(tmp_path), split="test"))
    assert shades(everything(only)) == [30, 31, 32]
    with pytest.raises(ValueError, match="`split` is 'own'; the splits are test, train, val"):
        load(DataOptions(str(tmp_path), split="own"))


def test_gray_among_colour_has_three_equal_colours(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"{k}.png", 50 + k, mode="RGB" if k == 3 else "L")
    data = load(str(tmp_path))
    assert data.pixel_format.channels == 3
    assert sorted(tuple(image[:, 0, 0].tolist()) for image in everything(data)) == [
        (50, 50, 50),
        (51, 51, 51),
        (52, 52, 52),
        (53, 0, 0),
    ]
    assert load(DataOptions(str(tmp_path), channels=1)).pixel_format.channels == 1


def test_one_bit_pictures_have_two_levels(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"{k}.png", 255 * (k % 2), mode="1")
    data = load(str(tmp_path))
    assert data.pixel_format.levels == 2
    assert shades(everything(data)) == [0, 0, 1, 1]
    save(tmp_path / "gray.png", 128)
    assert load(str(tmp_path)).pixel_format.levels == 256
    two = load(DataOptions(str(tmp_path), levels=2))
    assert shades(everything(two)) == [0, 0, 1, 1, 1]  # the threshold is in the middle


def test_one_picture_gives_crops_of_its_parts(tmp_path: Path) -> None:
    pixels = np.arange(20 * 100, dtype=np.uint32).reshape(20, 100)
    Image.fromarray((pixels % 251).astype(np.uint8)).save(tmp_path / "one.png")
    data = load(DataOptions(str(tmp_path / "one.png"), crop="8x8"))
    whole = torch.from_numpy((pixels % 251).astype(np.uint8))[None]
    assert torch.equal(data.validation[0], whole[:, :8, 80:88])
    assert [len(part) for part in (data.train, data.validation, data.test)] == [20, 2, 2]
    assert load(str(tmp_path / "one.png")).test[0].shape == (1, 20, 32)
    with pytest.raises(ValueError, match="20x100 is too small to train and test on crops of 32x32"):
        load(DataOptions(str(tmp_path / "one.png"), crop="32x32"))


def grids(count: int, columns: int, kind: str = "uint8") -> datasets.Dataset:
    features = Features({"name": Value("string"), "tiles": Array2D((None, columns), kind)})
    rows = [[[(k + i + j) % 5 for j in range(columns)] for i in range(1 + k)] for k in range(count)]
    return datasets.Dataset.from_dict({"name": ["map"] * count, "tiles": rows}, features=features)


def test_grids_are_levels_of_any_height(tmp_path: Path) -> None:
    grids(6, 4).to_parquet(tmp_path / "maps.parquet")
    data = load(str(tmp_path / "maps.parquet"))
    assert (data.pixel_format.channels, data.pixel_format.levels) == (1, 5)
    found = {image.shape[1]: image[0].tolist() for image in everything(data)}
    assert found == {1 + k: [[(k + i + j) % 5 for j in range(4)] for i in range(1 + k)] for k in range(6)}
    assert load(DataOptions(str(tmp_path / "maps.parquet"), levels=9)).pixel_format.levels == 9
    with pytest.raises(ValueError, match="values up to 4; `levels` 3 allows 0 to 2"):
        load(DataOptions(str(tmp_path / "maps.parquet"), levels=3))
    with pytest.raises(ValueError, match="`resize` is for pictures"):
        load(DataOptions(str(tmp_path / "maps.parquet"), resize="8x8"))


def test_tall_maps_train_as_they_are_and_in_crops() -> None:
    path = str(shared_data("levels/kid_icarus.parquet"))
    data = load(path)
    assert data.pixel_format.levels == 6
    assert sorted(image.shape for image in everything(data))[-1] == (1, 281, 16)
    assert {image.shape[2] for image in everything(data)} == {16}
    assert load(DataOptions(path, crop="64x16")).train[0].shape == (1, 64, 16)


@pytest.mark.parametrize(
    ("name", "channels", "levels", "sizes", "classes"),
    [
        ("binarized_mnist", 1, 2, [50_000, 10_000, 10_000], 0),
        ("mnist", 1, 256, [54_000, 6_000, 10_000], 10),
        ("cifar10_jpeg", 3, 256, [45_000, 5_000, 10_000], 10),
    ],
)
@pytest.mark.slow
def test_the_field_s_data_sets(name: str, channels: int, levels: int, sizes: list[int], classes: int) -> None:
    data = load(str(shared_data(name)))
    assert (data.pixel_format.channels, data.pixel_format.levels, len(data.class_names)) == (channels, levels, classes)
    assert [len(part) for part in (data.train, data.validation, data.test)] == sizes
    assert int(torch.stack(list(data.test[:500])).max()) == levels - 1


def test_tables_in_files_named_for_splits(tmp_path: Path) -> None:
    features = Features({"photo": datasets.Image(), "kind": ClassLabel(names=["cat", "dog"]), "number": Value("int64")})
    for split, base in (("train", 0), ("validation", 100), ("test", 200)):
        rows = {"photo": [picture(base + k) for k in range(4)], "kind": [k % 2 for k in range(4)], "number": [7] * 4}
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    data = load(str(tmp_path))
    assert (shades(data.train), shades(data.test)) == ([0, 1, 2, 3], [200, 201, 202, 203])
    assert data.class_names == ("cat", "dog")
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [0, 1, 0, 1]
    numbered = load(DataOptions(str(tmp_path), label_column="number"))
    assert numbered.test.labels is not None
    assert numbered.test.labels.tolist() == [7] * 4
    with pytest.raises(ValueError, match="`image_column` is 'picture'; the columns are photo, kind, number"):
        load(DataOptions(str(tmp_path), image_column="picture"))
    with pytest.raises(ValueError, match="column number holds int64; expected pictures"):
        load(DataOptions(str(tmp_path), image_column="number"))
    with pytest.raises(ValueError, match=r"column photo holds .*; expected class labels"):
        load(DataOptions(str(tmp_path), label_column="photo"))


def test_pictures_are_found_beside_boxes_and_embeddings_and_in_plain_bytes(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 7)
    content = (tmp_path / "a.png").read_bytes()
    columns = {"boxes": [[[1, 2]]] * 3, "features": [[[0.5]]] * 3, "raw": [content] * 3}
    pictures = Features({"image": datasets.Image()})
    table = datasets.Dataset.from_dict({"image": [picture(9)] * 3}, features=pictures)
    for name, column in columns.items():
        table = table.add_column(name, column)
    table.to_parquet(tmp_path / "all.parquet")
    assert shades(everything(load(str(tmp_path / "all.parquet")))) == [9, 9, 9]
    assert shades(everything(load(DataOptions(str(tmp_path / "all.parquet"), image_column="raw")))) == [7, 7, 7]


def test_saved_data_sets_and_arrow_and_json(tmp_path: Path) -> None:
    table = grids(5, 3)
    table.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict(train=table, test=grids(2, 3)).save_to_disk(tmp_path / "splits")
    lines = [json.dumps({"tiles": grid}) for grid in table["tiles"]]
    (tmp_path / "maps.jsonl").write_text("\n".join(lines))
    (arrow,) = (tmp_path / "saved").glob("*.arrow")
    expected = sorted(str(grid) for grid in table["tiles"])
    for path in (tmp_path / "saved", arrow, tmp_path / "maps.jsonl"):
        assert sorted(str(image[0].tolist()) for image in everything(load(str(path)))) == expected
    assert len(load(str(tmp_path / "splits")).test) == 2


def test_sizes_can_be_mixed_within_a_set(tmp_path: Path) -> None:
    for k in range(6):
        save(tmp_path / f"{k}.png", 10 * k, size=(2 + k % 3, 1 + k))
    assert {image.shape[2] for image in everything(load(str(tmp_path)))} == {2, 3, 4}
    assert {image.shape for image in everything(load(DataOptions(str(tmp_path), resize="5x6")))} == {(1, 5, 6)}


def arrays(path: Path, values: Any) -> Path:
    np.save(path, values)
    return path


def bad_parquet(path: Path) -> Path:
    path.write_bytes(b"PAR1 but no more")
    return path


def damaged_parquet(path: Path) -> Path:
    """Files of which the second has a damaged page and a sound end."""
    path.mkdir()
    for k in range(2):
        grids(40, 30).to_parquet(path / f"train-{k}.parquet")
    content = bytearray((path / "train-1.parquet").read_bytes())
    content[4 : len(content) // 4] = bytes(len(content) // 4 - 4)
    (path / "train-1.parquet").write_bytes(content)
    return path


def unlike_parquet(path: Path) -> Path:
    path.mkdir()
    grids(3, 2).to_parquet(path / "train-0.parquet")
    grids(3, 2).rename_column("tiles", "tokens").to_parquet(path / "train-1.parquet")
    return path


def bad_pictures(path: Path) -> Path:
    for k in range(5):
        save(path / f"{k}.png", k)
    (path / "broken.png").write_bytes((path / "0.png").read_bytes()[:40])
    (path / "text.jpg").write_text("no picture")
    return path


def ragged_json(path: Path) -> Path:
    path.write_text("\n".join(json.dumps({"g": grid}) for grid in ([[1, 2]], [[1, 2], [3]])))
    return path


def two_columns(path: Path) -> Path:
    datasets.Dataset.from_dict({"a": [[[1]]], "b": [[[2]]]}).to_parquet(path)
    return path


def floats(path: Path) -> Path:
    grids(3, 2, "float32").to_parquet(path)
    return path


def empty(path: Path) -> Path:
    path.mkdir()
    return path


def words(path: Path) -> Path:
    path.write_text("words")
    return path


MISTAKES = {
    "empty": (lambda at: empty(at / "none"), "none holds no images"),
    "corrupt-table": (lambda at: bad_parquet(at / "a.parquet"), "a.parquet cannot be read: Parquet"),
    "damaged-table": (lambda at: damaged_parquet(at / "p"), "train-1.parquet cannot be read: "),
    "unlike-tables": (lambda at: unlike_parquet(at / "p"), "train-1.parquet cannot be read: .*tiles"),
    "corrupt-pictures": (
        lambda at: bad_pictures(at / "p"),
        r"2 of 7 images of .*/p are bad; .* `skip_bad`: .*broken.png: no picture .*; .*text.jpg: no picture",
    ),
    "ragged": (lambda at: ragged_json(at / "a.jsonl"), "a.jsonl, row 1: its rows are of unlike widths"),
    "two-columns": (
        lambda at: two_columns(at / "a.parquet"),
        "2 columns hold pictures, grids or text maps; name one by",
    ),
    "float-column": (lambda at: floats(at / "a.parquet"), "column tiles holds float32; whole numbers are expected"),
    "float-array": (lambda at: arrays(at / "a.npy", np.zeros((3, 2, 2))), "holds float64; whole numbers are expected"),
    "large-values": (lambda at: arrays(at / "a.npy", np.full((5, 2, 2), 300)), "values from 300 to 300"),
    "pickled": (lambda at: arrays(at / "a.npy", np.array([{}], dtype=object)), "no arrays of numbers"),
    "no-images": (lambda at: words(at / "a.doc"), "a.doc is no file of images"),
    "nothing": (lambda at: "letters", "no data set 'letters'; choose from digits, digit_columns, photos"),
    "mistyped-path": (lambda at: f"{at}/none", "no data set .*/none"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained_and_leaves_no_cache(name: str, tmp_path: Path) -> None:
    make, message = MISTAKES[name]
    source = str(make(tmp_path))
    cache = Path(datasets.config.HF_DATASETS_CACHE) / "pixelseq"
    before = sorted(cache.iterdir()) if cache.exists() else []
    with pytest.raises(ValueError, match=message) as caught:
        load(source)
    assert "\n" not in str(caught.value).strip()
    assert (sorted(cache.iterdir()) if cache.exists() else []) == before


def test_too_few_images_for_splits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 images are too few for the splits train, validation, test; add images"):
        load(str(arrays(tmp_path / "a.npy", np.zeros((2, 2, 2), int))))


def test_bad_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    data = load(DataOptions(str(bad_pictures(tmp_path)), skip_bad=True))
    assert shades(everything(data)) == [0, 1, 2, 3, 4]
    assert any("left out 2 bad images" in note and "broken.png" in note for note in data.notes)


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_id_fails_at_once_without_the_hub(offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def no_network(*_: object, timeout: float, **__: object) -> None:
        assert timeout <= 5
        raise OSError("no network in tests")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", no_network)
    with pytest.raises(ValueError, match="put the data in a folder here and give its path"):
        load("nobody/nothing")


def test_nothing_is_decoded_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(5):
        save(tmp_path / f"{k}.png", k)
    first = shades(everything(load(str(tmp_path))))
    with monkeypatch.context() as no_decoding:
        no_decoding.setattr("pixelseq.data.cache._decode", lambda *_: pytest.fail("decoded again"))
        assert shades(everything(load(str(tmp_path)))) == first
        assert load(DataOptions(str(tmp_path), levels=2)).pixel_format.levels == 2  # levels are made of the same store
    save(tmp_path / "0.png", 99)
    monkeypatch.setattr("pixelseq.data.cached.READ_AT_ONCE", 3)  # memory-mapped now
    for _ in range(2):
        assert shades(everything(load(str(tmp_path)))) == [1, 2, 3, 4, 99]
