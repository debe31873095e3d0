"""Tells before training whether a batch can fit into memory at all."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor

from pixelseq.data.store import Images
from pixelseq.model.batch import Batch
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.training.config import TrainConfig

PROBED = (16, 32)
"""The sides of the two images that tell how memory grows with the number of pixels."""
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""The file in which Linux tells the memory that a container may use."""


def check_memory(config: TrainConfig, model: PixelRNN, images: Images, device: torch.device, processes: int) -> None:
    """Refuses batches that cannot fit: what autograd must keep of the mean image alone is more than all memory.

    This is a lower bound. A step needs more, for gradients and for what lives for a moment; other programs need some,
    too.

    Args:
        config: the sizes of batches, and the precision.
        model: the model that is trained.
        images: the training images.
        device: the device that it is trained on.
        processes: the number of processes that share a batch.

    Raises:
        ValueError: it cannot fit.
    """
    count = -(-config.batch_size // (processes * config.accumulate)) if config.batch_pixels is None else 1
    pixels = count * images.sizes.prod(1).mean()
    if pixels <= PROBED[1] ** 2:  # small ones need no answer
        return
    needed = kept_bytes_per_pixel(model) * pixels / (1 if config.precision == "float32" else 2)
    if needed > (memory := total_memory(device)):
        H, W = images.sizes.mean(0).round().astype(int).tolist()
        raise ValueError(
            f"to train on {count} images of {H}x{W} at once needs more than {_gib(needed)}, and there are "
            f"{_gib(memory)}: choose `crop`, `resize`, a smaller `batch_size`, or more parts of it by `accumulate`"
        )


def kept_bytes_per_pixel(model: PixelRNN) -> float:
    """Measures how many bytes autograd keeps for the backward pass, per pixel of an image, in float32."""
    small, large = (_kept_bytes(model, side) for side in PROBED)
    return (large - small) / (PROBED[1] ** 2 - PROBED[0] ** 2)


def total_memory(device: torch.device) -> float:
    """Gives the bytes of memory of a device, or those that a container may use of it; infinity where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    limit = LIMIT.read_text().strip() if LIMIT.is_file() else "max"
    allowed = int(limit) if limit.isdecimal() else math.inf
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return allowed
    return min(allowed, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _kept_bytes(model: PixelRNN, side: int) -> int:
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    levels = torch.zeros(1, model.config.pixel_format.channels, side, side, dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        batch = Batch(levels, torch.tensor([side])).to(model.device)
        nats = model.checked_nll(batch)  # held: what is freed could be counted twice
    del nats
    return sum(kept.values())


def _gib(count: float) -> str:
    return f"{count / 2**30:.3g} GiB"
