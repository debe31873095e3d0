"""The configuration of a training run: each field is a flag of train/run.py, and its docstring the help."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pixelseq.data.degradations import Degradation
from pixelseq.data.options import DataOptions
from pixelseq.model.config import MAX_BLOCKS, ModelConfig


@dataclass(frozen=True)
class TrainConfig:
    """The configuration of a training run."""

    images: DataOptions = field(default_factory=DataOptions)
    """What to train on."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Shapes of the model; its pixel format comes from the data."""
    stage: Literal["joint", "encoder", "recurrent"] = "joint"
    """encoder: train the context encoder and the head alone; recurrent: start from such a run (--init-from) and train
    the blocks; joint: train everything at once."""
    init_from: str | None = None
    """Run, checkpoint folder, hub id or bundled net that the run starts from: stage joint takes whatever has the same
    shape, the others take encoder and head."""
    freeze_encoder: bool = False
    """Keep the encoder of --init-from as it is."""
    stage_split: bool = False
    """Train the stages encoder and recurrent on different halves of the training images."""
    condition: Literal["label", "vector", "text"] | None = None
    """What the model is told of each image: label, the class that its folder or a column of labels names; vector or
    text, of --vector-column or --text-column of a table."""
    condition_image: str | None = None
    """The model is told an image that a degradation makes of each: mask (parts are unknown), lowres:2 (the mean of 2x2
    pixels), gray, edges, noise:0.1 (a tenth of values is replaced), posterize:4 (4 levels), or several, as in
    gray+posterize:4. It learns to restore, enlarge, colour, draw, clean or restyle images."""
    condition_features: int = 32
    """Features of the network that reads --condition-image."""
    condition_blocks: int = 5
    """Residual blocks of that network; 5 see 32 pixels each way, 10 see 63."""
    condition_dropout: float = 0.1
    """Share of images whose condition is not told, so that the model can be asked without one, too, and be guided; of
    a label and an image both are left out in half of the cases."""
    orders: Literal[1, 2, 4, 8] = 1
    """Raster orders to learn, of which each image is turned to one: more of them complete more holes exactly."""
    shift: int = 0
    """Training images are moved by up to so many pixels each way, and the model is told by how much, so that it learns
    of more images than there are; --shift 2 may help where validation is much worse than training."""
    steps: int | None = 3000
    """Number of optimiser steps; the learning rate is planned for them. None: it is planned for --minutes."""
    epochs: float | None = None
    """Passes over the training images, instead of --steps."""
    minutes: float | None = None
    """Stop after this many minutes, all starts of the run together. Without --steps and --epochs the learning rate
    follows the clock."""
    target_bits_per_dim: float | None = None
    """Stop when validation reaches this many bits/dim, or fewer."""
    target_nats: float | None = None
    """Stop when validation reaches this many nats per image, or fewer."""
    patience: int | None = None
    """Stop after this many validations in a row without a better one."""
    batch_size: int = 16
    """Images per step, over all processes together."""
    batch_pixels: int | None = None
    """Most pixels per step, where sizes vary, instead of --batch-size; at least one image."""
    accumulate: int = 1
    """Parts that each process cuts its share of a batch into, to need less memory."""
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    """adamw, or rmsprop as in the paper."""
    learning_rate: float = 3e-3
    """Highest learning rate, which is reached after the warm-up."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the warm-up: a cosine to 0, or constant."""
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    weight_decay: float = 0.01
    """Weight decay, decoupled in AdamW."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of the mean nats per value; a larger gradient is scaled down."""
    ema_decay: float = 0.995
    """Decay per step of the averaged weights, which are those evaluated and saved; it starts low and comes to this."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number type that autocast computes in; float16 needs CUDA."""
    compile: bool = False
    """Compile the model with torch.compile."""
    validate_every: int = 250
    """Steps between validations; the weights of the best one are kept."""
    save_every: int = 500
    """Steps between saved states, from which the run goes on after a stop."""
    keep: int = 2
    """Number of saved states that are kept."""
    track: Literal["tensorboard", "wandb", "trackio"] | None = None
    """Tracker that gets metrics and pictures, besides the files in the run's folder."""
    tall_height: int = 40
    """Rows of the images in tall.png."""
    seed: int = 0
    """Seed of the initial weights, the data order, dropout and the pictures."""
    out: Path | None = None
    """Folder of the run; runs/ and the preset's name where none is given."""

    def __post_init__(self) -> None:
        plain = self.condition is None and self.condition_image is None and self.orders == 1 and self.shift == 0
        if self.condition_image is not None:
            try:
                Degradation.parse(self.condition_image)
            except ValueError as error:
                raise ValueError(f"`condition_image`: {error}") from error
        whole, zero, above = "it must be at least 1", "it must be at least 0", "it must be above 0"
        for name, valid, message in [
            ("steps", self.steps is None or self.steps >= 1, whole),
            ("steps", (self.steps, self.epochs, self.minutes) != (None, None, None), "give it, `epochs` or `minutes`"),
            ("epochs", self.epochs is None or self.epochs > 0, above),
            ("minutes", self.minutes is None or self.minutes > 0, above),
            ("patience", self.patience is None or self.patience >= 1, whole),
            ("batch_size", self.batch_size >= 1, whole),
            ("batch_pixels", self.batch_pixels is None or self.batch_pixels >= 1, whole),
            ("accumulate", self.accumulate >= 1, whole),
            ("learning_rate", 0 < self.learning_rate < float("inf"), above),
            ("warmup", self.warmup >= 0, zero),
            ("weight_decay", self.weight_decay >= 0, zero),
            ("shift", 0 <= self.shift <= 64, "it must be from 0 to 64"),
            (
                "vector_column",
                self.images.vector_column is None or self.condition == "vector",
                "choose `condition` vector",
            ),
            ("text_column", self.images.text_column is None or self.condition == "text", "choose `condition` text"),
            ("condition", self.condition != "vector" or self.images.vector_column, "name a column by `vector_column`"),
            ("condition", self.condition != "text" or self.images.text_column, "name a column by `text_column`"),
            (
                "streaming",
                not self.images.streaming or plain,
                "`condition`, `condition_image`, `orders`, `shift` need images at hand",
            ),
            ("condition_features", 1 <= self.condition_features <= 2**16, "it must be from 1 to 65536"),
            ("condition_blocks", 0 <= self.condition_blocks <= MAX_BLOCKS, f"it must be from 0 to {MAX_BLOCKS}"),
            *(
                (
                    name,
                    self.condition_image or getattr(self, name) == getattr(TrainConfig, name),
                    "it needs `condition_image`",
                )
                for name in ("condition_features", "condition_blocks")
            ),
            ("condition_dropout", 0 <= self.condition_dropout < 1, "it must be at least 0 and below 1"),
            ("clip_norm", self.clip_norm > 0, above),
            ("ema_decay", 0 <= self.ema_decay < 1, "it must be at least 0 and below 1"),
            ("validate_every", self.validate_every >= 1, whole),
            ("save_every", self.save_every >= 1, whole),
            ("keep", self.keep >= 1, whole),
            ("tall_height", self.tall_height >= 1, whole),
            ("seed", 0 <= self.seed < 2**63, "it must be at least 0 and below 2**63"),
            ("init_from", self.stage != "recurrent" or self.init_from, "`stage` recurrent starts from another run"),
            ("freeze_encoder", not self.freeze_encoder or self.init_from, "it needs `init_from`"),
            ("stage_split", not self.stage_split or self.stage != "joint", "stage joint trains on all images"),
            ("epochs", self.epochs is None or self.batch_pixels is None, "with `batch_pixels` give `steps`"),
        ]:
            if not valid:
                value = getattr(self if hasattr(self, name) else self.images, name)
                raise ValueError(f"`{name}` is {value}; {message}")
