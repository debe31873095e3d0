"""The texts and vectors that images are told by, on their way from a table into vectors of one length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pixelseq.data.options import DataOptions
from pixelseq.model.text_encoder import TextEncoder, load_text_encoder

Told = str | list[float]
"""A text or a vector."""
ToVectors = Callable[[Sequence[Told]], Tensor]
"""Makes vectors [N, K], float32, of what N images are told by."""


def check_told(told: Told | None) -> None:
    """Raises ValueError where an image has no text or vector, or a vector is of anything but numbers."""
    if told is None:
        raise ValueError("it has no text or vector to be told by")
    if isinstance(told, list) and not all(isinstance(number, int | float) for number in told):
        raise ValueError("its vector holds more than numbers")


def vectors_of(options: DataOptions) -> ToVectors:
    """Gives what makes vectors of the column of texts or vectors that the options name.

    Raises:
        ValueError: the encoder of texts cannot be loaded. What is given raises it where vectors are of unlike lengths.
    """
    if options.text_column is None:
        return _stacked
    encode, known = load_text_encoder(options.text_encoder), dict[str, Tensor]()
    return lambda texts: _encoded([str(text) for text in texts], encode, known)


def _encoded(texts: list[str], encode: TextEncoder, known: dict[str, Tensor]) -> Tensor:
    """Makes vectors of texts, each different one once: images share wordings, and batches of unlike sizes round."""
    if new := list(dict.fromkeys(text for text in texts if text not in known)):
        known.update(zip(new, encode(new), strict=True))
    return torch.stack([known[text] for text in texts])


def _stacked(vectors: Sequence[Told]) -> Tensor:
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        shown = ", ".join(map(str, sorted(lengths)[:5]))
        raise ValueError(f"vectors have {shown} numbers; expected one length for all")
    stacked = torch.tensor(vectors, dtype=torch.float32)
    if not stacked.isfinite().all():
        raise ValueError("vectors have numbers that are not finite")
    return stacked
