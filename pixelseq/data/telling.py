"""The texts and vectors that images are told by, on their way from a table into vectors of one length.

Shapes: N images, K numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelseq.data.files import stamp
from pixelseq.data.options import DataOptions
from pixelseq.model.text_encoder import TextEncoder, load_text_encoder, named_encoder

ToVectors = Callable[[Sequence[str | NDArray[np.float32]]], NDArray[np.float32]]
"""Makes vectors [N, K] of what N images are told by, texts or vectors."""


def encoder_fingerprint(options: DataOptions) -> Any:
    """Gives JSON that changes whenever the encoder of texts does, if one is asked; of the hub's it is the name."""
    if options.text_column is None:
        return None
    folder = Path(name := named_encoder(options.text_encoder))
    return [name, *stamp(sorted(file for file in folder.rglob("*") if file.is_file()))]


def check_told(told: str | list[float] | None) -> None:
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
    encode, known = load_text_encoder(options.text_encoder), dict[str, NDArray[np.float32]]()
    return lambda texts: _encoded([str(text) for text in texts], encode, known)


def _encoded(texts: list[str], encode: TextEncoder, known: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Makes vectors of texts, each different one once: images share wordings, and batches of unlike sizes round."""
    if new := list(dict.fromkeys(text for text in texts if text not in known)):
        known.update(zip(new, encode(new).numpy(), strict=True))
    return np.stack([known[text] for text in texts])


def _stacked(vectors: Sequence[str | NDArray[np.float32]]) -> NDArray[np.float32]:
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        shown = ", ".join(map(str, sorted(lengths)[:5]))
        raise ValueError(f"vectors have {shown} numbers; expected one length for all")
    stacked = np.stack([np.asarray(vector, np.float32) for vector in vectors])
    if not np.isfinite(stacked).all():
        raise ValueError("vectors have numbers that are not finite")
    return stacked
