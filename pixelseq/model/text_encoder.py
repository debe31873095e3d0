"""Sentence encoders, which make vectors of texts. Shapes: N texts, K numbers of a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pixelseq.model.hub import download
from pixelseq.runtime.names import as_path

TextEncoder = Callable[[Sequence[str]], Tensor]
"""Makes vectors [N, K], float32, of texts."""
FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
"""The files of a sentence encoder that are read; nothing is unpickled."""


def named_encoder(name: str) -> str:
    """Gives the name of an encoder as it is kept: of a folder here the whole path, whatever folder it is read from."""
    folder = as_path(name)
    return str(folder.resolve()) if folder.is_dir() else name


def load_text_encoder(name: str) -> TextEncoder:
    """Loads a sentence encoder (Reimers and Gurevych 2019, Sentence-BERT, arXiv:1908.10084).

    Args:
        name: a folder that the sentence-transformers library has saved, or the id of one on the hub.

    Raises:
        ValueError: sentence-transformers is not installed, or nothing of that name is an encoder.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise ValueError(
            f"texts need the package sentence-transformers ({error}): pip install 'pixelseq[text]'"
        ) from error
    folder = as_path(name)
    logging.disable_progress_bar()
    try:
        found = folder if folder.is_dir() else download(name, None, FILES)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        encoder = SentenceTransformer(str(found), device=device, model_kwargs={"use_safetensors": True})
    except Exception as error:  # transformers raises many unrelated kinds
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"the text encoder {name} cannot be read: {reason[0]}") from error

    def encode(texts: Sequence[str]) -> Tensor:
        vectors: Tensor = encoder.encode(list(texts), convert_to_tensor=True, show_progress_bar=False)
        return vectors.float().cpu()

    return encode
