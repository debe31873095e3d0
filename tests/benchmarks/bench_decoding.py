"""Images per second: decoding 28x28 PNGs from a parquet file the first time, and batches from the cache after that.

    python tests/benchmarks/bench_decoding.py

Checks first that what comes back is what was written. Uses one core, and compares with Pillow, which opens and loads
the same bytes in the same run. Last line: JSON.
"""

from __future__ import annotations

import io
import json
import os
import platform
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, __version__

IMAGES = 30_000
BATCH = 64
REPEATS = 5


def strokes(count: int) -> np.ndarray:
    """Gray images [count, 28, 28] of a digit's kind: dark, with a few bright soft strokes."""
    from sklearn.datasets import load_digits

    digits = load_digits().images
    chosen = digits[np.random.default_rng(0).integers(len(digits), size=count)]
    pictures = (Image.fromarray((digit * 15.9).astype(np.uint8)).resize((20, 20)) for digit in chosen)
    return np.stack([np.pad(np.asarray(picture), 4) for picture in pictures])


def write(images: np.ndarray, folder: Path) -> list[bytes]:
    """Writes train.parquet; returns the PNGs in it."""
    import datasets

    files = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files.append(file.getvalue())
    rows = [{"bytes": content, "path": None} for content in files]
    features = datasets.Features({"image": datasets.Image(decode=False)})
    table = datasets.Dataset.from_dict({"image": rows}, features=features)
    table.cast_column("image", datasets.Image()).to_parquet(folder / "train.parquet")
    return files


def main() -> None:
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        os.environ["HF_DATASETS_CACHE"] = f"{name}/cache"
        import datasets

        from pixelseq.data import Images, batches_by_width, load, training_batches

        print(f"{platform.processor() or platform.machine()}, one core, Python {platform.python_version()}, ", end="")
        print(f"torch {torch.__version__}, Pillow {__version__}, datasets {datasets.__version__}")
        datasets.disable_progress_bars()
        images = strokes(IMAGES)
        files = write(images, Path(name))
        print(f"{IMAGES} PNGs of 28x28, {sum(map(len, files)) / IMAGES:.0f} bytes each")

        decoding, pillow = [], []
        for k in range(REPEATS):
            os.utime(f"{name}/train.parquet", (k, k))  # the cache takes it for another file
            started = time.perf_counter()
            data = load(f"{name}/train.parquet")
            decoding.append(IMAGES / (time.perf_counter() - started))
            started = time.perf_counter()
            for content in files:
                Image.open(io.BytesIO(content), formats=("PNG",)).load()
            pillow.append(IMAGES / (time.perf_counter() - started))

        assert isinstance(data.train, Images)
        for part in (data.train, data.test):
            found = torch.stack(list(part)).numpy()[:, 0]
            assert (found == images[part.indices]).all(), "decoding changed an image"

        cached = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            again = load(f"{name}/train.parquet").train
            assert isinstance(again, Images)
            for batch in islice(training_batches(again, BATCH, seed=0), len(again) // BATCH):
                batches_by_width(batch)
            cached.append(len(again) / (time.perf_counter() - started))

    result = {
        "decoded_images_per_s": round(statistics.median(decoding)),
        "pillow_alone_images_per_s": round(statistics.median(pillow)),
        "cached_images_per_s": round(statistics.median(cached)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
