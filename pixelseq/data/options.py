"""What a user can ask of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pixelseq.pixel_format import Kind


@dataclass(frozen=True)
class DataOptions:
    """Where images come from, and what is made of them.

    Raises:
        ValueError: a field is out of its range.
    """

    data: str = "digits"
    """A bundled set (digits, digit_columns, photos); a path: a folder of pictures, one picture (crops of it), parquet,
    arrow or JSON files, a folder written by datasets' save_to_disk, a .npy or .npz of integers; or a hub id
    owner/name."""
    levels: int | None = None
    """Values of a colour. Shades of pictures become the nearest of so many levels (2: a threshold in the middle). By
    default 256, 2 for 1-bit pictures, and the largest value + 1 for integers, which are levels as they are."""
    pixels: Kind = "ordinal"
    """ordinal: levels that are ordered, as intensities are; categorical: levels without an order, as tiles and tokens
    are, which enter the model as a learned embedding."""
    binarize: Literal["stochastic"] | None = None
    """stochastic: each value is drawn anew at every use, 1 with the probability of its shade."""
    channels: Literal[1, 3, 4] | None = None
    """Colours of pictures: 1 gray, 3 RGB, 4 RGBA. By default what they have, seen over white."""
    crop: str | None = None
    """HxW: random parts of so many rows and columns in training, those in the centre for evaluation. Smaller images
    stay whole."""
    resize: str | None = None
    """HxW: pictures are resized to so many rows and columns, before any crop."""
    flip: bool = False
    """Mirrors half of the training images left to right, drawn anew at every use."""
    image_column: str | None = None
    """Column of the images; the only one of pictures or integer grids by default."""
    label_column: str | None = None
    """Column of the labels; the only one of class labels by default."""
    split: str | None = None
    """Takes this split alone, and makes training, validation and test images of it."""
    skip_bad: bool = False
    """Leaves out pictures that cannot be decoded, and says how many."""
    streaming: bool = False
    """Reads training images as they are needed, from files or a hub set larger than disk or memory."""

    def __post_init__(self) -> None:
        if self.levels is not None and not 2 <= self.levels <= 256:
            raise ValueError(f"`levels` is {self.levels}; it must be from 2 to 256")
        if self.channels not in (None, 1, 3, 4):
            raise ValueError(f"`channels` is {self.channels}; choose from 1 (gray), 3 (RGB), 4 (RGBA)")
        if self.binarize not in (None, "stochastic"):
            raise ValueError(f"`binarize` is {self.binarize!r}; the one choice is stochastic")
        if self.binarize and self.pixels == "categorical":
            raise ValueError("`binarize` draws pixels from their shades; categorical `pixels` have none")
        if self.binarize and self.levels not in (None, 2):
            raise ValueError(f"`binarize` makes 2 levels; `levels` is {self.levels}")
        for name in ("crop", "resize"):
            if (text := getattr(self, name)) is not None:
                parse_size(text, name)

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """Rows and columns of `crop`."""
        return None if self.crop is None else parse_size(self.crop, "crop")

    @property
    def resize_size(self) -> tuple[int, int] | None:
        """Rows and columns of `resize`."""
        return None if self.resize is None else parse_size(self.resize, "resize")

    def check_no_columns(self) -> None:
        """Raises ValueError where columns are named although the data has none."""
        for flag, column in (("image_column", self.image_column), ("label_column", self.label_column)):
            if column is not None:
                raise ValueError(f"`{flag}` is {column!r}, but {self.data} is no table: it has no columns")


def parse_size(text: str, name: str) -> tuple[int, int]:
    """Rows and columns of a text HxW.

    Raises:
        ValueError: another form, or a side below 1.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise ValueError(f"`{name}` is {text!r}; expected rows x columns, such as 32x48")
    return int(match[1]), int(match[2])
