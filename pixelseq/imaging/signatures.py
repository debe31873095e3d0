"""Tells by the first bytes of a file whether it is a picture, for files whose names do not tell."""

from __future__ import annotations

import re

LONGEST = 32
"""The number of first bytes that are looked at."""
# TGA has no signature. Pillow is not asked: it would take a file for a picture of a format that is not read.
SIGNATURES = re.compile(
    rb"\x89PNG\r\n\x1a\n"
    rb"|\xff\xd8\xff"  # JPEG
    rb"|GIF8[79]a"
    rb"|RIFF....WEBP"
    rb"|BM.{4}\0{4}"
    rb"|II[*+]\0|MM\0[*+]"  # TIFF
    rb"|P[1-6]\s+[\d#]"  # PBM, PGM, PPM
    rb"|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"  # JPEG 2000
    rb"|....ftypavi[fs]",
    re.DOTALL,
)


def begins_a_picture(first: bytes) -> bool:
    """Tells whether the first `LONGEST` bytes of a file are those of a picture that is read."""
    return SIGNATURES.match(first) is not None
