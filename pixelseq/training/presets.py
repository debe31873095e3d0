"""Training configurations by name, and from a command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from pixelseq import ModelConfig
from pixelseq.data import DataOptions
from pixelseq.model.checkpoint import CHECKPOINT
from pixelseq.training import STATES, check_agreement, has_states, read_settings

FOLLOWING = ("channels", "levels", "legend")
"""Fields of the model that the data decides."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=DataOptions)
    """What to train on."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Shapes of the model; its channels and levels follow the data."""
    stage: Literal["joint", "encoder", "recurrent"] = "joint"
    """encoder: train the context encoder and the head alone; recurrent: start from such a run (--init-from) and train
    the blocks; joint: train everything at once."""
    init_from: str | None = None
    """Run, checkpoint folder or hub id whose encoder and head the run starts from."""
    freeze_encoder: bool = False
    """Keep the encoder of --init-from as it is."""
    stage_split: bool = False
    """Train the stages encoder and recurrent on a half of the training images each."""
    steps: int = 3000
    """Optimiser steps; the learning rate is planned for them."""
    epochs: float | None = None
    """Passes over the training images, instead of --steps."""
    minutes: float | None = None
    """Stop after so much time, all starts of the run together."""
    target_bits_per_dim: float | None = None
    """Stop when validation is as good."""
    target_nats: float | None = None
    """Stop when validation is as good, in nats an image."""
    patience: int | None = None
    """Stop after so many validations without gain."""
    batch_size: int = 16
    """Images a step, over all processes together."""
    batch_pixels: int | None = None
    """Pixels a step at most, where sizes vary, instead of --batch-size; one image at least."""
    accumulate: int = 1
    """Parts that each process cuts its share of a batch into, to need less memory."""
    optimizer: Literal["adamw", "rmsprop"] = "adamw"
    """adamw, or rmsprop as in the paper."""
    learning_rate: float = 3e-3
    """At its highest."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the warm-up: a cosine to 0, or constant."""
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    weight_decay: float = 0.01
    """Weight decay, decoupled in AdamW."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of the mean nats a value."""
    ema_decay: float = 0.995
    """Decay a step of the averaged weights, which are those evaluated and saved."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Type that autocast computes in; float16 needs CUDA."""
    compile: bool = False
    """Compile the model with torch.compile."""
    validate_every: int = 250
    """Steps between validations; the weights of the best one are kept."""
    save_every: int = 500
    """Steps between saved states, from which the run goes on after a stop."""
    keep: int = 2
    """Saved states that are kept."""
    track: Literal["tensorboard", "wandb", "trackio"] | None = None
    """Where metrics and pictures go too, beside metrics.jsonl."""
    tall_height: int = 40
    """Rows of the images in tall.png."""
    seed: int = 0
    """Of the initial weights, the data order, dropout and the pictures."""
    out: Path | None = None
    """Folder of the run; runs/ and the preset's name where none is given."""

    def __post_init__(self) -> None:
        whole, zero, above = "it must be at least 1", "it must be at least 0", "it must be above 0"
        for name, valid, message in [
            ("steps", self.steps >= 1, whole),
            ("epochs", self.epochs is None or self.epochs > 0, above),
            ("minutes", self.minutes is None or self.minutes > 0, above),
            ("patience", self.patience is None or self.patience >= 1, whole),
            ("batch_size", self.batch_size >= 1, whole),
            ("batch_pixels", self.batch_pixels is None or self.batch_pixels >= 1, whole),
            ("accumulate", self.accumulate >= 1, whole),
            ("learning_rate", 0 < self.learning_rate < float("inf"), above),
            ("warmup", self.warmup >= 0, zero),
            ("weight_decay", self.weight_decay >= 0, zero),
            ("clip_norm", self.clip_norm > 0, above),
            ("ema_decay", 0 <= self.ema_decay < 1, "it must be at least 0 and below 1"),
            ("validate_every", self.validate_every >= 1, whole),
            ("save_every", self.save_every >= 1, whole),
            ("keep", self.keep >= 1, whole),
            ("tall_height", self.tall_height >= 1, whole),
            ("seed", 0 <= self.seed < 2**63, "it must be at least 0 and below 2**63"),
            ("init_from", self.stage != "recurrent" or self.init_from, "--stage recurrent starts from another run"),
            ("freeze_encoder", not self.freeze_encoder or self.init_from, "it needs --init-from"),
            ("stage_split", not self.stage_split or self.stage != "joint", "stage joint trains on all images"),
            ("epochs", self.epochs is None or self.batch_pixels is None, "with --batch-pixels give --steps"),
        ]:
            if not valid:
                raise ValueError(f"--{name.replace('_', '-')} is {getattr(self, name)}; {message}")


