"""The configuration of a model: everything that fixes its shapes and names its levels, saved beside its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pixelseq.layers import BLOCKS
from pixelseq.model.orders import ORDERS
from pixelseq.pixel_format import PixelFormat

HeadName = Literal["softmax", "logistic_mixture"]
MASK = "mask"
"""The degradation that leaves known pixels as they are: a net that was trained on it completes images by it."""


@dataclass(frozen=True)
class ContextConfig:
    """The network that reads condition images (see `pixelseq.layers.ContextNet`), and what these images are.

    Raises:
        ValueError: a field is out of its range.
    """

    pixel_format: PixelFormat = PixelFormat()
    """What the numbers of a condition image mean."""
    features: int = 32
    """Features of the network."""
    blocks: int = 5
    """Its residual blocks: 5 reach 32 pixels each way."""
    degradation: str = ""
    """The degradation by which training made condition images of images; none where they came from elsewhere."""

    @property
    def masks(self) -> bool:
        """Whether training left parts of condition images unknown, and now and then all of one."""
        return self.degradation.split("+")[-1] == MASK

    def __post_init__(self) -> None:
        if not isinstance(self.pixel_format, PixelFormat):
            raise ValueError(f"ContextConfig.pixel_format is {self.pixel_format!r}; expected a PixelFormat")
        _check_ranges(self, {"features": (1, 2**16), "blocks": (0, MAX_BLOCKS)})
        if not isinstance(self.degradation, str):
            raise ValueError(f"ContextConfig.degradation is {self.degradation!r}; expected a name")


@dataclass(frozen=True)
class ModelConfig:
    """The shapes of a PixelRNN (van den Oord et al. 2016, arXiv:1601.06759, table 1), and the format of its images.

    Raises:
        ValueError: a field is out of its range.
    """

    pixel_format: PixelFormat = PixelFormat()
    """What the numbers of an image mean; training takes it from the data."""
    hidden: int = 32
    """Features h of each LSTM; the residual stream between blocks is 2h wide."""
    blocks: tuple[str, ...] = ("row", "diagonal", "row", "diagonal")
    """Layers after the encoder, in order: row (Row LSTM), diagonal (Diagonal BiLSTM), conv (masked convolution)."""
    context_kernel: int = 7
    """Side of the encoder's first (mask A) convolution: odd, at least 3."""
    context_blocks: int = 2
    """Residual masked convolutions after the encoder's first; the network of `context` has blocks of its own."""
    head_features: int = 64
    """Features of the head's hidden layer."""
    head: HeadName = "softmax"
    """Distribution of the next value: softmax (one logit per level) or logistic_mixture (for ordinal pixels)."""
    mixtures: int = 10
    """Components of the logistic mixture."""
    dropout: float = 0.0
    """Share of each block's hidden features that is dropped in training."""
    classes: int = 0
    """The number of labels that images can be told by; 0 for a model that knows no labels."""
    class_names: tuple[str, ...] = ()
    """The name of each label, where the data have names."""
    vector_features: int = 0
    """The length of the vectors that images can be told by, such as embeddings of texts; 0 for none."""
    text_encoder: str = ""
    """The name of the encoder that makes these vectors of texts; none where they are of anything else."""
    context: ContextConfig | None = None
    """The network that reads condition images; none for a model that knows none."""
    orders: int = 1
    """The number of raster orders that were learned: 1, 2, 4 or 8 (see `pixelseq.model.orders`)."""
    condition_dropout: float = 0.0
    """The share of images that training does not tell the condition of; above 0, the model is unconditional, too."""

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple | list):
            raise ValueError(f"ModelConfig.blocks is {self.blocks!r}; expected a tuple of names")
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not isinstance(self.pixel_format, PixelFormat):
            raise ValueError(f"ModelConfig.pixel_format is {self.pixel_format!r}; expected a PixelFormat")
        _check_ranges(self, _RANGES)
        if len(self.blocks) > MAX_BLOCKS:
            raise ValueError(f"ModelConfig.blocks has {len(self.blocks)} names; at most {MAX_BLOCKS} are expected")
        if self.context_kernel % 2 == 0:
            raise ValueError(f"ModelConfig.context_kernel is {self.context_kernel}; it must be odd")
        if self.head not in get_args(HeadName):
            raise ValueError(f"ModelConfig.head is {self.head!r}; choose from {', '.join(get_args(HeadName))}")
        if self.head == "logistic_mixture" and not self.pixel_format.ordered:
            raise ValueError(
                "ModelConfig.head is 'logistic_mixture', which needs ordered levels, and the pixels are categorical; "
                "choose the head 'softmax' or ordinal pixels"
            )
        for block in self.blocks:
            if block not in BLOCKS:
                raise ValueError(f"ModelConfig.blocks has {block!r}; choose from {', '.join(BLOCKS)}")
        for name in ("dropout", "condition_dropout"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 <= share < 1:
                raise ValueError(f"ModelConfig.{name} is {share!r}; it must be at least 0 and below 1")
        if self.text_encoder and not self.vector_features:
            raise ValueError(f"ModelConfig.text_encoder is {self.text_encoder!r}, and vector_features is 0")
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(f"ModelConfig.class_names has {len(self.class_names)} names for {self.classes} classes")
        if isinstance(self.orders, bool) or self.orders not in ORDERS:
            raise ValueError(f"ModelConfig.orders is {self.orders!r}; choose from {', '.join(map(str, ORDERS))}")
        if self.context is not None and not isinstance(self.context, ContextConfig):
            raise ValueError(f"ModelConfig.context is {self.context!r}; expected a ContextConfig")
        if self.condition_dropout and not (self.classes or self.vector_features or self.context):
            raise ValueError(
                f"ModelConfig.condition_dropout is {self.condition_dropout}, and the model has no condition to leave "
                "out: give it classes, vector_features or context"
            )

    @property
    def conditional(self) -> bool:
        """Whether the model is told anything beside the image: a condition, or the order of its pixels."""
        return self.classes > 0 or self.vector_features > 0 or self.context is not None or self.orders > 1

    @property
    def features(self) -> int:
        """The width of the residual stream: 2h, as in the paper's figure 5."""
        return 2 * self.hidden


MAX_BLOCKS = 1024
_RANGES = {
    "hidden": (1, 2**16),
    "context_kernel": (3, 1023),
    "context_blocks": (0, MAX_BLOCKS),
    "head_features": (1, 2**16),
    "mixtures": (1, 2**10),
    "classes": (0, 2**20),
    "vector_features": (0, 2**16),
}
"""The values that numbers can have: far beyond what is sensible, and few enough that a damaged file costs no memory."""


def _check_ranges(config: ContextConfig | ModelConfig, ranges: dict[str, tuple[int, int]]) -> None:
    """Raises ValueError where a number of a configuration is out of its range."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            kind = type(config).__name__
            raise ValueError(f"{kind}.{name} is {value!r}; it must be a whole number from {low} to {high}")
