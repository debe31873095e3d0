"""PixelRNN: images as sequences of pixels, with exact likelihoods, sampling at any height and completion."""

from pixelseq.completion import complete, log_known
from pixelseq.config import ModelConfig
from pixelseq.likelihood import Likelihood, evaluate
from pixelseq.model import PixelRNN
from pixelseq.sampling import sample, stream
from pixelseq.state import State

__all__ = ["Likelihood", "ModelConfig", "PixelRNN", "State", "complete", "evaluate", "log_known", "sample", "stream"]
