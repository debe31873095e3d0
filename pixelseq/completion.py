"""Completing partial images. Shapes: B images, C colours, H rows, W columns."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from pixelseq.model import PixelRNN
from pixelseq.sampling import Draw, Noise, walk_row


def complete(
    model: PixelRNN,
    images: Tensor,
    known: Tensor,
    num: int = 1,
    seed: int | torch.Generator = 0,
    temperature: float = 1.0,
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

    draw = Draw(temperature, top_p)
    state = model.init_state(B, W)
    noise = Noise(seed, range(first, first + B * num), model.device)
    shared_rows = int(known.all(dim=2).all(dim=0).long().cumprod(0).sum())  # walked once, not once a completion
    given, is_known = images, known
    rows = []
    for i in tqdm(range(H), desc="completing", unit="row", disable=not progress):
        uniform = noise.row(W, C)
        if i < shared_rows:
            row = walk_row(model, state, draw, uniform[::num], images[:, :, i], known[:, i])
            rows.append(row.repeat_interleave(num, dim=0))
            continue
        if i == shared_rows:
            state = state.expand(num)
            given, is_known = (tensor.repeat_interleave(num, dim=0) for tensor in (images, known))
        rows.append(walk_row(model, state, draw, uniform, given[:, :, i], is_known[:, i]))
    return torch.stack(rows, dim=2).unflatten(0, (B, num))
