"""What an image is told by. Shapes: B images, K numbers of a vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelseq.model.config import ModelConfig
from pixelseq.model.inputs import Integers, as_tensor

NO_LABEL = -1
"""The label of an image that is not told its own."""


@dataclass(frozen=True)
class Condition:
    """What images are told by, p(image | condition); whatever is left out is not told.

    Raises:
        TypeError: a field is neither a tensor nor an array of the expected kind.
        ValueError: a field has another shape or type, or fields are of unlike numbers of images.
    """

    label: Tensor | None = None
    """[B], whole numbers: the class of each image, or -1 where it is not told."""
    vector: Tensor | None = None
    """[B, K], numbers, such as the embedding of a text."""
    vector_known: Tensor | None = None
    """[B], bool, the images that are told their vector; by default all are."""

    def __post_init__(self) -> None:
        if self.label is not None:
            object.__setattr__(self, "label", _whole_numbers(self.label))
        if self.vector is not None:
            object.__setattr__(self, "vector", _vectors(self.vector))
        if self.vector_known is not None:
            if self.vector is None:
                raise ValueError("a condition has vector_known and no vector")
            known = as_tensor(self.vector_known, "vector_known")
            if known.dtype != torch.bool or known.ndim != 1:
                raise ValueError(f"vector_known is {known.dtype} of {list(known.shape)}; expected bool, one per image")
            object.__setattr__(self, "vector_known", known)
        counts = {name: len(tensor) for name, tensor in self._tensors().items()}
        if len(set(counts.values())) > 1:
            named = ", ".join(f"{name} of {count}" for name, count in counts.items())
            raise ValueError(f"the parts of a condition are of unlike numbers of images: {named}")

    @property
    def batch(self) -> int | None:
        """The number of images B; None where nothing is told."""
        return next((len(tensor) for tensor in self._tensors().values()), None)

    def to(self, device: torch.device) -> Condition:
        """Moves the condition to a device."""
        return self._map(lambda tensor: tensor.to(device))

    def select(self, images: Tensor) -> Condition:
        """Picks the images of these indices [n], any of them repeatedly."""
        return self._map(lambda tensor: tensor[images.to(tensor.device)])

    def for_images(self, batch: int) -> Condition:
        """Gives the condition of `batch` images; one of a single image is that of all.

        Raises:
            ValueError: it is of another number of images.
        """
        if self.batch in (None, batch):
            return self
        if self.batch != 1:
            raise ValueError(f"the condition is of {self.batch} images; {batch} are asked for")
        return self.select(torch.zeros(batch, dtype=torch.long))

    def check(self, config: ModelConfig) -> None:
        """Raises ValueError where a model cannot be told this, or has learned to be told more."""
        if self.label is not None:
            if not config.classes:
                raise ValueError("the model knows no labels: it was not trained with a condition of labels")
            low, high = self.label.min().item(), self.label.max().item()
            if low < NO_LABEL or high >= config.classes:
                raise ValueError(f"labels are from {low} to {high}; the model knows 0 to {config.classes - 1}")
        if self.vector is not None:
            if not config.vector_features:
                raise ValueError("the model knows no vectors: it was not trained with a condition of vectors or texts")
            if self.vector.shape[1] != config.vector_features:
                raise ValueError(
                    f"vectors have {self.vector.shape[1]} numbers; the model expects {config.vector_features}"
                )
        if config.condition_dropout:
            return
        if config.classes and (self.label is None or bool((self.label == NO_LABEL).any())):
            raise ValueError(
                f"the model must be told the label of every image, 0 to {config.classes - 1}, by `label`: it was "
                "trained without condition_dropout"
            )
        if config.vector_features and (
            self.vector is None or not (self.vector_known is None or self.vector_known.all())
        ):
            of_vectors = f"a vector of {config.vector_features} numbers of every image, by Condition(vector=...)"
            what = "the text of every image, by `prompt`" if config.text_encoder else of_vectors
            raise ValueError(f"the model must be told {what}: it was trained without condition_dropout")

    def _tensors(self) -> dict[str, Tensor]:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def _map(self, function: Callable[[Tensor], Tensor]) -> Condition:
        return Condition(**{name: function(tensor) for name, tensor in self._tensors().items()})


def _whole_numbers(label: Integers) -> Tensor:
    label = as_tensor(label, "label")
    if (
        label.ndim != 1
        or not len(label)
        or label.is_floating_point()
        or label.is_complex()
        or label.dtype == torch.bool
    ):
        raise ValueError(f"label is {label.dtype} of {list(label.shape)}; expected whole numbers, one per image")
    return label.long()


def _vectors(vector: Tensor | NDArray[np.floating]) -> Tensor:
    if isinstance(vector, np.ndarray):
        vector = torch.from_numpy(np.ascontiguousarray(vector, dtype=np.float32))
    if not isinstance(vector, Tensor):
        raise TypeError(f"vector is a {type(vector).__name__}; give a torch tensor or a NumPy array of numbers")
    if vector.ndim != 2 or 0 in vector.shape or vector.is_complex():
        raise ValueError(f"vector is {vector.dtype} of {list(vector.shape)}; expected numbers, [images, features]")
    if not vector.isfinite().all():
        raise ValueError("vector has numbers that are not finite")
    return vector if vector.is_floating_point() else vector.float()
