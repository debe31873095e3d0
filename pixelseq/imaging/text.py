"""Images as text: a character for each level, as tile maps are commonly written."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from pixelseq.runtime.files import whole_file

LEGEND = "legend.json"


def check_legend(legend: object, levels: int) -> None:
    """Raises ValueError where a legend is not a text of one character a level, all unlike and printable."""
    if not isinstance(legend, str) or len(legend) != levels:
        raise ValueError(f"the legend is {legend!r}; expected a text of {levels} characters, one for each level")
    if len(set(legend)) < levels or not legend.isprintable():
        raise ValueError(f"the legend is {legend!r}; its characters must be printable and all different")


def read_legend(data: Path) -> str | None:
    """The legend that a legend.json beside a data file gives for it; None where there is none.

    Args:
        data: the data file NAME.EXTENSION; legend.json holds {"NAME": {"tiles": [a character for each level]}}.

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
        f'{path} has no "tiles" of one character a level for {data.stem}; expected {{"tiles": ["#", ...]}}'
    )


def check_text(channels: int, legend: str | None) -> None:
    """Raises ValueError where images of these channels and of this legend cannot be text."""
    if legend is None:
        raise ValueError(
            "the model has no legend, so its images cannot be text; put one into its config.json, one character "
            'a level, such as "legend": "-#o" for 3 levels'
        )
    if channels != 1:
        raise ValueError(f"text has one character a pixel; the model has {channels} channels")


def to_text(image: Tensor, legend: str | None) -> str:
    """An image of levels [1, H, W] as H lines of W characters.

    Raises:
        ValueError: more channels, or no legend.
    """
    check_text(image.shape[0], legend)
    assert legend is not None
    return "".join("".join(legend[level] for level in row) + "\n" for row in image[0].tolist())


def save_text(text: str, path: Path) -> None:
    """Writes a text, whole or not at all."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
