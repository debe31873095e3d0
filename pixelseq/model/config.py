"""The configuration of a model: everything that fixes its shapes and names its levels, saved beside its weights."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pixelseq.imaging.text import check_legend

FORMAT_VERSION = 3

BlockName = Literal["row", "diagonal", "conv"]
HeadName = Literal["categorical", "logistic_mixture"]
PixelsName = Literal["ordinal", "categorical"]


@dataclass(frozen=True)
class ModelConfig:
    """Shapes and levels of a PixelRNN (van den Oord et al. 2016, arXiv:1601.06759, table 1).

    Raises:
        ValueError: a field is out of its range.
    """

    channels: int = 1
    """Colour values of a pixel: 1 gray, 3 RGB, 4 RGBA."""
    levels: int = 17
    """Values that a colour can take: 0 to levels - 1."""
    hidden: int = 32
    """Features h of each LSTM; the residual stream between blocks is 2h wide."""
    blocks: tuple[BlockName, ...] = ("row", "diagonal", "row", "diagonal")
    """Layers after the encoder, in order: row (Row LSTM), diagonal (Diagonal BiLSTM), conv (masked convolution)."""
    context_kernel: int = 7
    """Side of the encoder's first (mask A) convolution: odd, at least 3."""
    context_blocks: int = 2
    """Residual masked convolutions after the encoder's first."""
    head_features: int = 64
    """Features of the head's hidden layer."""
    head: HeadName = "categorical"
    """Distribution of the next value: categorical (one logit a level) or logistic_mixture (for ordinal pixels)."""
    mixtures: int = 10
    """Components of the logistic mixture."""
    pixels: PixelsName = "ordinal"
    """How levels enter: ordinal (numbers in [-1, 1]) or categorical (a learned embedding, for tiles and tokens)."""
    dropout: float = 0.0
    """Share of each block's hidden features that is dropped in training."""
    legend: str | None = None
    """A character for each level, to write images as text (tile maps)."""

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple | list):
            raise ValueError(f"ModelConfig.blocks is {self.blocks!r}; expected a tuple of names")
        object.__setattr__(self, "blocks", tuple(self.blocks))
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"ModelConfig.{name} is {value!r}; it must be a whole number of at least {least}")
        if self.context_kernel % 2 == 0:
            raise ValueError(f"ModelConfig.context_kernel is {self.context_kernel}; it must be odd")
        for name, choices in (("head", get_args(HeadName)), ("pixels", get_args(PixelsName))):
            if getattr(self, name) not in choices:
                raise ValueError(f"ModelConfig.{name} is {getattr(self, name)!r}; choose from {', '.join(choices)}")
        if self.head == "logistic_mixture" and self.pixels == "categorical":
            raise ValueError(
                "ModelConfig.head is 'logistic_mixture', which needs ordered levels, and ModelConfig.pixels is "
                "'categorical'; choose the head 'categorical' or the pixels 'ordinal'"
            )
        for block in self.blocks:
            if block not in get_args(BlockName):
                raise ValueError(f"ModelConfig.blocks has {block!r}; choose from {', '.join(get_args(BlockName))}")
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(f"ModelConfig.dropout is {self.dropout!r}; it must be at least 0 and below 1")
        if self.legend is not None:
            check_legend(self.legend, self.levels)

    @property
    def features(self) -> int:
        """Width of the residual stream: 2h, as in the paper's figure 5."""
        return 2 * self.hidden

    def to_json(self) -> str:
        """The configuration as text, with the version of its format."""
        return json.dumps({"format_version": FORMAT_VERSION, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: not JSON, another format version, an unknown or a missing key, or a value out of range.
        """
        try:
            fields: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the configuration is not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise ValueError(f"the configuration is a JSON {type(fields).__name__}; expected an object")
        version = fields.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(
                f"the configuration has format_version {version!r}; this pixelseq reads {FORMAT_VERSION}: "
                "install the version of pixelseq that wrote it"
            )
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(fields.keys() - known):
            raise ValueError(f"the configuration has unknown keys: {', '.join(unknown)}")
        if missing := sorted(known - fields.keys()):
            raise ValueError(f"the configuration lacks keys: {', '.join(missing)}")
        return cls(**fields)


_LEAST = {
    "channels": 1,
    "levels": 2,
    "hidden": 1,
    "context_kernel": 3,
    "context_blocks": 0,
    "head_features": 1,
    "mixtures": 1,
}
