"""Says which part of its distribution a level is drawn from. Shapes: N values, V levels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pixelseq.model.inputs import whole_number


@dataclass(frozen=True)
class SamplingOptions:
    """How a level is drawn from its distribution.

    Raises:
        ValueError: a field is out of its range.
    """

    temperature: float = 1.0
    """Divides log-probabilities: below 1 for likelier images, above 1 for varied ones, 0 for the likeliest levels."""
    top_k: int = 0
    """Draw only from this many of the likeliest levels (Fan et al. 2018); 0 means all."""
    top_p: float = 1.0
    """Draw only from the fewest likeliest levels that together hold this probability (Holtzman et al. 2020)."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"`temperature` is {self.temperature}; it must be at least 0")
        whole_number(self.top_k, "top_k", least=0, bits=64)
        if not 0 < self.top_p <= 1:
            raise ValueError(f"`top_p` is {self.top_p}; it must be above 0 and at most 1")

    def draw(self, log_probs: Tensor, uniform: Tensor) -> Tensor:
        """Draws the level at which the cumulative probability passes `uniform`: [N, V], [N] in [0, 1) -> [N]."""
        log_probs = log_probs.double()
        if self.temperature == 0:
            return log_probs.argmax(-1)
        probs = ((log_probs - log_probs.amax(-1, keepdim=True)) / self.temperature).softmax(-1)
        if self.top_p < 1 or self.top_k > 0:
            ordered, order = probs.sort(dim=-1, descending=True, stable=True)
            dropped = ordered.cumsum(-1) - ordered >= self.top_p
            if self.top_k > 0:
                dropped[:, self.top_k :] = True
            probs = probs.masked_fill(dropped.gather(-1, order.argsort(-1)), 0)
        cumulative = probs.cumsum(-1)
        return (cumulative <= uniform[:, None] * cumulative[:, -1:]).sum(-1)
