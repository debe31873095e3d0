"""Damaged text maps and legends: refused in a line, or read as maps within their legends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mutations import FEW_OR_MANY, attack
from test_damaged_arrays import within_levels

from pixelseq.data import DataOptions, load
from pixelseq.imaging.legend import find_legend
from pixelseq.imaging.partial_text import read_partial_text, read_text_mask
from pixelseq.pixel_format import PixelFormat

MAPS = "\n\n".join("#-ö\nö#-\n-ö#\n"[k:] for k in (0, 0, 4, 4))
LEGENDS = {
    "legend.json": {"a": {"tiles": ["#", "-", "ö"]}},
    "game.json": {"tiles": {"#": ["solid"], "-": ["passable", "empty"], "ö": ["danger"]}},
}
MAP = PixelFormat(levels=3, kind="categorical", legend="#-ö")


@FEW_OR_MANY
def test_damaged_maps_are_refused_or_harmless(times: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(MAPS, encoding="utf-8")
    attack(tmp_path / "a.txt", 24 * times, lambda: load(DataOptions(str(tmp_path / "a.txt"))), within_levels)


@FEW_OR_MANY
@pytest.mark.parametrize("name", LEGENDS)
def test_damaged_legends_are_refused_or_harmless(name: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(MAPS, encoding="utf-8")
    (tmp_path / name).write_text(json.dumps(LEGENDS[name], ensure_ascii=False), encoding="utf-8")

    def read() -> str:
        legend, _ = find_legend(tmp_path / "a.txt", any_name=True)
        return legend.characters if legend else "none"

    assert read() == "#-ö"
    attack(
        tmp_path / name, 60 * times, read, lambda found: 2 <= len(set(str(found))) == len(str(found)) or found == "none"
    )


@FEW_OR_MANY
def test_damaged_maps_and_masks_of_a_completion_are_refused_or_harmless(times: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(MAPS.replace("-", "?"), encoding="utf-8")
    read = lambda: [one.levels for one in read_partial_text(tmp_path / "a.txt", MAP, None)]  # noqa: E731
    attack(tmp_path / "a.txt", 40 * times, read, lambda maps: all(int(one.max()) < 3 for one in maps))
    (tmp_path / "mask.txt").write_text("#-?\n?##\n")
    read_mask = lambda: read_text_mask(tmp_path / "mask.txt").numpy()  # noqa: E731
    attack(tmp_path / "mask.txt", 40 * times, read_mask, lambda mask: mask.dtype == np.bool_ and mask.ndim == 2)
