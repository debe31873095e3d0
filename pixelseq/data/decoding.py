"""How the pictures of a data set are read, and what was seen of their depths and frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pixelseq.data.options import DataOptions
from pixelseq.imaging.depth import MOST_DARK, SHADE_TOP, TOP
from pixelseq.imaging.read import Decoded, Reading, decode_frames


@dataclass
class Tally:
    """What was seen of the pictures of a data set, which are all read by one rule."""

    whole_top: int = SHADE_TOP
    """The white of whole numbers in 32 bits: 255, or 65535 for a set that has larger ones."""
    pictures: Counter[int] = field(default_factory=Counter)
    """The number of pictures of 8 bits or less, of 16, and of 32."""
    largest: dict[int, float] = field(default_factory=dict)
    """The largest value of pictures of 16 and of 32 bits."""
    values: int = 0
    """The number of values of all these."""
    outside: int = 0
    """The number of values among them that are below black or above white."""
    files: int = 0
    """The number of files of several frames."""
    frames: int = 0
    """The number of frames of these files."""

    def decode(self, content: bytes | Path, options: DataOptions) -> Iterator[Decoded]:
        """Decodes the frames of a file that the options ask for, one after another, and counts them.

        Raises:
            ValueError: the picture cannot be read.
        """
        reading = Reading(
            channels=options.channels,
            size=options.resize_size,
            value_range=options.value_range,
            whole_top=self.whole_top,
            every_frame=options.frames == "all",
            max_pixels=options.pixel_limit,
        )
        for k, frame in enumerate(decode_frames(content, reading)):
            if k == 0 and frame.frames > 1:
                self.files += 1
                self.frames += frame.frames
            self.pictures[frame.depth.bits if frame.depth else 8] += 1
            if frame.depth:
                self.largest[frame.depth.bits] = max(self.largest.get(frame.depth.bits, 0), frame.depth.largest)
                self.values += frame.depth.values
                self.outside += frame.depth.outside
            yield frame

    def too_dark(self, options: DataOptions) -> bool:
        """Tells whether whole numbers in 32 bits were taken for shades up to 255, but a larger one was met."""
        return options.range is None and self.largest.get(32, 0) > self.whole_top

    @property
    def white(self) -> float | None:
        """What turned out to be white in a set of 32-bit pictures, if any; completion must take it for white, too."""
        return float(self.whole_top) if self.pictures[32] and (not self.pictures[16] or self.whole_top == TOP) else None

    def notes(self, options: DataOptions) -> list[str]:
        """Gives what was decided for the user, one line per decision."""
        lines = list(self._of_depths() if options.range is None else self._of_range(options.range))
        if self.files:
            held = f"{self.files} {'file holds' if self.files == 1 else 'files hold'} {self.frames} frames"
            if options.frames == "first":
                lines.append(f"{held}; the first of each is used: `frames` all takes a row per frame")
            else:
                lines.append(f"{held}, each an image of its own; splits that are made can part frames of one file")
        return lines

    def _of_depths(self) -> Iterator[str]:
        for bits, largest in self.largest.items():
            found = f"pictures of {bits} bits ({self.pictures[bits]}) have values up to {largest}"
            if bits == 32:
                yield f"{found}: {self.whole_top} is white; give what is black and white by `range` if it is not"
            elif largest < MOST_DARK:
                white = 2 ** max(8, int(largest).bit_length()) - 1
                yield f"{found} and are dark, for {TOP} is white; `range` 0,{white} makes {white} white"

    def _of_range(self, value_range: str) -> Iterator[str]:
        if self.outside:
            share = f"{100 * self.outside / self.values:.2g} %"
            yield f"`range` {value_range} makes {share} of the values black or white that are outside"
        if not self.values:
            yield f"`range` {value_range} changes nothing: no picture has more than 8 bits"
        elif self.pictures[8]:
            yield f"`range` leaves pictures of at most 8 bits ({self.pictures[8]}) as they are"
