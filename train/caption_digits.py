"""Makes a table of digits with sentences about them, for the preset captions.

    python train/caption_digits.py --data ylecun/mnist --out captions
    python train/run.py captions

Sentences name the digit, and some the strokes, thin or thick for a third of the images each, or the shape, upright or
slanted. The test images have wordings that no training image has.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pixelseq.data import DataOptions, Images, load
from pixelseq.data.captions import HELD_OUT, TRAINING, WORDS, Traits, caption
from pixelseq.model.inputs import whole_number
from pixelseq.runtime.files import atomic_folder
from pixelseq.runtime.scripts import one_line_errors, parse_flags


@dataclass(frozen=True)
class Arguments:
    """Makes a table of digits with sentences about them."""

    data: str = "ylecun/mnist"
    """Gray pictures of digits with labels 0 to 9, as of train/run.py."""
    out: Path = Path("captions")
    """The folder to make, with a parquet file for each split."""
    seed: int = 0
    """Seed of the wordings."""


def main(arguments: list[str]) -> None:
    with one_line_errors():
        run(parse_flags(Arguments, arguments))


def run(arguments: Arguments) -> None:
    """Writes the table."""
    whole_number(arguments.seed, "seed", least=0)
    if arguments.out.exists():
        raise ValueError(f"`out` is {arguments.out}, which exists; choose another folder")
    data = load(DataOptions(arguments.data, channels=1, levels=256))
    assert isinstance(data.train, Images)
    if any(
        own.labels is None or not set(own.labels.tolist()) <= set(range(len(WORDS))) for own in data.splits.values()
    ):
        raise ValueError(f"`data` is {arguments.data}, whose labels are not the digits 0 to 9")
    if len(np.unique(data.train.sizes, axis=0)) > 1:
        raise ValueError(f"`data` is {arguments.data}, whose pictures are of unlike sizes; expected one")
    traits = Traits.of(np.stack([image[0].numpy() for image in data.train]))
    with atomic_folder(arguments.out) as folder:
        for split, images in data.splits.items():
            write_split(
                folder / f"{split}.parquet", images, traits, HELD_OUT if split == "test" else TRAINING, arguments
            )
            print(f"{arguments.out / split}.parquet: {len(images)} images")


def write_split(path: Path, images: Images, traits: Traits, wordings: tuple[str, ...], arguments: Arguments) -> None:
    """Writes the images of a split, with their labels and sentences."""
    import datasets

    datasets.disable_progress_bars()
    assert images.labels is not None
    random = np.random.default_rng([arguments.seed, *path.stem.encode()])
    rows = [
        {
            "image": png(image),
            "label": label,
            "caption": caption(label, traits.words(image[0].numpy()), wordings, random),
        }
        for image, label in zip(images, images.labels.tolist(), strict=True)
    ]
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(map(str, range(len(WORDS)))))}
    features = datasets.Features({**kinds, "caption": datasets.Value("string")})
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)


def png(image: torch.Tensor) -> dict[str, bytes | None]:
    """Encodes an image [1, H, W] of shades as datasets keeps pictures."""
    content = io.BytesIO()
    Image.fromarray(image[0].numpy()).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


if __name__ == "__main__":
    main(sys.argv[1:])
