"""Training configurations by name."""

from __future__ import annotations

import dataclasses

from pixelseq.data.options import DataOptions
from pixelseq.model.config import ModelConfig
from pixelseq.training.config import TrainConfig

PAPER = ModelConfig(hidden=16, blocks=("diagonal",) * 7, context_blocks=0)
"""The MNIST net of van den Oord et al. 2016, tables 1 and 4: 7 layers of 16 features after a 7x7 mask A convolution."""
STATIC_MNIST = DataOptions("binarized_mnist")
"""The static binarisation of MNIST (Larochelle and Murray 2011): a folder of train, validation and test parquet files
with a column of 1-bit pictures, here by this name or elsewhere by `data`."""
MNIST_DRAWN = DataOptions("ylecun/mnist", binarize="stochastic")
"""Gray MNIST, whose pixels are drawn anew at every use with the probability of their shade."""
TOLD = TrainConfig(
    images=STATIC_MNIST,
    model=dataclasses.replace(PAPER, dropout=0.05),
    init_from="mnist-binary",
    steps=6000,
    learning_rate=1.5e-3,
    warmup=500,
    weight_decay=0.0,
    clip_norm=0.1,
    ema_decay=0.999,
    validate_every=3000,
    save_every=1000,
    tall_height=84,
)
"""The paper's MNIST net, which learns to be told more; it starts from the bundled one, which was told nothing."""
CIFAR10_TRAINING = TrainConfig(
    images=DataOptions("uoft-cs/cifar10", flip=True),
    model=ModelConfig(hidden=128, blocks=("diagonal",) * 12, context_blocks=0, head_features=1024),
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
"""The CIFAR-10 net of table 5: 12 layers of 128 features, 1024 in the head (table 1), batch 16; for a GPU."""

REDRAWING = TrainConfig(
    images=DataOptions("bundled:photos", crop="32x32", flip=True),
    model=ModelConfig(
        hidden=32, blocks=("diagonal",) * 3, context_blocks=1, head="logistic_mixture", head_features=64, dropout=0.05
    ),
    steps=2000,
    learning_rate=2e-3,
    warmup=200,
    clip_norm=50.0,
    ema_decay=0.997,
    validate_every=500,
    tall_height=96,
)
"""A small net in colour that draws images given others; on photographs, or on any pictures by `data`."""

PRESETS = {
    # 1797 real digits of 8x8 pixels: a few minutes on two CPU cores. So little data is overfitted within 1000 steps
    # without dropout; a small batch regularises too, as in van den Oord et al. 2016, section 5.2.
    "digits": TrainConfig(model=ModelConfig(dropout=0.5)),
    # The same digits in columns of 1 to 6: heights of 8 to 48 in one batch.
    "digit_columns": TrainConfig(
        images=DataOptions("bundled:digit_columns"),
        model=ModelConfig(dropout=0.3),
        steps=1500,
        learning_rate=4e-3,
        tall_height=96,
    ),
    # Random crops of two photographs in colour: shows that any picture trains; it reproduces no table.
    "photos": TrainConfig(images=DataOptions("bundled:photos", crop="16x16", flip=True), steps=1000),
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
        model=ModelConfig(hidden=16, blocks=("diagonal",) * 4, head_features=64),
        steps=20_000,
        clip_norm=50.0,
        ema_decay=0.999,
        validate_every=2000,
        save_every=2000,
        tall_height=84,
    ),
    # Drawn by label. Binarised anew at every use, as the static set was once; it has no labels.
    "mnist_label": dataclasses.replace(TOLD, images=MNIST_DRAWN, condition="label"),
    # All eight raster orders: any half of an image completes the other.
    "mnist_orders": dataclasses.replace(TOLD, orders=8),
    # Drawn by sentences; train/caption_digits.py makes the table.
    "captions": dataclasses.replace(
        TOLD, images=dataclasses.replace(MNIST_DRAWN, data="captions", text_column="caption"), condition="text"
    ),
    # Images from images: a network that is not causal reads what is given. Parts are missing:
    "digits_restore": TrainConfig(model=ModelConfig(dropout=0.5), condition_image="mask", condition_features=16),
    "mnist_restore": dataclasses.replace(TOLD, condition_image="mask", steps=3000, validate_every=1500),
    "restore": dataclasses.replace(REDRAWING, condition_image="mask"),
    # Half as high and as wide, each stage of multi-scale generation (section 3.6):
    "enlarge": dataclasses.replace(REDRAWING, condition_image="lowres:2"),
    "colour": dataclasses.replace(REDRAWING, condition_image="gray"),
    # Structure alone, of 4 shades: of another kind of pictures, it is redrawn as of those that were trained on.
    "restyle": dataclasses.replace(REDRAWING, condition_image="gray+posterize:4"),
    "cifar10_row": dataclasses.replace(
        CIFAR10_TRAINING, model=dataclasses.replace(CIFAR10_TRAINING.model, blocks=("row",) * 12)
    ),
    "cifar10_diagonal": CIFAR10_TRAINING,
    # Maps of tiles, whose names have no order; few maps are overfitted soon, so the best validation is kept.
    "tiles": TrainConfig(
        images=DataOptions("maps.parquet", pixels="categorical"),
        model=ModelConfig(hidden=32, blocks=("diagonal",) * 2, dropout=0.5),
        steps=1500,
        batch_size=2,
        validate_every=50,
        patience=10,
        tall_height=256,
    ),
    # A PixelCNN (section 3.3): masked convolutions alone, 15 layers of 64 features; the quickest to train.
    "pixelcnn": TrainConfig(
        images=STATIC_MNIST,
        model=ModelConfig(hidden=32, blocks=("conv",) * 14, context_blocks=0),
        steps=64_000,
        warmup=500,
        ema_decay=0.999,
        validate_every=10_000,
        save_every=2000,
        tall_height=84,
    ),
}
