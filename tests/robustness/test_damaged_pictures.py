"""Damaged pictures: refused in a line, or read as some picture of a sane size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mutations import FEW_OR_MANY, attack
from PIL import Image

from pixelseq.data import DataOptions, load
from pixelseq.imaging.masks import opaque, read_mask
from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.pictures import read_image
from pixelseq.imaging.tileset import read_tileset
from pixelseq.pixel_format import PixelFormat

RANDOM = np.random.Generator(np.random.Philox(1))
PICTURE = Image.fromarray(RANDOM.integers(256, size=(9, 7, 4), dtype=np.uint8), "RGBA")
TURNED = Image.Exif()
TURNED[0x0112] = 6
MORE = {"save_all": True, "append_images": [PICTURE.transpose(Image.Transpose.ROTATE_180)]}
MAX_PIXELS = 10**6
"""The most pixels of a file, so that memory is bounded."""
SUFFIXES = ("png", "gif", "webp", "jpg", "tif", "bmp", "tga", "ppm", "jp2", "avif")
KINDS: dict[str, tuple[str, str, dict]] = {
    **{f"{suffix}-{mode}": (suffix, mode, {}) for suffix in SUFFIXES for mode in ("L", "P", "RGBA")},
    **{f"png-{mode}": ("png", mode, {}) for mode in ("1", "I;16")},
    **{f"tif-{mode}": ("tif", mode, {}) for mode in ("1", "I;16", "CMYK")},
    **{f"{suffix}-frames": (suffix, "RGBA", MORE) for suffix in ("png", "gif", "webp", "tif", "avif")},
    **{f"{suffix}-turned": (suffix, "RGB", {"exif": TURNED}) for suffix in ("png", "webp", "jpg", "tif", "avif")},
    **{f"tif-{name}": ("tif", "L", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")},
    "tif-jpeg": ("tif", "RGB", {"compression": "jpeg"}),
    "tif-group4": ("tif", "1", {"compression": "group4"}),
    "tga-rle": ("tga", "RGBA", {"compression": "tga_rle"}),
    "jpg-progressive": ("jpg", "RGB", {"progressive": True}),
    "webp-lossless": ("webp", "RGBA", {"lossless": True}),
    "png-icc": ("png", "RGB", {"icc_profile": bytes(range(200))}),
}
for kind in ("jpg-P", "jpg-RGBA", "ppm-P", "jp2-P"):  # which there are none of
    del KINDS[kind]


def encoded(kind: str) -> bytes:
    suffix, mode, options = KINDS[kind]
    file = io.BytesIO()
    picture = PICTURE.convert("L").convert(mode) if mode == "I;16" else PICTURE.convert(mode)
    picture.save(file, Image.registered_extensions()[f".{suffix}"], **options)
    return file.getvalue()


FORMAT = PixelFormat(channels=3, levels=3)
COMPLETION: dict[str, Callable[[Path], object]] = {
    "picture": lambda path: (
        read_partial(path, FORMAT, lambda seen: opaque(seen.convert("RGBA")), max_pixels=MAX_PIXELS).levels
    ),
    "mask": lambda path: read_mask(path, max_pixels=MAX_PIXELS)[0],
    "image": lambda path: read_image(path, FORMAT),
    "tileset": lambda path: read_tileset(path.parent, PixelFormat(levels=2)).tiles,
}
kinds = pytest.mark.parametrize("kind", KINDS)


def strict(read: Callable[[], object]) -> Callable[[], object]:
    """Reads so that a warning is an error."""

    def reading() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return read()

    return reading


@FEW_OR_MANY
@kinds
def test_damaged_pictures_are_refused_or_harmless(
    kind: str, times: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / f"a.{KINDS[kind][0]}"
    path.write_bytes(encoded(kind))
    Image.new("L", (7, 9)).save(tmp_path / "set" / "b.png")
    for frames in ("first", "all"):
        options = DataOptions(str(tmp_path / "set"), crop="1x1", frames=frames, max_pixels=MAX_PIXELS)
        attack(path, 2 * times, strict(lambda: load(options)), lambda data: len(data.train) >= 1)  # noqa: B023
    assert capfd.readouterr() == ("", "")


@FEW_OR_MANY
@kinds
def test_damaged_pictures_that_are_completed_are_refused_or_harmless(
    kind: str, times: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"1.{KINDS[kind][0]}"
    path.write_bytes(encoded(kind))
    Image.new("L", (7, 9)).save(tmp_path / "0.png")
    for seed, read in enumerate(COMPLETION.values()):
        attack(path, times, strict(lambda: read(path)), lambda levels: levels.ndim in (2, 3, 4), seed)  # noqa: B023
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [f"{suffix}-L" for suffix in SUFFIXES])
def test_a_damaged_picture_is_left_out_and_the_others_go_on(kind: str, tmp_path: Path) -> None:
    content = encoded(kind)
    (tmp_path / f"bad.{KINDS[kind][0]}").write_bytes(content[: len(content) // 3])
    for k in range(4):
        (tmp_path / f"{k}.{KINDS[kind][0]}").write_bytes(content)
    with pytest.raises(ValueError, match=r"1 of 5 images of .* are bad; leave them out with `skip_bad`: bad\."):
        load(DataOptions(str(tmp_path)))
    data = load(DataOptions(str(tmp_path), skip_bad=True))
    assert any("left out 1 bad images: bad." in note for note in data.notes)
    assert len(data.train) + len(data.validation) + len(data.test) == 4
