"""Tile maps as text, and the legends that stand beside data files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pixelseq import ModelConfig
from pixelseq.imaging.text import read_legend, to_text


def test_levels_are_written_as_their_characters() -> None:
    assert to_text(torch.tensor([[[0, 1, 2], [2, 2, 1]]]), "#-o") == "#-o\noo-\n"
    with pytest.raises(ValueError, match="has no legend"):
        to_text(torch.zeros(1, 2, 2), None)
    with pytest.raises(ValueError, match="the model has 3 channels"):
        to_text(torch.zeros(3, 2, 2), "#-")


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


def test_the_configuration_keeps_the_legend() -> None:
    config = ModelConfig(levels=3, legend="#-ö", pixels="categorical")
    assert ModelConfig.from_json(config.to_json()) == config
    with pytest.raises(ValueError, match="expected a text of 3 characters"):
        ModelConfig(levels=3, legend="#-")
    for legend in ("#-#", "#-\n"):
        with pytest.raises(ValueError, match="must be printable and all different"):
            ModelConfig(levels=3, legend=legend)
