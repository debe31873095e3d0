"""Files whose names do not tell are known by their first bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image, features

from pixelseq.imaging.limits import FORMATS
from pixelseq.imaging.signatures import LONGEST, begins_a_picture


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"TGA"}))
def test_every_format_that_has_a_signature_is_known(name: str) -> None:
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow cannot write AVIF")
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, name)
    assert begins_a_picture(file.getvalue()[:LONGEST])


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_every_kind_of_pnm_is_known(mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (3, 2)).save(file, "PPM")
    assert begins_a_picture(file.getvalue()[:LONGEST])


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"BMW and other cars",
        b"P5 is a paper size",
        b"PK\x03\x04",
        b"\xff\xd8",
    ],
)
def test_other_files_are_no_pictures(first: bytes) -> None:
    assert not begins_a_picture(first[:LONGEST])
