"""PixelRNN: images as sequences of pixels, with exact likelihoods, sampling at any height and completion.

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelseq.generation.completion import complete, log_known
    from pixelseq.generation.options import SamplingOptions
    from pixelseq.generation.sampling import sample, stream
    from pixelseq.imaging.pictures import to_picture
    from pixelseq.model.condition import Condition
    from pixelseq.model.config import ModelConfig
    from pixelseq.model.likelihood import Likelihood, evaluate
    from pixelseq.model.pixelrnn import PixelRNN
    from pixelseq.model.state import State
    from pixelseq.pixel_format import PixelFormat

__all__ = [
    "Condition",
    "Likelihood",
    "ModelConfig",
    "PixelFormat",
    "PixelRNN",
    "SamplingOptions",
    "State",
    "complete",
    "evaluate",
    "log_known",
    "sample",
    "stream",
    "to_picture",
]

_MODULES = {
    "Condition": "model.condition",
    "Likelihood": "model.likelihood",
    "ModelConfig": "model.config",
    "PixelFormat": "pixel_format",
    "PixelRNN": "model.pixelrnn",
    "SamplingOptions": "generation.options",
    "State": "model.state",
    "complete": "generation.completion",
    "evaluate": "model.likelihood",
    "log_known": "generation.completion",
    "sample": "generation.sampling",
    "stream": "generation.sampling",
    "to_picture": "imaging.pictures",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("pixelseq")
    if name not in _MODULES:
        raise AttributeError(f"module 'pixelseq' has no attribute {name!r}")
    return getattr(import_module(f"pixelseq.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
