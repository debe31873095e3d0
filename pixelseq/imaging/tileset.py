"""Pictures of tiles, to draw maps in. H rows, W columns, h x w the pixels of a tile, V levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pixelseq.imaging.limits import MAX_PIXELS
from pixelseq.imaging.read import SUFFIXES, decode_picture
from pixelseq.pixel_format import PixelFormat

NAMED = 10
"""The most missing tiles that a message names."""


@dataclass(frozen=True)
class Tileset:
    """A picture for each level."""

    tiles: Tensor
    """uint8 [V, h, w, 3], as they look over white."""

    @property
    def height(self) -> int:
        """The rows h of a tile."""
        return self.tiles.shape[1]

    @property
    def width(self) -> int:
        """The columns w of a tile."""
        return self.tiles.shape[2]

    def draw(self, image: Tensor) -> Image.Image:
        """Draws an image of levels [1, H, W] as an RGB picture of H h rows and W w columns."""
        return Image.fromarray(self.rows(image).permute(1, 2, 0).numpy())

    def rows(self, image: Tensor) -> Tensor:
        """Gives the shades [3, H h, W w] of an image of levels [1, H, W]."""
        tiles = self.tiles[image[0].cpu().long()]  # [H, W, h, w, 3]
        return tiles.permute(4, 0, 2, 1, 3).flatten(3).flatten(1, 2)


def read_tileset(folder: Path, pixel_format: PixelFormat) -> Tileset:
    """Reads the picture of each level from a folder.

    A picture is named for the level's character in the legend, such as #.png, or for its code point, such as
    U+0023.png; where there is no legend, for the level's number, such as 3.png.

    Args:
        folder: the folder.
        pixel_format: gives the levels and the legend.

    Raises:
        ValueError: no folder, tiles that are missing, twice there, of unlike sizes, too large or no pictures, or a
            format of several channels.
    """
    if pixel_format.channels != 1:
        raise ValueError(f"`tileset` has a tile per level; the model's pixels have {pixel_format.channels} channels")
    if not folder.is_dir():
        raise ValueError(f"`tileset` is {folder}; give a folder of pictures, one per tile")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            found.setdefault(path.stem, []).append(path)
    files, missing = [], []
    for names in _names(pixel_format):
        paths = [path for name in names for path in found.get(name, [])]
        if len(paths) > 1:
            raise ValueError(f"{paths[0]} and {paths[1]} are of one tile; keep one of them")
        files += paths
        if not paths:
            missing.append(" or ".join(f"{name}.png" for name in names))
    if missing:
        named = ", ".join(missing[:NAMED]) + (", and others" if len(missing) > NAMED else "")
        raise ValueError(f"{folder} has no tile for {len(missing)} of {pixel_format.levels} levels: {named}")
    tiles = []
    for path in files:
        try:
            tiles.append(decode_picture(path, channels=3)[0])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if tiles[-1].shape != tiles[0].shape:
            sizes = [
                f"{file} is {tile.shape[2]}x{tile.shape[1]}" for file, tile in ((files[0], tiles[0]), (path, tiles[-1]))
            ]
            raise ValueError(f"tiles are of one size; {' and '.join(sizes)}")
        if len(files) * tiles[0][0].size > MAX_PIXELS:
            raise ValueError(f"{path} is too large: the {len(files)} tiles have at most {MAX_PIXELS} pixels together")
    return Tileset(torch.from_numpy(np.stack(tiles)).permute(0, 2, 3, 1).contiguous())


def _names(pixel_format: PixelFormat) -> list[tuple[str, ...]]:
    """Gives the names that the picture of each level can have."""
    if pixel_format.legend is None:
        return [(str(level),) for level in range(pixel_format.levels)]
    return [(character, f"U+{ord(character):04X}") for character in pixel_format.legend]
