"""Legends that lie beside data files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixelseq.imaging.legend import Legend, find_legend


def test_a_legend_beside_a_data_file(tmp_path: Path) -> None:
    assert find_legend(tmp_path / "maps.parquet") == (None, ())
    (tmp_path / "legend.json").write_text(json.dumps({"maps": {"tiles": ["#", "-", "ö"], "count": 6}}), "utf-8")
    found = Legend("#-ö", str(tmp_path / "legend.json"))
    assert find_legend(tmp_path / "maps.parquet") == (found, ())
    legend, notes = find_legend(tmp_path / "others.parquet")
    assert legend is None
    assert notes == (f"{tmp_path / 'legend.json'} has no legend for others, only for maps",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is a JSON list"),
        ('{"maps": {}}', 'has no "tiles" of one character'),
        ('{"maps": {"tiles": ["wall"]}}', 'has no "tiles" of one character'),
        ('{"maps": {"tiles": ["#", "#"]}}', "must be printable and all different"),
        ('{"tiles": ["#"]}', "has 1 characters; 2 to 256 different ones can be levels"),
    ],
)
def test_a_file_that_is_no_legend(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "legend.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        find_legend(tmp_path / "maps.parquet")
