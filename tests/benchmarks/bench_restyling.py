"""How much of a picture's structure a redrawn one keeps, and how much of another's colours it takes.

    python tests/benchmarks/bench_restyling.py --given flower.jpg --drawn redrawn.png --style china.jpg

Structure: the correlation of the brightness of both. Style: the total variation between histograms of colours, of 8
parts of red, green and blue each, from 0 (alike) to 1 (no colour in common), to the picture of the style, before and
after. Checks first that a picture has all of its own structure and style.
Last line: JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from pixelseq.runtime.scripts import one_line_errors

PARTS = 8


@dataclass(frozen=True)
class Arguments:
    """Compares a redrawn picture with what was given, and with the picture that was trained on."""

    given: Path
    """The picture that was redrawn."""
    drawn: Path
    """What was drawn."""
    style: Path
    """The picture that was trained on."""


def main(arguments: Arguments) -> None:
    given, drawn, style = (read(path) for path in (arguments.given, arguments.drawn, arguments.style))
    assert np.isclose(correlation(given, given), 1)
    assert distance(style, style) == 0
    result = {
        "brightness_correlation": correlation(given, drawn),
        "style_distance_before": distance(given, style),
        "style_distance_after": distance(drawn, style),
    }
    print(json.dumps({name: round(value, 4) for name, value in result.items()}))


def read(path: Path) -> NDArray[np.uint8]:
    """Reads a picture as shades [H, W, 3]."""
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Gives the correlation of brightness."""
    return float(np.corrcoef(one.mean(2).flatten(), other.mean(2).flatten())[0, 1])


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Gives the total variation between the histograms of colours."""
    histograms = []
    for picture in (one, other):
        parts = (picture.reshape(-1, 3) // (256 // PARTS)).astype(np.int64) @ (PARTS**2, PARTS, 1)
        histograms.append(np.bincount(parts, minlength=PARTS**3) / len(parts))
    return float(np.abs(histograms[0] - histograms[1]).sum() / 2)


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
