"""What an image is told by. Shapes: B images, K numbers of a vector, C colours, H rows, W columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixelseq.model.config import ContextConfig, ModelConfig
from pixelseq.model.inputs import Bools, Integers, as_tensor
from pixelseq.model.orders import turn

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
    image: Tensor | None = None
    """[B, C, H, W], levels of a condition image, of the size of the image itself."""
    image_known: Tensor | None = None
    """[B, H, W], bool, the pixels of the condition image that are told; by default all are. An image of which nothing
    is known is not told."""

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
        if self.image is not None:
            object.__setattr__(self, "image", _images(self.image))
        if self.image_known is not None:
            object.__setattr__(self, "image_known", _masks(self.image_known, self.image))
        counts = {name: len(tensor) for name, tensor in self._tensors().items()}
        if len(set(counts.values())) > 1:
            named = ", ".join(f"{name} of {count}" for name, count in counts.items())
            raise ValueError(f"the parts of a condition are of unlike numbers of images: {named}")

    @property
    def batch(self) -> int | None:
        """The number of images B; None where nothing is told."""
        return next((len(tensor) for tensor in self._tensors().values()), None)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """The rows and columns of the condition images; None where none is told."""
        return None if self.image is None else (self.image.shape[2], self.image.shape[3])

    @property
    def image_told(self) -> Tensor | None:
        """[B], bool, the images whose condition image is told; None where there is none."""
        if self.image is None:
            return None
        if self.image_known is None:
            return torch.ones(len(self.image), dtype=torch.bool, device=self.image.device)
        return self.image_known.flatten(1).any(1)

    def context_of(self, k: int) -> tuple[Tensor, Tensor]:
        """Gives the condition image of image k, [C, H, W], and what is known of it, [H, W]."""
        assert self.image is not None
        if self.image_known is None:
            return self.image[k], torch.ones_like(self.image[k, 0], dtype=torch.bool)
        return self.image[k], self.image_known[k]

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
        self.check_batch(batch)
        return self if self.batch in (None, batch) else self.select(torch.zeros(batch, dtype=torch.long))

    def check_batch(self, batch: int) -> None:
        """Raises ValueError where the condition is neither of `batch` images nor of one for all."""
        if self.batch not in (None, 1, batch):
            raise ValueError(f"the condition is of {self.batch} images; {batch} are asked for")

    def without_image(self) -> Condition:
        """Gives all that is told but condition images."""
        return replace(self, image=None, image_known=None)

    def turned(self, order: int) -> Condition:
        """Turns the condition images so that their pixels of a raster order come in order 0."""
        if self.image is None:
            return self
        known = None if self.image_known is None else turn(self.image_known, order)
        return replace(self, image=turn(self.image, order), image_known=known)

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
        if self.image is not None:
            _check_levels(self.image, config.context)
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
        if config.context is None:
            return
        if self.image_told is None or not (config.context.masks or self.image_told.all()):
            raise ValueError(
                "the model must be told a condition image of every image, by Condition(image=...) or sample/redraw.py: "
                "it was trained without condition_dropout"
            )

    def _tensors(self) -> dict[str, Tensor]:
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    def _map(self, function: Callable[[Tensor], Tensor]) -> Condition:
        return Condition(**{name: function(tensor) for name, tensor in self._tensors().items()})


def spread(image: Tensor, factor: int) -> Tensor:
    """Makes a condition image of a smaller one: each pixel becomes a box of FxF, [..., h, w] -> [..., h * F, w * F]."""
    return image.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def check_size(condition: Condition | None, height: int, width: int) -> None:
    """Raises ValueError where condition images are not of the size of the images."""
    size = None if condition is None else condition.image_size
    if size not in (None, (height, width)):
        assert size is not None
        raise ValueError(f"condition images are {size[0]}x{size[1]} (rows x columns); the images are {height}x{width}")


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


def _images(image: Integers) -> Tensor:
    image = as_tensor(image, "image")
    if (
        image.ndim != 4
        or 0 in image.shape
        or image.is_floating_point()
        or image.is_complex()
        or image.dtype == torch.bool
    ):
        raise ValueError(f"image is {image.dtype} of {list(image.shape)}; expected levels, [images, C, H, W]")
    return image


def _masks(known: Bools, image: Tensor | None) -> Tensor:
    if image is None:
        raise ValueError("a condition has image_known and no image")
    known = as_tensor(known, "image_known")
    B, _, H, W = image.shape
    if known.dtype != torch.bool or known.shape != (B, H, W):
        raise ValueError(f"image_known is {known.dtype} of {list(known.shape)}; expected bool, {[B, H, W]}")
    return known


def _check_levels(image: Tensor, context: ContextConfig | None) -> None:
    """Raises ValueError where condition images are none that a model knows."""
    if context is None:
        raise ValueError("the model knows no condition images: it was not trained with a condition of images")
    expected = context.pixel_format
    if image.shape[1] != expected.channels:
        raise ValueError(f"condition images have {image.shape[1]} channels; the model expects {expected.channels}")
    low, high = torch.stack(image.aminmax()).tolist()  # the device is asked once
    if low < 0 or high >= expected.levels:
        raise ValueError(
            f"condition images have levels from {low} to {high}; the model expects 0 to {expected.levels - 1}"
        )
