"""PixelRNN: images as sequences of pixels, with exact likelihoods, sampling at any height and completion."""

from pixelseq.generation.completion import complete, log_known
from pixelseq.generation.sampling import sample, stream
from pixelseq.model.config import ModelConfig
from pixelseq.model.likelihood import Likelihood, evaluate
from pixelseq.model.pixelrnn import PixelRNN
from pixelseq.model.state import State

__all__ = ["Likelihood", "ModelConfig", "PixelRNN", "State", "complete", "evaluate", "log_known", "sample", "stream"]
