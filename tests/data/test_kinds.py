"""Splits whose images are of different kinds, or whose labels mean different things."""

from __future__ import annotations

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from pixelseq.data import DataOptions, Images, load


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (2, 1), shade).save(buffer, "PNG")
    return buffer.getvalue()


KINDS = {
    "pictures": [png(40 * k) for k in range(5)],
    "grids": [[[k, 0]] for k in range(5)],
    "maps": [["ab", "ba"]] * 5,
}


@pytest.mark.parametrize(("train", "test"), [("pictures", "grids"), ("maps", "grids"), ("maps", "pictures")])
def test_different_kinds_are_refused(tmp_path: Path, train: str, test: str) -> None:
    for split, kind in (("train", train), ("test", test)):
        datasets.Dataset.from_dict({"image": KINDS[kind]}).to_parquet(tmp_path / f"{split}.parquet")
    with pytest.raises(ValueError, match=r"train, test of .* hold images of different kinds; choose one by `split`"):
        load(DataOptions(str(tmp_path), image_column="image"))


@pytest.mark.parametrize(("names", "labelled"), [(["cat", "dog"], True), (["dog", "cat"], False)])
def test_labels_of_other_names_are_none(tmp_path: Path, names: list[str], labelled: bool) -> None:
    for split, own in (("train", ["cat", "dog"]), ("test", names)):
        features = datasets.Features(
            {"tiles": datasets.List(datasets.List(datasets.Value("int64"))), "label": datasets.ClassLabel(names=own)}
        )
        rows = {"tiles": KINDS["grids"], "label": [0, 1, 0, 1, 0]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / f"{split}.parquet")
    data = load(str(tmp_path))
    assert isinstance(data.train, Images)
    assert (data.train.labels is not None) == (data.test.labels is not None) == labelled
    assert any("the class names of train, test differ" in note for note in data.notes) != labelled


def test_binarised_8_bit_arrays_are_shades_with_levels_and_without(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.linspace(0, 199, 9 * 5 * 6).reshape(9, 5, 6).astype(np.uint8))
    for levels in (None, 2):
        data = load(DataOptions(str(tmp_path / "a.npy"), binarize="stochastic", levels=levels))
        assert data.test.view.binarize == 256
        assert "8-bit integers up to 199 are shades 0 to 255, that pixels are drawn by" in data.notes
