"""Says what the numbers of an image mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["ordinal", "categorical"]
MAX_CHANNELS, MAX_LEVELS = 2**10, 2**16


@dataclass(frozen=True)
class PixelFormat:
    """The meaning of the numbers of an image: a data set has one format, and a model is made for one.

    Raises:
        ValueError: a field is out of its range.
    """

    channels: int = 1
    """Colour values per pixel: 1 gray, 3 RGB, 4 RGBA."""
    levels: int = 256
    """V, the values that a colour can take: 0 to V - 1."""
    kind: Kind = "ordinal"
    """ordinal: ordered levels, such as intensities; categorical: levels without an order, such as tiles and tokens."""
    legend: str | None = None
    """One character per level, to write images as text (tile maps)."""

    def __post_init__(self) -> None:
        for name, low, high in (("channels", 1, MAX_CHANNELS), ("levels", 2, MAX_LEVELS)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind is {self.kind!r}; choose from {', '.join(get_args(Kind))}")
        if self.legend is not None:
            self._check_legend()

    @property
    def ordered(self) -> bool:
        """Whether neighbouring levels are alike."""
        return self.kind == "ordinal"

    def _check_legend(self) -> None:
        legend = self.legend
        if not isinstance(legend, str) or len(legend) != self.levels:
            raise ValueError(f"the legend is {legend!r}; expected a text of {self.levels} characters, one per level")
        if len(set(legend)) < self.levels or not legend.isprintable():
            raise ValueError(f"the legend is {legend!r}; its characters must be printable and all different")

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{channels} of {self.levels} {self.kind} levels"
