"""Chooses the walker that fits a model: by steps, compiled, or by CUDA graphs."""

from __future__ import annotations

import torch

from pixelseq.generation.engine import StepWalker, Walker
from pixelseq.kernels.backends import choose_backend
from pixelseq.model.pixelrnn import PixelRNN


def start_walk(model: PixelRNN, batch: int, width: int) -> Walker:
    """Makes the fastest walker for a model's device and type, at the first pixel of `batch` images of `width` columns.

    The environment variable PIXELSEQ_BACKEND chooses as it does for the scans; "reference" goes step by step.

    Raises:
        ValueError: batch or width is out of range.
    """
    state = model.init_state(batch, width)
    with torch.autocast(model.device.type, enabled=False):  # walks are in the model's own types
        backend = choose_backend(None, model.encoder.first.weight)
    if backend == "numba":
        from pixelseq.generation.compiled import CompiledModel, CompiledWalker

        return CompiledWalker.start(CompiledModel(model, width), batch)
    if backend == "triton" and model.device.type == "cuda":
        from pixelseq.generation.cuda_graphs import GraphWalker

        return GraphWalker(model, state)
    return StepWalker(model, state)
