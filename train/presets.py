"""Training configurations by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from pixelseq import ModelConfig
from pixelseq.data import DataOptions


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=DataOptions)
    """What to train on."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Shapes of the model; its channels and levels follow the data."""
    steps: int = 3000
    """Optimiser steps."""
    batch_size: int = 16
    """Images a step, over all processes together."""
    batch_pixels: int | None = None
    """Pixels a step at most, where sizes vary, instead of --batch-size; one image at least."""
    learning_rate: float = 3e-3
    """Highest learning rate of AdamW; cosine to 0."""
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of the mean nats a value."""
    ema_decay: float = 0.995
    """Decay a step of the averaged weights, which are those evaluated and saved."""
    validate_every: int = 250
    """Steps between validations; the weights of the best one are kept."""
    tall_height: int = 40
    """Rows of the images in tall.png."""
    seed: int = 0
    """Of the initial weights, the data order, dropout and the pictures."""
    out: Path | None = None
    """Folder of the run; runs/ and the preset's name where none is given."""

    def __post_init__(self) -> None:
        whole, zero = "it must be at least 1", "it must be at least 0"
        for name, valid, message in [
            ("steps", self.steps >= 1, whole),
            ("batch_size", self.batch_size >= 1, whole),
            ("batch_pixels", self.batch_pixels is None or self.batch_pixels >= 1, whole),
            ("learning_rate", 0 < self.learning_rate < float("inf"), "it must be above 0"),
            ("warmup", self.warmup >= 0, zero),
            ("weight_decay", self.weight_decay >= 0, zero),
            ("clip_norm", self.clip_norm > 0, "it must be above 0"),
            ("ema_decay", 0 <= self.ema_decay < 1, "it must be at least 0 and below 1"),
            ("validate_every", self.validate_every >= 1, whole),
            ("tall_height", self.tall_height >= 1, whole),
            ("seed", 0 <= self.seed < 2**63, "it must be at least 0 and below 2**63"),
        ]:
            if not valid:
                raise ValueError(f"--{name.replace('_', '-')} is {getattr(self, name)}; {message}")


PRESETS = {
    # 1797 real digits of 8x8 pixels: a few minutes on two CPU cores. So little data is overfitted within 1000 steps
    # without dropout; a small batch regularises too, as in van den Oord et al. 2016, section 5.2.
    "digits": TrainConfig(model=ModelConfig(dropout=0.5)),
    # The same digits in columns of 1 to 6: heights of 8 to 48 in one batch.
    "digit_columns": TrainConfig(
        images=DataOptions("digit_columns"),
        model=ModelConfig(dropout=0.3),
        steps=1500,
        learning_rate=4e-3,
        tall_height=96,
    ),
    # Random crops of two photographs in colour: shows that any picture trains; it reproduces no table.
    "photos": TrainConfig(images=DataOptions("photos", crop="16x16", flip=True), steps=1000),
}
