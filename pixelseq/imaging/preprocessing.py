"""What is made of pictures before a model sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preprocessing:
    """What is made of pictures before a model sees them, besides its channels and levels.

    Raises:
        ValueError: a side is below 1.
    """

    resize: tuple[int, int] | None = None
    """Rows and columns that every picture is resized to."""
    crop: tuple[int, int] | None = None
    """Rows and columns of the parts that are looked at; smaller pictures stay whole."""
    value_range: tuple[float, float] | None = None
    """The values of pictures of more than 8 bits that are black and white."""
    binarize: bool = False
    """Whether values are drawn: 1 with the probability of their shade."""

    def __post_init__(self) -> None:
        for name in ("resize", "crop"):
            size = getattr(self, name)
            if size is not None and min(size) < 1:
                raise ValueError(f"Preprocessing.{name} is {size}; each side must be at least 1")
