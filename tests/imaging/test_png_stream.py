"""Strips: the rows that came, whatever ended them, in a PNG that other programs read."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.pictures import read_image, to_picture
from pixelseq.imaging.png_stream import save_strip


def picture(path: Path) -> Image.Image:
    """The picture, its checksums verified."""
    with Image.open(path) as opened:
        opened.verify()
    with Image.open(path) as opened:
        opened.load()
        return opened


@pytest.mark.parametrize(
    ("channels", "levels", "pixels"),
    [(1, 2, "ordinal"), (3, 256, "ordinal"), (4, 7, "ordinal"), (1, 6, "categorical"), (1, 256, "categorical")],
)
@pytest.mark.parametrize("height", [1, 7, 30_000])
def test_a_strip_is_the_picture_of_its_rows(
    tmp_path: Path, channels: int, levels: int, pixels: str, height: int
) -> None:
    image = torch.randint(levels, (channels, height, 5))
    path = tmp_path / "new/strip.png"
    assert save_strip(image.unbind(1), levels, path, pixels) == height  # type: ignore[arg-type]
    found, expected = picture(path), to_picture(image, levels, pixels)  # type: ignore[arg-type]
    assert (found.mode, found.getpalette()) == (expected.mode, expected.getpalette())
    assert np.array_equal(found, expected)
    assert [entry.name for entry in path.parent.iterdir()] == ["strip.png"]


def test_an_error_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[Tensor]:
        yield torch.zeros(1, 5)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        save_strip(rows(), 2, tmp_path / "strip.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kib", [80, 100, 150])
def test_a_full_disk_leaves_the_rows_that_found_room(tmp_path: Path, kib: int) -> None:
    image = torch.randint(256, (1, 10_000, 20))  # does not compress: 64 KiB a flush
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, limits[1]))
    try:
        with pytest.raises(OSError, match=r"holds the first \d+ rows") as raised:
            save_strip(image.unbind(1), 256, tmp_path / "strip.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    cause = raised.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == errno.EFBIG
    found = read_image(tmp_path / "strip.png", 1, 256)
    assert picture(tmp_path / "strip.png").size == (20, found.shape[1])
    assert kib * 1024 / 2 - 1024 < found.numel() < kib * 1024
    assert f"the first {found.shape[1]} rows" in str(raised.value)
    assert torch.equal(found.long(), image[:, : found.shape[1]])


def test_a_disk_without_room_for_a_row_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save_strip([torch.zeros(1, 5)], 2, tmp_path / "strip.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    code = (
        "import sys, resource, torch\n"
        "from pathlib import Path\n"
        "from pixelseq.imaging.png_stream import save_strip\n"
        "row = torch.randint(256, (3, 1000), generator=torch.Generator().manual_seed(0))\n"
        "rows = lambda height: (row.roll(k, 1) for k in range(height))\n"
        "save_strip(rows(100), 256, Path('strip.png'))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "save_strip(rows(10_000), 256, Path('strip.png'))\n"  # 30 MB of values
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 5_000  # KiB
