"""Completing partial images. Shapes: B images, C colours, H rows, W columns."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.draw import Draw, Noise
from pixelseq.model import PixelRNN
from pixelseq.walker import start_walk


def complete(
    model: PixelRNN,
    images: Tensor,
    known: Tensor,
    num: int = 1,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    progress: bool = False,
    *,
    first: int = 0,
) -> Tensor:
    """Fills the unknown pixels of images: known ones are kept, unknown ones sampled in raster order.

    Each unknown pixel is drawn given everything before it, known or drawn. Where all unknown pixels come after the
    known ones this samples the exact conditional; known pixels further on are kept but do not yet influence the draw.

    Args:
        model: the distribution.
        images: [B, C, H, W], levels; what stands at unknown pixels has no influence.
        known: [B, H, W] or, for all images alike, [H, W]; bool, True = keep.
        num: completions of each image.
        seed: completion n of image b is drawn as sample first + b * num + n would be.
        temperature: see `Draw`.
        top_k: see `Draw`.
        top_p: see `Draw`.
        progress: show a bar.
        first: index of the first completion, for a request that is made in parts.

    Returns:
        [B, num, C, H, W], levels.

    Raises:
        ValueError: an argument out of range, or a mask of another size or type.
    """
    if num < 1:
        raise ValueError(f"num is {num}; at least 1 completion must be asked for")
    images, known = images.to(model.device), known.to(model.device)
    if images.ndim != 4:
        raise ValueError(f"images are {list(images.shape)}; expected [batch, channels, height, width]")
    B, C, H, W = images.shape
    if known.dtype != torch.bool:
        raise ValueError(f"known is {known.dtype}; expected bool, True = keep")
    if known.shape not in ((H, W), (B, H, W)):
        raise ValueError(f"known is {list(known.shape)}; the images ask for {[H, W]} or {[B, H, W]}")
    known = known.expand(B, H, W)
    images = torch.where(known[:, None], images, torch.zeros_like(images))
    model.check_images(images)

    draw = Draw(temperature, top_k, top_p)
    walker = start_walk(model, B, W)
    noise = Noise(seed, range(first, first + B * num), model.device)
    shared_rows = int(known.all(dim=2).all(dim=0).long().cumprod(0).sum())  # walked once, not once a completion
    given, is_known = images, known
    rows = []
    for i in tqdm(range(H), desc="completing", unit="row", disable=not progress):
        uniform = noise.row(W, C)
        if i < shared_rows:
            row, _ = walker.walk(uniform[::num], draw, images[:, :, i], known[:, i])
            rows.append(row.repeat_interleave(num, dim=0))
            continue
        if i == shared_rows:
            walker = walker.select(torch.arange(B * num, device=model.device) // num)
            given, is_known = (tensor.repeat_interleave(num, dim=0) for tensor in (images, known))
        rows.append(walker.walk(uniform, draw, given[:, :, i], is_known[:, i])[0])
    return torch.stack(rows, dim=2).unflatten(0, (B, num))
