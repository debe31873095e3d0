"""What a model was trained on: what its users need to know in order to give it the like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pixelseq.imaging.preprocessing import Preprocessing

FAR = 2
"""A side is quite another one where it is so many times shorter or longer than any that was trained on."""


@dataclass(frozen=True)
class TrainedOn:
    """What a model was trained on; saved in its checkpoint beside the configuration.

    Raises:
        ValueError: a size is below 1.
    """

    data: str
    """The name of the data set, without the folders that it lay in."""
    size: tuple[int, int]
    """Rows and columns of a usual training image: the median of each. Samples have this size by default."""
    smallest: tuple[int, int]
    """The fewest rows and the fewest columns of all training images."""
    largest: tuple[int, int]
    """The most rows and the most columns of all training images."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    """What was made of the images besides their channels and levels."""
    step: int | None = None
    """The steps that the weights have taken."""
    validation_nats_per_image: float | None = None
    validation_bits_per_dim: float | None = None

    def __post_init__(self) -> None:
        for name in ("size", "smallest", "largest"):
            if min(getattr(self, name)) < 1:
                raise ValueError(f"TrainedOn.{name} is {getattr(self, name)}; each side must be at least 1")

    def after(self, step: int, nats_per_image: float, bits_per_dim: float) -> TrainedOn:
        """Gives the record of the weights after some steps, with what validation measured of them."""
        return replace(self, step=step, validation_nats_per_image=nats_per_image, validation_bits_per_dim=bits_per_dim)

    def size_note(self, height: int, width: int) -> str | None:
        """Says in a line that an image has quite another size than those trained on; gives None where it has not."""
        for side, low, high in zip((height, width), self.smallest, self.largest, strict=True):
            if side * FAR < low or side > high * FAR:
                (h, w), (H, W) = self.smallest, self.largest
                seen = f"{h}x{w}" if (h, w) == (H, W) else f"{h}x{w} to {H}x{W}"
                return f"{height}x{width} (rows x columns) is quite another size than the model was trained on: {seen}"
        return None