PAPER = ModelConfig(levels=2, hidden=16, blocks=("diagonal",) * 7, context_blocks=0)
"""The MNIST net of van den Oord et al. 2016, tables 1 and 4: 7 layers of 16 features after a 7x7 mask A convolution."""
STATIC_MNIST = DataOptions("binarized_mnist")
"""The static binarisation of MNIST (Larochelle and Murray 2011): a folder of train, validation and test parquet files
with a column of 1-bit pictures, here by this name or elsewhere by --data."""
CIFAR10_TRAINING = TrainConfig(
    images=DataOptions("uoft-cs/cifar10", flip=True),
    model=ModelConfig(
        channels=3, levels=256, hidden=128, blocks=("diagonal",) * 12, context_blocks=0, head_features=1024
    ),
    steps=300_000,
    learning_rate=1e-3,
    warmup=1000,
    clip_norm=50.0,
    ema_decay=0.9995,
    validate_every=10_000,
    save_every=5000,
    precision="bfloat16",
    tall_height=96,
)
"""Table 5 of the paper, CIFAR-10: 12 layers of 128 features, 1024 in the head (table 1), batch 16; for a GPU."""

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
    # Table 4 of the paper: Row LSTM, 7 layers, on binarised MNIST; its optimiser and batch (section 5.2).
    "mnist_binary_row": TrainConfig(
        images=STATIC_MNIST,
        model=dataclasses.replace(PAPER, blocks=("row",) * 7),
        steps=64_000,
        optimizer="rmsprop",
        learning_rate=1e-3,
        warmup=500,
        weight_decay=0.0,
        ema_decay=0.999,
        validate_every=10_000,
        save_every=2000,
    ),
    # Table 4 of the paper: Diagonal BiLSTM, 7 layers, on binarised MNIST (79.20 nats). The net is the paper's, 65,858
    # parameters; the optimiser and the dropout are ours: 79.25 test nats, and 79.27 in 64,000 steps without dropout.
    "mnist_binary_diagonal": TrainConfig(
        images=STATIC_MNIST,
        model=dataclasses.replace(PAPER, dropout=0.05),
        steps=54_000,
        warmup=500,
        weight_decay=0.0,
        clip_norm=0.1,
        ema_decay=0.999,
        validate_every=10_000,
        save_every=2000,
        tall_height=84,
    ),
    # Ours: wider, with dropout and the encoder's own blocks; for a GPU.
    "mnist_binary_best": TrainConfig(
        images=STATIC_MNIST,
        model=dataclasses.replace(PAPER, hidden=64, context_blocks=2, head_features=128, dropout=0.2),
        steps=100_000,
        batch_size=64,
        learning_rate=2e-3,
        warmup=1000,
        clip_norm=0.1,
        ema_decay=0.9995,
        validate_every=5000,
        save_every=2000,
        tall_height=84,
    ),
    # Gray MNIST, 256 levels, whose logits have larger gradients than two.
    "mnist_gray": TrainConfig(
        images=DataOptions("ylecun/mnist"),
        model=ModelConfig(levels=256, hidden=16, blocks=("diagonal",) * 4, head_features=64),
        steps=20_000,
        clip_norm=50.0,
        ema_decay=0.999,
        validate_every=2000,
        save_every=2000,
        tall_height=84,
    ),
    "cifar10_row": dataclasses.replace(
        CIFAR10_TRAINING, model=dataclasses.replace(CIFAR10_TRAINING.model, blocks=("row",) * 12)
    ),
    "cifar10_diagonal": CIFAR10_TRAINING,
    # Maps of tiles, whose names have no order; few maps are overfitted soon, so the best validation is kept.
    "tiles": TrainConfig(
        images=DataOptions("maps.parquet"),
        model=ModelConfig(pixels="categorical", hidden=32, blocks=("diagonal",) * 2, dropout=0.5),
        steps=1500,
        batch_size=2,
        validate_every=50,
        patience=10,
        tall_height=256,
    ),
    # A PixelCNN (section 3.3): masked convolutions alone, 15 layers of 64 features; the quickest to train.
    "pixelcnn": TrainConfig(
        images=STATIC_MNIST,
        model=ModelConfig(levels=2, hidden=32, blocks=("conv",) * 14, context_blocks=0),
        steps=64_000,
        warmup=500,
        ema_decay=0.999,
        validate_every=10_000,
        save_every=2000,
        tall_height=84,
    ),
}


def configure(arguments: list[str], about: str) -> tuple[str, TrainConfig, Path]:
    """The preset and what is asked for of it, and the run's folder; a run that was begun goes on with its own settings.

    Args:
        arguments: of the command line: the preset, "digits" where it is left out, and flags.
        about: shown by --help.

    Raises:
        ValueError: no such preset, or flags that do not go with it or with the run in the folder.
    """
    arguments = list(arguments)
    preset = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "digits"
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
    config = tyro.cli(TrainConfig, default=PRESETS[preset], args=arguments, description=about)
    if any(getattr(config.model, name) != getattr(PRESETS[preset].model, name) for name in FOLLOWING):
        raise ValueError(
            "--model.channels, --model.levels and --model.legend follow the data; choose --channels and --levels"
        )
    folder = config.out or Path("runs") / preset
    begun = read_settings(folder, preset, PRESETS[preset])
    if begun is not None:
        # Flags that are not given again count as they did before. Until its first state a run can be begun otherwise.
        config = tyro.cli(TrainConfig, default=begun, args=arguments)
        if has_states(folder / STATES):
            check_agreement(config, begun, folder)
        return preset, config, folder
    if (folder / CHECKPOINT).exists():
        raise ValueError(f"{folder} already holds a trained model; choose another folder with --out, or delete it")
    return preset, config, folder
