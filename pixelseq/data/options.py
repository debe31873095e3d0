"""What a user can ask of a data set."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.pixel_format import Kind
from pixelseq.runtime import names
from pixelseq.runtime.names import as_path, bundled_name

BUNDLED = ("digits", "digit_columns", "photos")
"""The names of the sets that come with scikit-learn."""


@dataclass(frozen=True)
class DataOptions:
    """Says where images come from, and what is made of them.

    Raises:
        ValueError: a field is out of its range.
    """

    data: str = "bundled:digits"
    """A bundled set (digits, digit_columns, photos; with bundled: before it, whatever files are called); a path: a
    folder or .zip of pictures, a folder of text maps, one of these (crops of it), parquet, arrow or JSON files, a
    folder written by datasets' save_to_disk, arrays of integers (.npy or a folder of them, .npz, idx, .amat); or a hub
    id owner/name."""
    levels: int | None = None
    """Number of values that a colour can have. Shades of pictures become the nearest level (2: a threshold in the
    middle). By default 256, 2 for 1-bit pictures, and the largest value + 1 for integers, which are levels already
    unless they are of type uint8 and reach beyond both these levels and 127."""
    pixels: Kind = "ordinal"
    """ordinal: levels that are ordered, as intensities are; categorical: levels without an order, as tiles and tokens
    are, which enter the model as a learned embedding. Text maps are always categorical."""
    binarize: Literal["stochastic"] | None = None
    """stochastic: each value is drawn anew at every use, 1 with the probability of its shade."""
    channels: Literal[1, 3, 4] | None = None
    """Colours of pictures: 1 gray, 3 RGB, 4 RGBA. By default what they have, seen over white. Of integers: those that
    they have, where the axes of an array leave that open."""
    crop: str | None = None
    """HxW: training sees random parts of H rows and W columns, evaluation the part in the centre. Smaller images stay
    whole."""
    resize: str | None = None
    """HxW: pictures are resized to H rows and W columns, before any crop."""
    range: str | None = None
    """LOW,HIGH: the values that are black and white in pictures of more than 8 bits; those outside are clipped. By
    default 0 and 65535, or 255 where whole numbers in 32 bits are no larger. Floating-point pictures need it."""
    frames: Literal["first", "all"] = "first"
    """What is read of stacks and animations: the first frame of each file, or all, as images of their own."""
    max_pixels: int | None = None
    """The most pixels that are read from one picture, all its frames together, or from one image of an array, and the
    most bytes that a packed array or table of more than 100 times its packed size has; 178,956,970 by default."""
    flip: bool = False
    """Mirrors half of the training images left to right, drawn anew at every use."""
    shape: str | None = None
    """HxW, HxWxC or CxHxW: each row of an array is an image of that shape, flattened. By default the rows of a .amat
    are square, and those of other arrays are rows of pixels."""
    image_column: str | None = None
    """Column of the images; by default the only one that holds pictures or integer grids."""
    label_column: str | None = None
    """Column of the labels; by default the only one that holds class labels."""
    vector_column: str | None = None
    """Column of vectors, lists of numbers of one length, for --condition vector."""
    text_column: str | None = None
    """Column of texts, for --condition text: sentences that say what each image shows."""
    text_encoder: str = "sentence-transformers/all-MiniLM-L6-v2"
    """What makes vectors of texts: an encoder of the sentence-transformers library, a folder or an id on the hub."""
    split: str | None = None
    """Uses this split alone, and divides it into training, validation and test images."""
    skip_bad: bool = False
    """Leaves out pictures that cannot be decoded, and says how many."""
    streaming: bool = False
    """Reads training images as they are needed, from files or a hub set larger than disk or memory."""

    def __post_init__(self) -> None:
        if (name := bundled_name(self.data, BUNDLED)) is not None:
            # What a run was begun with means the same when there is a path of that name later.
            object.__setattr__(self, "data", names.PREFIX + name)
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
        if self.frames not in ("first", "all"):
            raise ValueError(f"`frames` is {self.frames!r}; choose from first, all")
        if self.vector_column is not None and self.text_column is not None:
            raise ValueError(
                f"`vector_column` is {self.vector_column!r} and `text_column` {self.text_column!r}; name one of the two"
            )
        if self.max_pixels is not None and self.max_pixels < 1:
            raise ValueError(f"`max_pixels` is {self.max_pixels}; it must be at least 1")
        if self.range is not None:
            parse_range(self.range)
        for name in ("crop", "resize"):
            if (text := getattr(self, name)) is not None:
                parse_size(text, name)
        if self.shape is not None and not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){1,2}", self.shape):
            raise ValueError(f"`shape` is {self.shape!r}; expected HxW, HxWxC or CxHxW, such as 28x28")
        if self.shape is not None and self.streaming:
            raise ValueError(f"`shape` is {self.shape}, but arrays are not read with `streaming`")

    @property
    def bundled(self) -> str | None:
        """The name of the bundled set, or None for other data."""
        return self.data.removeprefix(names.PREFIX) if self.data.startswith(names.PREFIX) else None

    @property
    def name(self) -> str:
        """The name of the data for messages."""
        return self.bundled or self.data

    @property
    def path(self) -> Path:
        """The path that `data` is if it is no other name, with ~ for the home folder."""
        return as_path(self.data)

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """The rows and columns of `crop`."""
        return None if self.crop is None else parse_size(self.crop, "crop")

    @property
    def resize_size(self) -> tuple[int, int] | None:
        """The rows and columns of `resize`."""
        return None if self.resize is None else parse_size(self.resize, "resize")

    @property
    def pixel_limit(self) -> int:
        """The most pixels that are read at once."""
        return self.max_pixels or MAX_PIXELS

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The values of `range` that are black and white."""
        return None if self.range is None else parse_range(self.range)

    @property
    def preprocessing(self) -> Preprocessing:
        """What is made of the images besides their channels and levels."""
        return Preprocessing(self.resize_size, self.crop_size, self.value_range, binarize=self.binarize is not None)

    @property
    def for_pictures(self) -> list[str]:
        """The options that are given although they are for pictures alone, by their names."""
        given = [name for name in ("channels", "resize", "range", "max_pixels") if getattr(self, name) is not None]
        return given + ["frames"] * (self.frames != "first")

    @property
    def shape_sizes(self) -> tuple[int, ...] | None:
        """The sizes of the axes that `shape` gives."""
        return None if self.shape is None else tuple(map(int, self.shape.split("x")))

    def check_no_shape(self) -> None:
        """Raises ValueError if a shape is given although the data has no rows of flattened images."""
        if self.shape is not None:
            raise ValueError(f"`shape` is {self.shape}, but {self.data} holds no arrays of flattened images")

    def check_grids(self) -> None:
        """Raises ValueError if options for pictures are given although the data are grids of levels."""
        for flag in self.for_pictures:
            if flag not in ("channels", "max_pixels"):  # which tell how axes are to be read, and the largest image
                raise ValueError(f"`{flag}` is for pictures; the images of {self.name} are levels already")

    def check_no_columns(self) -> None:
        """Raises ValueError if columns are named although the data has none."""
        for flag in ("image_column", "label_column", "vector_column", "text_column"):
            if (column := getattr(self, flag)) is not None:
                raise ValueError(f"`{flag}` is {column!r}, but {self.data} is no table: it has no columns")


def parse_size(text: str, name: str) -> tuple[int, int]:
    """Reads rows and columns from a text HxW.

    Args:
        text: the size.
        name: the option that it is given by, for messages.

    Raises:
        ValueError: the text has another form, or a side is below 1.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise ValueError(f"`{name}` is {text!r}; expected rows x columns, such as 32x48")
    return int(match[1]), int(match[2])


def parse_range(text: str) -> tuple[float, float]:
    """Reads the values that are black and white from a text LOW,HIGH.

    Raises:
        ValueError: the text has another form, or the first number is not the smaller one.
    """
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"`range` is {text!r}; expected LOW,HIGH, the lower number first, such as 0,4095")
    return low, high
