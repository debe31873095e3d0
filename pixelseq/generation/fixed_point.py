"""Samples by fixed-point iteration: every pixel at once, again and again, until nothing changes.

Song, Meng, Liao, Ermon (2021), Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving,
arXiv:2002.03629, section 3 (Jacobi iteration). Shapes: N images, C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.generation.engine import check_numbers
from pixelseq.generation.guidance import beside_untold, guided
from pixelseq.generation.noise import Noise
from pixelseq.generation.options import SamplingOptions
from pixelseq.model.condition import Condition
from pixelseq.model.orders import turned_size
from pixelseq.model.pixelrnn import PixelRNN


@torch.no_grad()
def fixed_point(
    model: PixelRNN,
    height: int,
    width: int,
    noise: Noise,
    options: SamplingOptions,
    progress: bool = False,
    condition: Condition | None = None,
    order: int = 0,
    guidance: float = 0.0,
) -> tuple[Tensor, int]:
    """Finds the images that the noise gives, by whole forward passes.

    A value is right once all values before it are: the first after one pass, the t-th after t passes at the latest. The
    one fixed point is therefore what raster order gives.

    Args:
        model: the model, used with dropout off; its mode is restored.
        height: H, rows, turned.
        width: W, columns, turned.
        noise: the noise of the N images, at its start.
        options: how levels are drawn.
        progress: whether to show a bar, which counts passes; there is at most one per value.
        condition: what the images are told by.
        order: the raster order, in which the images are turned.
        guidance: as in `guided`.

    Returns:
        images: [N, C, H, W], levels, turned.
        passes: the number of passes; if it is below C * H * W, the last one changed nothing.

    Raises:
        ValueError: the model gives no probabilities.
    """
    N, C = len(noise.streams), model.config.pixel_format.channels
    uniform = noise.row(height * width, C).flatten()  # rows follow one another in the noise
    images = torch.zeros(N, C, height, width, dtype=torch.long, device=model.device)
    told = beside_untold(model, N, condition, guidance)
    size = turned_size(height, width, order)  # turning is its own inverse, as to sizes
    features = model.condition_features(N * (2 if guidance else 1), told, order, size)
    passes, settled = 0, False
    was_training = model.training
    try:
        model.eval()
        with tqdm(total=C * height * width, desc="sampling", unit="pass", disable=not progress) as bar:
            while not settled and passes < C * height * width:
                pixels = model.pixels(images.permute(0, 2, 3, 1))
                if guidance:
                    both = model.log_probs(pixels.repeat_interleave(2, dim=0), features).unflatten(0, (N, 2))
                    log_probs = guided(both[:, 0], both[:, 1], guidance)  # [N, H, W, C, V]
                else:
                    log_probs = model.log_probs(pixels, features)
                drawn = options.draw(log_probs.flatten(0, 3), uniform).view(N, height, width, C).permute(0, 3, 1, 2)
                images, settled = drawn.contiguous(), torch.equal(drawn, images)
                passes += 1
                bar.update()
        check_numbers(log_probs)
    finally:
        model.train(was_training)
    return images, passes
