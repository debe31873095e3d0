"""PNGs written row by row: the rows that came, whatever ended them, as other programs read them."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from pixelseq.imaging.pictures import read_image, to_picture
from pixelseq.imaging.png_stream import PNGStream, save_png_stream
from pixelseq.pixel_format import PixelFormat

BYTES = PixelFormat()
FORMATS = [
    PixelFormat(1, 2),
    PixelFormat(3, 256),
    PixelFormat(4, 7),
    PixelFormat(1, 6, "categorical"),
    PixelFormat(1, 256, "categorical"),
]


def picture(path: Path) -> Image.Image:
    """The picture, its checksums verified."""
    with Image.open(path) as opened:
        opened.verify()
    with Image.open(path) as opened:
        opened.load()
        return opened


def check(path: Path, image: Tensor, pixel_format: PixelFormat) -> None:
    """The file is the picture of an image, as Pillow reads it."""
    found, expected = picture(path), to_picture(image, pixel_format)
    assert (found.mode, found.getpalette()) == (expected.mode, expected.getpalette())
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("pixel_format", FORMATS, ids=str)
@pytest.mark.parametrize("height", [1, 7, 30_000])
def test_a_stream_is_the_picture_of_its_rows(tmp_path: Path, pixel_format: PixelFormat, height: int) -> None:
    image = torch.randint(pixel_format.levels, (pixel_format.channels, height, 5))
    path = tmp_path / "new/stream.png"
    assert save_png_stream(image.unbind(1), pixel_format, path) == height
    check(path, image, pixel_format)
    assert [entry.name for entry in path.parent.iterdir()] == ["stream.png"]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    st.sampled_from(FORMATS), st.integers(1, 40), st.lists(st.integers(1, 30), min_size=1, max_size=5), st.booleans()
)
def test_a_stream_is_whole_after_each_flush(
    pixel_format: PixelFormat, width: int, heights: list[int], flat: bool
) -> None:
    shape = (pixel_format.channels, sum(heights), width)
    image = torch.full(shape, pixel_format.levels - 1) if flat else torch.randint(pixel_format.levels, shape)
    with tempfile.TemporaryDirectory() as folder, FileIO(Path(folder) / "stream.png", "w") as file:
        stream, height = PNGStream(file, pixel_format), 0
        for added in heights:
            for row in image[:, height : height + added].unbind(1):
                stream.add(row)
            height += added
            stream.flush()
            stream.flush()  # nothing is there to write
            assert stream.height == height
            check(Path(folder) / "stream.png", image[:, :height], pixel_format)


def test_formats_that_are_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 channels is no picture"):
        save_png_stream([torch.zeros(2, 5)], PixelFormat(2, 4), tmp_path / "stream.png")
    assert not list(tmp_path.iterdir())


def test_an_error_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[Tensor]:
        yield torch.zeros(1, 5)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        save_png_stream(rows(), BYTES, tmp_path / "stream.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kib", [80, 100, 150])
def test_a_full_disk_leaves_the_rows_that_found_room(tmp_path: Path, kib: int) -> None:
    image = torch.randint(256, (1, 10_000, 20))  # does not compress: 64 KiB a flush
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, limits[1]))
    try:
        with pytest.raises(OSError, match=r"holds the first \d+ rows") as raised:
            save_png_stream(image.unbind(1), BYTES, tmp_path / "stream.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    cause = raised.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == errno.EFBIG
    found = read_image(tmp_path / "stream.png", BYTES)
    assert picture(tmp_path / "stream.png").size == (20, found.shape[1])
    assert kib * 1024 / 2 - 1024 < found.numel() < kib * 1024
    assert f"the first {found.shape[1]} rows" in str(raised.value)
    assert torch.equal(found.long(), image[:, : found.shape[1]])


def test_a_disk_without_room_for_a_row_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save_png_stream([torch.zeros(1, 5)], BYTES, tmp_path / "stream.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    code = (
        "import sys, resource, torch\n"
        "from pathlib import Path\n"
        "from pixelseq.imaging.png_stream import save_png_stream\n"
        "from pixelseq.pixel_format import PixelFormat\n"
        "row = torch.randint(256, (3, 1000), generator=torch.Generator().manual_seed(0))\n"
        "rows = lambda height: (row.roll(k, 1) for k in range(height))\n"
        "save_png_stream(rows(100), PixelFormat(3), Path('stream.png'))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "save_png_stream(rows(10_000), PixelFormat(3), Path('stream.png'))\n"  # 30 MB of values
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 5_000  # KiB
