"""Damaged files of arrays: refused in a line, without memory for what they claim to hold."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from array_bytes import grids, idx, npy

from pixelseq.data import load


def claims(shape: list[int], code: int = 8) -> bytes:
    """The head of an idx file, and ten numbers."""
    return bytes([0, 0, code, len(shape)]) + np.array(shape, ">u4").tobytes() + bytes(10)


def claiming_npy(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(10)


def zipped(content: bytes, flip: int | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("train.npy", content)
    changed = bytearray(file.getvalue())
    if flip is not None:
        changed[flip] ^= 255
    return bytes(changed)


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 255
    return bytes(changed)


HUGE = (1000, 2**20, 2**20)
DAMAGED = {
    "npy-claims-more": ("a.npy", claiming_npy(HUGE), r"takes 1099511627776128 bytes, but it has 138"),
    "npy-goes-on": ("a.npy", npy(grids(9, 5, 6)) + b"more", "takes .* bytes, but it has"),
    "npy-cut": ("a.npy", npy(grids(9, 5, 6))[:-1], "takes .* bytes, but it has"),
    "npy-cut-in-head": ("a.npy", npy(grids(9, 5, 6))[:30], "holds no arrays"),
    "npy-gz-claims-more": (
        "a.npy.gz",
        gzip.compress(claiming_npy(HUGE)),
        "101 bytes unpack to 1099511627776128; of more than 100 times",
    ),
    "npy-gz-cut": ("a.npy.gz", gzip.compress(npy(grids(9, 5, 6)))[:-12], "holds no arrays"),
    "npz-claims-more": ("a.npz", zipped(claiming_npy(HUGE)), "takes 1099511627776128 bytes, but it has 138"),
    "npz-checksum": ("a.npz", zipped(npy(grids(40, 8, 8)), flip=400), "Bad CRC-32"),
    "npz-method": ("a.npz", zipped(npy(grids(9, 5, 6)), method=zipfile.ZIP_LZMA), "compressed by method 14"),
    "npz-empty": ("a.npz", zipped(b""), "holds no arrays"),
    "npz-none": ("a.npz", b"PK", "holds no arrays"),
    "idx-claims-more": ("a.idx", claims(list(HUGE)), "takes 1099511627776016 bytes, but it has 26"),
    "idx-gz-claims-more": (
        "a.gz",
        gzip.compress(claims([2**32 - 1] * 3)),
        r"29 bytes unpack to \d+; of more than 100 times",
    ),
    "idx-gz-checksum": ("a.gz", flipped(gzip.compress(idx(grids(9, 5, 6))), -6), "CRC check failed"),
    "idx-cut": ("a.idx", idx(grids(9, 5, 6))[:-1], "takes .* bytes, but it has"),
    "idx-cut-in-head": ("a.idx", idx(grids(9, 5, 6))[:9], "ends too early"),
    "idx-floats": ("a.idx", idx(np.ones((9, 5, 6), np.float32)), "holds >f4|holds float32"),
    "idx-labels-alone": ("a.idx", idx(np.arange(9, dtype=np.uint8)), "holds no images"),
    "amat-words": ("a.amat", b"0 1 1 0\n0 1 x 0\n", "could not convert string to float: b'x'"),
    "amat-fractions": ("a.amat", b"0 1 1 0\n0 1 0.5 0\n", "0.5 is no whole number"),
    "amat-nan": ("a.amat", b"0 nan 1 0\n", "nan is no whole number"),
    "amat-large": ("a.amat", b"0 1e30 1 0\n", "1e[+]30 is no whole number"),
    "amat-unlike-rows": ("a.amat", b"0 1 1 0\n0 1 1\n", "image 1 has 3 values; the first one has 4"),
    "amat-no-square": ("a.amat", b"0 1 1 0 1 1 1\n", "rows of 7 values, which are no square; say their `shape`"),
    "amat-empty": ("a.amat", b"", "rows of 0 values"),
    "amat-one-row": ("a.amat", b"0" * 2**24, "a row has 4194304 bytes or more"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_in_a_line_without_memory_for_what_it_claims(name: str, tmp_path: Path) -> None:
    file, content, message = DAMAGED[name]
    (tmp_path / file).write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            load(str(tmp_path / file))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(tmp_path / file) in str(caught.value)
    assert most < 2**26
