"""Damaged arrays and archives: refused in a line, or read as levels within the data set's own."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from array_bytes import amat, idx, npy
from mutations import FEW_OR_MANY, attack
from PIL import Image

from pixelseq.data import DataOptions, Dataset, load

LEVELS = np.arange(60, dtype=np.uint8).reshape(6, 2, 5) % 5
LABELS = np.arange(6) % 3


def arrays(save: Callable, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def archive(method: int) -> bytes:
    """Pictures in a .zip, with a folder and a file that is none."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for k, image in enumerate(LEVELS):
            png = io.BytesIO()
            Image.fromarray(image * 50).save(png, "PNG")
            opened.writestr(f"set/{k}.png", png.getvalue())
        opened.writestr("set/notes.txt", "notes")
    return file.getvalue()


FILES = {
    "a.npy": npy(LEVELS),
    "columns.npy": npy(np.asfortranarray(LEVELS)),
    "wide.npy": npy(LEVELS.astype(np.int64)),
    "a.npy.gz": gzip.compress(npy(LEVELS), mtime=0),
    "stored.npz": arrays(np.savez, train=LEVELS),
    "deflated.npz": arrays(np.savez_compressed, train=LEVELS, test=LEVELS),
    "labels.npz": arrays(np.savez, x_train=LEVELS, y_train=LABELS),
    "a.idx": idx(LEVELS),
    "a.idx.gz": gzip.compress(idx(LEVELS), mtime=0),
    "a.amat": amat(LEVELS[:, :, :2].reshape(6, 4)),
    "a.amat.gz": gzip.compress(amat(LEVELS[:, :, :2].reshape(6, 4)), mtime=0),
    "stored.zip": archive(zipfile.ZIP_STORED),
    "deflated.zip": archive(zipfile.ZIP_DEFLATED),
}


def within_levels(data: Dataset) -> bool:
    return all(int(image.max()) < data.pixel_format.levels for image in data.test)


@FEW_OR_MANY
@pytest.mark.parametrize("name", FILES)
def test_damaged_arrays_and_archives_are_refused_or_harmless(name: str, times: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert within_levels(load(DataOptions(str(path), crop="1x1")))
    attack(path, 24 * times, lambda: load(DataOptions(str(path), crop="1x1")), within_levels)


@FEW_OR_MANY
def test_a_damaged_array_of_a_folder_is_refused_or_harmless(times: int, tmp_path: Path) -> None:
    for k, image in enumerate(LEVELS):
        (tmp_path / f"{k}.npy").write_bytes(npy(image))
    read = lambda: load(DataOptions(str(tmp_path), crop="1x1", skip_bad=True))  # noqa: E731
    attack(tmp_path / "3.npy", 24 * times, read, within_levels)
