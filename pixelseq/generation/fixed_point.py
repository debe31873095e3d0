"""Samples by fixed-point iteration: every pixel at once, again and again, until nothing changes.

Song, Meng, Liao, Ermon (2021), Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving,
arXiv:2002.03629, section 3 (Jacobi iteration). Shapes: N images, C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.generation.engine import check_numbers
from pixelseq.generation.noise import Noise
from pixelseq.generation.options import SamplingOptions
from pixelseq.model.pixelrnn import PixelRNN


@torch.no_grad()
def fixed_point(
    model: PixelRNN, height: int, width: int, noise: Noise, options: SamplingOptions, progress: bool = False
) -> tuple[Tensor, int]:
    """Finds the images that the noise gives, by whole forward passes.

    A value is right once all values before it are: the first after one pass, the t-th after t passes at the latest. The
    one fixed point is therefore what raster order gives.

    Args:
        model: the model, used with dropout off; its mode is restored.
        height: H, rows.
        width: W, columns.
        noise: the noise of the N images, at its start.
        options: how levels are drawn.
        progress: whether to show a bar, which counts passes; there is at most one per value.

    Returns:
        images: [N, C, H, W], levels.
        passes: the number of passes; if it is below C * H * W, the last one changed nothing.

    Raises:
        ValueError: the model gives no probabilities.
    """
    N, C = len(noise.streams), model.config.pixel_format.channels
    uniform = noise.row(height * width, C).flatten()  # rows follow one another in the noise
    images = torch.zeros(N, C, height, width, dtype=torch.long, device=model.device)
    passes, settled = 0, False
    was_training = model.training
    try:
        model.eval()
        with tqdm(total=C * height * width, desc="sampling", unit="pass", disable=not progress) as bar:
            while not settled and passes < C * height * width:
                log_probs = model.log_probs(model.pixels(images.permute(0, 2, 3, 1)))  # [N, H, W, C, V]
                drawn = options.draw(log_probs.flatten(0, 3), uniform).view(N, height, width, C).permute(0, 3, 1, 2)
                images, settled = drawn.contiguous(), torch.equal(drawn, images)
                passes += 1
                bar.update()
        check_numbers(log_probs)
    finally:
        model.train(was_training)
    return images, passes
