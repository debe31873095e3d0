"""Chooses the walker that fits a model: by steps, compiled, or by CUDA graphs."""

from __future__ import annotations

import torch

from pixelseq.generation.engine import StepWalker, Walker
from pixelseq.generation.guidance import beside_untold
from pixelseq.kernels.backends import choose_backend
from pixelseq.model.condition import Condition
from pixelseq.model.pixelrnn import PixelRNN


def start_walk(
    model: PixelRNN,
    batch: int,
    width: int,
    condition: Condition | None = None,
    order: int = 0,
    guidance: float = 0.0,
) -> Walker:
    """Makes the fastest walker for a model's device and type, at the first pixel of `batch` images of `width` columns.

    The environment variable PIXELSEQ_BACKEND chooses as it does for the scans; "reference" goes step by step.

    Args:
        model: the distribution of images.
        batch: the number of images.
        width: the columns of the images, turned.
        condition: what the images are told by.
        order: the raster order, in which the images are turned.
        guidance: as in `Walker`.

    Raises:
        ValueError: batch or width is out of range; the model cannot be told the condition, has not learned the order,
            or cannot be guided.
    """
    told = beside_untold(model, batch, condition, guidance)
    state = model.init_state(batch * (2 if guidance else 1), width, told, order)
    with torch.autocast(model.device.type, enabled=False):  # walks are in the model's own types
        backend = choose_backend(None, model.encoder.first.weight)
    if backend == "numba":
        from pixelseq.generation.compiled import CompiledModel, CompiledWalker

        return CompiledWalker.start(CompiledModel(model, width), state, guidance)
    if backend == "triton" and model.device.type == "cuda":
        from pixelseq.generation.cuda_graphs import GraphWalker

        return GraphWalker(model, state, guidance)
    return StepWalker(model, state, guidance)
