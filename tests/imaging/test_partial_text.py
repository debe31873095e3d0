"""What is known of text maps, and text as masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pixelseq.imaging.extension import Extension
from pixelseq.imaging.masks import known_rows
from pixelseq.imaging.partial_text import read_partial_text, read_text_mask
from pixelseq.pixel_format import PixelFormat

FORMAT = PixelFormat(1, 3, "categorical", "-#o")


def write(folder: Path, text: str) -> Path:
    (folder / "map.txt").write_text(text)
    return folder / "map.txt"


def test_marked_tiles_are_unknown(tmp_path: Path) -> None:
    (partial,) = read_partial_text(write(tmp_path, "-?\n#o\n"), FORMAT, None)
    assert partial.known.tolist() == [[True, False], [True, True]]
    assert partial.levels.tolist() == [[[0, 0], [1, 2]]]
    assert partial.path == tmp_path / "map.txt"


def test_unknown_tiles_may_be_anything(tmp_path: Path) -> None:
    path = write(tmp_path, "-#\n?!\n\noo\n##\n")
    partials = read_partial_text(path, FORMAT, lambda picture: known_rows(1, picture.height, picture.width))
    assert [partial.path.name for partial in partials] == ["map-1.txt", "map-2.txt"]
    assert [partial.levels[0, 0].tolist() for partial in partials] == [[0, 1], [2, 2]]
    assert all(partial.known.tolist() == [[True, True], [False, False]] for partial in partials)


def test_what_is_extended_need_mark_nothing(tmp_path: Path) -> None:
    for text, legend, known in [
        ("-#\n", "-#o", [True, True]),
        ("?#\n", "-#o", [False, True]),
        ("?#\n", "-?#", [True] * 2),
    ]:
        (partial,) = read_partial_text(write(tmp_path, text), replace(FORMAT, legend=legend), None, unmarked=True)
        assert partial.known.tolist() == [known]
        wide = partial.extended(Extension(bottom=1, left=1))
        assert wide.known.tolist() == [[False, *known], [False] * 3]
        assert wide.levels[0, 0, 1:].tolist() == partial.levels[0, 0].tolist()
    with pytest.raises(ValueError, match=r"map\.txt: `extend` makes 1x7 pixels"):
        partial.extended(Extension(right=5), max_pixels=6)


@pytest.mark.parametrize(
    ("text", "legend", "message"),
    [
        ("-#\n", "-#o", "map.txt: no \\? marks what is unknown; put some there, or say what is known by `known_rows`"),
        ("?!\n", "-#o", "map.txt: line 1, column 2: '!' is no tile of the legend '-#o'"),
        ("?#\n-\n", "-#o", "map.txt: line 2 has 1 characters"),
        ("", "-#o", "map.txt: it has no characters"),
        ("?#\n", "-?#", r"\? is a tile of the model's legend '-\?#' and cannot mark what is unknown; say what"),
        ("?#\n", None, "the model has no legend"),
    ],
)
def test_what_is_no_partial_map(tmp_path: Path, text: str, legend: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_partial_text(write(tmp_path, text), PixelFormat(1, 3, "categorical", legend), None)


@pytest.mark.parametrize("text", ["?#\n--\n", "01\n11\n"])
def test_text_is_a_mask(tmp_path: Path, text: str) -> None:
    assert torch.equal(read_text_mask(write(tmp_path, text)), torch.tensor([[False, True], [True, True]]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("##\n--\n", r"map.txt marks nothing as unknown; a mask has \? there, or is of 0 \(unknown\) and 1"),
        ("?#\n-\n", "map.txt: line 2 has 1 characters"),
        ("?\n\n?\n", "map.txt holds 2 maps; a mask is one"),
        ("", "map.txt holds 0 maps; a mask is one"),
    ],
)
def test_what_is_no_mask(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_text_mask(write(tmp_path, text))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none.txt"):
        read_partial_text(tmp_path / "none.txt", FORMAT, None)
    with pytest.raises(FileNotFoundError, match=r"no file .*none.txt"):
        read_text_mask(tmp_path / "none.txt")
