"""A picture that is written as it is drawn. Shapes: C colours, W columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from pixelseq.imaging.png_stream import save_png_stream
from pixelseq.imaging.tileset import Tileset
from pixelseq.pixel_format import PixelFormat
from pixelseq.runtime.signals import Signals


def write_strip(
    drawn: Iterator[Tensor], height: int, pixel_format: PixelFormat, path: Path, tiles: Tileset | None = None
) -> None:
    """Writes one image row by row as it is drawn, with a bar, and says so; of one that a signal ends, the rows so far.

    Args:
        drawn: rows of levels [1, C, W], as of `stream`; they need not end.
        height: the rows of the image.
        pixel_format: their format.
        path: the PNG to write.
        tiles: as in `to_picture`.

    Raises:
        SystemExit: a signal has ended it, with 128 and its number.
        OSError: not all rows could be written.
    """

    def rows() -> Iterator[Tensor]:
        for row in tqdm(islice(drawn, height), total=height, desc="sampling", unit="row"):
            yield from [row[0]] if tiles is None else tiles.rows(row[0, :, None]).unbind(1)
            if signals.received:
                break

    with Signals() as signals:
        shown = pixel_format if tiles is None else PixelFormat(channels=3)
        written = save_png_stream(rows(), shown, path) // (1 if tiles is None else tiles.height)
    if signals.received:
        print(f"stopped: {path} holds the first {written} of {height} rows")
        raise SystemExit(128 + signals.received)
    print(f"wrote an image of {height} rows to {path}")
