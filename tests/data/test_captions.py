"""Sentences about digits: what is measured of a picture, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from running import in_process

from pixelseq.data.captions import HELD_OUT, TRAINING, WORDS, Traits, caption, slant, stroke


def bar(width: int, lean: int = 0) -> NDArray[np.uint8]:
    """A bar of 12 rows, so many columns wide, which leans by so many columns from its first row to its last."""
    shades = np.zeros((16, 40), dtype=np.uint8)
    for row in range(12):
        start = 14 + round(lean * row / 11)
        shades[2 + row, start : start + width] = 255
    return shades


def test_strokes_and_slants_are_measured() -> None:
    assert stroke(bar(1)) == stroke(bar(2)) == 2.0  # every pixel is of the edge
    assert stroke(bar(4)) == 2 * 48 / (48 - 2 * 10)
    assert slant(bar(3)) == 0.0
    for lean in (-11, 11):
        assert slant(bar(3, lean)) == pytest.approx(1)
    assert (stroke(np.zeros((4, 4), np.uint8)), slant(np.zeros((4, 4), np.uint8))) == (0.0, 0.0)


def test_thirds_are_named() -> None:
    bars = [bar(width, lean) for width, lean in zip(range(2, 8), (0, 1, 2, 3, 4, 5), strict=True)]
    traits = Traits.of(np.stack(bars))
    named = [traits.words(one) for one in bars]
    assert [stroke for stroke, _ in named] == ["thin", "thin", "", "", "thick", "thick"]
    assert [slant for _, slant in named] == ["upright", "upright", "", "", "slanted", "slanted"]


@pytest.mark.parametrize("wordings", [TRAINING, HELD_OUT])
@pytest.mark.parametrize("words", [("thin", "slanted"), ("", "upright"), ("thick", ""), ("", "")])
def test_sentences_say_what_is_known_and_no_more(wordings: tuple[str, ...], words: tuple[str, str]) -> None:
    random = np.random.default_rng(0)
    said = {caption(7, words, wordings, random) for _ in range(300)}
    assert all(("seven" in text) != ("7" in text) for text in said)
    assert any("seven" in text for text in said)
    assert any("7" in text for text in said)
    others = {"thin", "thick", "upright", "slanted"} - set(words)
    assert not any(other in text for text in said for other in others)
    for word in filter(None, words):
        assert any(word in text for text in said)
        assert not any(f"a {word}" in text for text in said if word == "upright")
    assert not any("{" in text or "  " in text for text in said)


def test_held_out_wordings_are_none_of_training() -> None:
    assert not set(TRAINING) & set(HELD_OUT)


def test_a_table_of_captions_is_made_and_read(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for k in range(40):
        folder = tmp_path / f"data/{'test' if k % 4 == 0 else 'train'}/{k % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(256, size=(9, 9), dtype=np.uint8)).save(folder / f"{k}.png")
    done = in_process(tmp_path, "train/caption_digits.py", "--data", "data", "--out", "captions")
    assert done.returncode == 0, done.stderr
    files = {split: str(tmp_path / f"captions/{split}.parquet") for split in ("train", "test")}
    table = datasets.load_dataset("parquet", data_files=files)
    for row in table["test"]:
        assert WORDS[row["label"]] in row["caption"] or str(row["label"]) in row["caption"]
    done = in_process(tmp_path, "train/caption_digits.py", "--data", "data", "--out", "captions")
    assert (done.returncode, done.stderr) == (2, "error: --out is captions, which exists; choose another folder\n")
    done = in_process(tmp_path, "train/caption_digits.py", "--data", "bundled:digit_columns", "--out", "other")
    assert done.returncode == 2
    assert not (tmp_path / "other").exists()
