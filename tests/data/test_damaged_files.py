"""Files of which one byte was changed: refused in a line, or harmless."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from array_bytes import amat, idx

from pixelseq.data import DataOptions, load
from pixelseq.imaging.legend import find_legend

NAMES = ("a.npy", "a.npz", "b.npz", "a.jsonl", "a.txt", "a.idx", "a.idx.gz", "a.amat")


def damaged_files(folder: Path) -> dict[str, bytes]:
    """Small files of integers of each kind, and of text, by their names."""
    levels = np.arange(50, dtype=np.uint8).reshape(5, 2, 5) % 5
    np.save(folder / "a.npy", levels)
    np.savez(folder / "a.npz", train=levels)
    np.savez_compressed(folder / "b.npz", train=levels)
    (folder / "a.jsonl").write_text("\n".join(json.dumps({"tiles": image.tolist()}) for image in levels))
    (folder / "a.txt").write_text("\n\n".join("#-ö\nö#-\n"[k:] for k in (0, 0, 4, 4)))
    (folder / "a.idx").write_bytes(idx(levels))
    (folder / "a.idx.gz").write_bytes(gzip.compress(idx(levels), mtime=0))
    (folder / "a.amat").write_bytes(amat(levels[:, :, :2].reshape(5, 4)))
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte_is_refused_in_a_line_or_harmless(name: str, tmp_path: Path) -> None:
    content = damaged_files(tmp_path)[name]
    random = np.random.Generator(np.random.Philox(0))
    for k in range(8 if name.endswith("l") else 40):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.integers(256)
        path = tmp_path / f"{k}{name}"
        path.write_bytes(changed)
        try:
            data = load(DataOptions(str(path), crop="1x1"))
        except ValueError as error:
            assert "\n" not in str(error), str(error)  # noqa: PT017
        else:
            assert all(int(image.max()) < data.pixel_format.levels for image in data.test)


def test_a_legend_with_a_changed_byte_is_refused_in_a_line_or_harmless(tmp_path: Path) -> None:
    content = json.dumps({"a": {"tiles": ["#", "-", "o"]}}).encode()
    random = np.random.Generator(np.random.Philox(0))
    for _ in range(300):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.integers(256)
        (tmp_path / "legend.json").write_bytes(changed)
        try:
            legend, _ = find_legend(tmp_path / "a.json")
        except ValueError as error:
            assert "\n" not in str(error), str(error)  # noqa: PT017
        else:
            assert legend is None or len(legend.characters) == 3
