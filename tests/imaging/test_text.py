"""Tile maps as text, and the legends that stand beside data files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pixelseq.imaging.text import check_text, read_legend, save_text, to_text
from pixelseq.pixel_format import PixelFormat


def test_levels_are_written_as_their_characters(tmp_path: Path) -> None:
    text = to_text(torch.tensor([[[0, 1, 2], [2, 2, 1]]]), PixelFormat(levels=3, legend="#-ö"))
    assert text == "#-ö\nöö-\n"
    save_text(text, tmp_path / "new/map.txt")
    assert (tmp_path / "new/map.txt").read_bytes() == text.encode()


def test_formats_that_are_no_text() -> None:
    for pixel_format, message in (
        (PixelFormat(levels=2), "has no legend"),
        (PixelFormat(3, 2, legend="#-"), "the model has 3 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            check_text(pixel_format)
        with pytest.raises(ValueError, match=message):
            to_text(torch.zeros(pixel_format.channels, 2, 2), pixel_format)


def test_a_legend_beside_a_data_file(tmp_path: Path) -> None:
    assert read_legend(tmp_path / "maps.parquet") is None
    (tmp_path / "legend.json").write_text(json.dumps({"maps": {"tiles": ["#", "-", "ö"], "count": 6}}), "utf-8")
    assert read_legend(tmp_path / "maps.parquet") == "#-ö"
    assert read_legend(tmp_path / "others.parquet") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is a JSON list"),
        ('{"maps": {}}', 'has no "tiles" of one character'),
        ('{"maps": {"tiles": ["wall"]}}', 'has no "tiles" of one character'),
    ],
)
def test_a_file_that_is_no_legend(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "legend.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_legend(tmp_path / "maps.parquet")


def test_a_text_that_is_no_legend() -> None:
    with pytest.raises(ValueError, match="expected a text of 3 characters"):
        PixelFormat(levels=3, legend="#-")
    for legend in ("#-#", "#-\n"):
        with pytest.raises(ValueError, match="must be printable and all different"):
            PixelFormat(levels=3, legend=legend)
