"""Partial pictures: a file, the part of it that is known, and completions of it in the file's own values.

Shapes: C colours, H rows, W columns, V levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pixelseq.imaging.depth import CLEAR, MOST_DARK, TOP
from pixelseq.imaging.extension import Extension
from pixelseq.imaging.levels import SHADES, shades
from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.masks import resized
from pixelseq.imaging.palette import find_colours, palette
from pixelseq.imaging.pictures import check_pictures, levels_of
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.imaging.read import DEEP_MODES, Reading, as_seen, open_first
from pixelseq.pixel_format import PixelFormat

BANDS = {"L": [0], "LA": [0, 3], "RGB": [0, 1, 2], "RGBA": [0, 1, 2, 3]}
"""Modes of pictures of 8 bits per value, and which of red, green, blue and alpha their values are."""
OWN_MODES = ("1", "I;16", "P", *BANDS)
"""Modes of pictures that a PNG holds as they are."""
AS_IT_IS = Preprocessing()


@dataclass(frozen=True)
class PartialPicture:
    """A picture of which a part is known."""

    path: Path
    pixel_format: PixelFormat
    """The format of what the model draws."""
    known: Tensor
    """bool [H, W], True where a pixel is known."""
    levels: Tensor
    """uint8 [C, H, W], what the model sees where the picture is known."""
    own: Image.Image
    """The picture with the file's own values, in one of `OWN_MODES`."""
    note: str | None
    """What the user should know of how the picture is read, in one line without its name."""

    def filled(self, completion: Tensor) -> Image.Image:
        """Fills the picture with a completion where it is unknown.

        Args:
            completion: levels [C, H, W].

        Returns:
            A picture of the file's mode, palette and transparent colour, whose known pixels have the file's own values,
            if it can hold what is drawn; otherwise a picture of the first of the modes L, LA, RGB and RGBA that can.
        """
        unknown = ~self.known.numpy()
        drawn = self._rgba(completion)
        values = np.array(self.own)
        values[unknown] = self._in_own_mode(completion, drawn)[unknown]
        filled = _with_values(self.own, values)
        wide = _from_rgba(np.where(unknown, drawn, as_seen(self.own, 4)))
        return filled if np.array_equal(as_seen(filled, 4), as_seen(wide, 4)) else wide

    def extended(self, extension: Extension, max_pixels: int = MAX_PIXELS) -> PartialPicture:
        """Gives the picture with unknown pixels beyond its borders.

        Args:
            extension: how many pixels.
            max_pixels: the most pixels that it may then have.

        Raises:
            ValueError: it would have more.
        """
        try:
            known = extension.around(self.known, max_pixels)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
        sides = (extension.top, extension.bottom), (extension.left, extension.right)
        values = np.array(self.own)
        own = _with_values(self.own, np.pad(values, (*sides, (0, 0))[: values.ndim]))
        return replace(self, known=known, levels=extension.around(self.levels, max_pixels), own=own)

    def _colours(self, completion: Tensor, top: int = SHADES - 1) -> NDArray[np.integer]:
        """Gives the colours [1, 3 or 4, H, W] of a completion; the highest value is `top`."""
        if self.pixel_format.ordered:
            return shades(self.pixel_format.levels, top)[completion.long()].numpy()
        return palette(self.pixel_format.levels)[completion[0].long().numpy()].transpose(2, 0, 1) * (top // 255)

    def _rgba(self, completion: Tensor) -> NDArray[np.uint8]:
        """Gives the red, green, blue and alpha [4, H, W] of a completion."""
        colours = self._colours(completion)
        alpha = colours[3:] if len(colours) == 4 else np.full_like(colours[:1], 255)
        return np.concatenate([np.broadcast_to(colours[:3], (3, *alpha.shape[1:])), alpha]).astype(np.uint8)

    def _in_own_mode(self, completion: Tensor, drawn: NDArray[np.uint8]) -> NDArray:
        """Gives a completion in the values of the picture, others where it cannot hold them.

        Args:
            completion: levels [C, H, W].
            drawn: its red, green, blue and alpha [4, H, W].

        Returns:
            [H, W], or [H, W, K] where a pixel has K values.
        """
        match self.own.mode:
            case "1":
                return drawn[0] == 255
            case "I;16":
                return self._colours(completion, TOP)[0]
            case "P":
                entries = np.arange(len(self.own.getpalette() or []) // 3, dtype=np.uint8)[None]
                return find_colours(drawn, as_seen(_with_values(self.own, entries), 4)[:, 0])
            case mode:
                values = drawn[BANDS[mode]].transpose(1, 2, 0)
                return values[..., 0] if values.shape[-1] == 1 else values


def read_partial(
    path: Path,
    pixel_format: PixelFormat,
    known: Callable[[Image.Image], Tensor],
    preprocessing: Preprocessing = AS_IT_IS,
    max_pixels: int = MAX_PIXELS,
) -> PartialPicture:
    """Reads a picture of which a part is known.

    Args:
        path: a picture of any kind; the model sees of it what training would.
        pixel_format: the format of what the model draws.
        known: gives the mask [H, W] of a picture.
        preprocessing: what training made of pictures; where it resized them a pixel is unknown if any part of it is.
        max_pixels: the most pixels that the file may have.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture, no mask of it, or known pixels in a colour that no level without an order has.
    """
    check_pictures(pixel_format)
    value_range, size = preprocessing.value_range, preprocessing.resize
    picture, depth, frames = open_first(path, Reading(value_range=value_range, max_pixels=max_pixels))
    if size == (picture.height, picture.width):
        size = None
    try:
        mask = known(picture)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if size is not None:
        mask = resized(mask, size)
    levels = levels_of(picture, path, pixel_format, mask, size)
    own = _own(picture, size)
    notes = [f"it is resized to {size[0]}x{size[1]} as in training, and so are its completions"] if size else []
    if depth and value_range:
        low, high = value_range
        notes.append(f"its values {low:g} to {high:g} become 0 to {TOP} as in training, also in its completions")
    elif depth and (depth.bits == 32 or depth.largest < MOST_DARK):
        white = SHADES - 1 if depth.bits == 32 and depth.largest < SHADES else TOP
        notes.append(f"its values reach {depth.largest:g}, and {white} is white; `range` says otherwise")
    if preprocessing.binarize:
        notes.append("in training shades were drawn as black or white, here each is the nearer one")
    if frames > 1:
        notes.append(f"it holds {frames} frames, of which the first is used")
    if picture.mode not in (*OWN_MODES, *DEEP_MODES):
        notes.append(f"it is of mode {picture.mode}, and its completions are {own.mode}")
    if pixel_format.ordered:
        notes += _losses(own, as_seen(picture, pixel_format.channels, size), levels, mask.numpy(), pixel_format)
    return PartialPicture(path, pixel_format, mask, levels, own, "; ".join(notes) or None)


def _losses(
    own: Image.Image, seen: NDArray[np.uint8], levels: Tensor, known: NDArray[np.bool_], pixel_format: PixelFormat
) -> list[str]:
    """Says what of the known pixels the model does not see.

    Args:
        own: the picture with its own values.
        seen: [C, H, W], the picture in the channels of the model.
        levels: [C, H, W], the levels of that.
        known: [H, W].
        pixel_format: the format of the model.
    """
    losses = []
    colours = as_seen(own, 4)[:, known]  # [4, known pixels]
    C, V = pixel_format.channels, pixel_format.levels
    if C < 4 and (colours[3] < 255).any():
        losses.append("the model sees its transparent pixels over white")
    if C == 1 and (colours[:2] != colours[1:3]).any():
        losses.append("the model sees its colours as grays")
    finer = (shades(V)[levels.long()].numpy() != seen)[:, known].any()
    if own.mode == "I;16" and C == 1:
        finer = (shades(V, TOP)[levels[0].long()].numpy() != np.array(own))[known].any()
    if finer:
        losses.append(f"it has more shades than the model's {V} levels, and the model sees the nearest ones")
    return losses


def _own(picture: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    """Gives a picture in one of `OWN_MODES`, without any information but which of its colours are transparent."""
    if picture.mode in DEEP_MODES:
        own: Image.Image = Image.fromarray(np.asarray(picture).astype(np.uint16))
    elif picture.mode in OWN_MODES:
        own = picture.copy()
    else:
        own = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    own.info = {CLEAR: picture.info[CLEAR]} if CLEAR in picture.info and own.mode not in ("LA", "RGBA") else {}
    if size is None:
        return own
    if own.mode not in BANDS or own.info:
        own = _from_rgba(as_seen(own, 4))
    return own.resize((size[1], size[0]), Image.Resampling.LANCZOS)


def _with_values(picture: Image.Image, values: NDArray) -> Image.Image:
    """Gives a picture of other values, [H, W] or [H, W, K], of the same mode, palette and transparent colour."""
    other = picture.resize((values.shape[1], values.shape[0]), Image.Resampling.NEAREST)
    other.frombytes((np.packbits(values, axis=1) if picture.mode == "1" else values).tobytes())
    return other


def _from_rgba(values: NDArray[np.uint8]) -> Image.Image:
    """Makes a picture of red, green, blue and alpha [4, H, W], in the first of `BANDS` that holds them."""
    gray, opaque = (values[:2] == values[1:3]).all(), (values[3] == 255).all()
    mode = ("L" if gray else "RGB") + ("" if opaque else "A")
    return Image.frombytes(mode, values.shape[:0:-1], values[BANDS[mode]].transpose(1, 2, 0).tobytes())
