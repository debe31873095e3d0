"""Images as text: a character for each level, as tile maps are commonly written."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.files import atomic_write

LEGEND = "legend.json"


def read_legend(data: Path) -> str | None:
    """Reads the legend that a legend.json beside a data file gives for it.

    Args:
        data: the data file NAME.EXTENSION; legend.json holds {"NAME": {"tiles": [a character for each level]}}.

    Returns:
        A character for each level, or None where there is no legend for the file.

    Raises:
        ValueError: legend.json is not of that form.
    """
    path = data.with_name(LEGEND)
    if not path.is_file():
        return None
    try:
        legends = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(legends, dict):
        raise ValueError(f"{path} is a JSON {type(legends).__name__}; expected an object")
    if data.stem not in legends:
        return None
    match legends[data.stem]:
        case {"tiles": [*tiles]} if all(isinstance(tile, str) and len(tile) == 1 for tile in tiles):
            return "".join(tiles)
    raise ValueError(
        f'{path} has no "tiles" of one character per level for {data.stem}; expected {{"tiles": ["#", ...]}}'
    )


def check_text(pixel_format: PixelFormat) -> None:
    """Raises ValueError where images of this format cannot be text."""
    if pixel_format.legend is None:
        raise ValueError(
            "the model has no legend, so its images cannot be text; put one into its config.json, one character "
            'per level, such as "legend": "-#o" for 3 levels'
        )
    if pixel_format.channels != 1:
        raise ValueError(f"text has one character per pixel; the model has {pixel_format.channels} channels")


def to_text(image: Tensor, pixel_format: PixelFormat) -> str:
    """Writes an image of levels [1, H, W] as H lines of W characters.

    Raises:
        ValueError: a format that cannot be text.
    """
    check_text(pixel_format)
    legend = pixel_format.legend
    assert legend is not None
    return "".join("".join(legend[level] for level in row) + "\n" for row in image[0].tolist())


def save_text(text: str, path: Path) -> None:
    """Writes a text, whole or not at all."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")
