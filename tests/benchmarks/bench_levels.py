"""A tile map twice as tall as the longest training map, against first-order Markov chains and held-out maps.

    python tests/benchmarks/bench_levels.py --checkpoint runs/tiles --data kid_icarus.parquet

Reports the share of rows that occur in no training map, and the share of pairs of neighbours (side by side, or one
above the other) that never were such neighbours in training. Two chains are drawn, in the size of the model's map: in
one each tile is drawn given its left neighbour, in the other given the tile above. Last line: JSON.
Shapes: H rows, W columns, V levels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from pixelseq import PixelRNN, sample
from pixelseq.data import Images, load
from pixelseq.runtime.scripts import one_line_errors, set_up_torch

Map = NDArray[np.uint8]
"""Levels [H, W]."""


@dataclass(frozen=True)
class Arguments:
    """Measures how a tile map of a trained model keeps to the maps it was trained on."""

    checkpoint: str
    """A run's folder or a checkpoint folder."""
    data: Path
    """The maps, as they were given for training."""
    seed: int = 0
    """Of the model's map and of the chains."""


class Seen:
    """What occurs in training maps.

    Args:
        maps: of one width.
        levels: V.
    """

    def __init__(self, maps: Sequence[Map], levels: int) -> None:
        self.rows = {row.tobytes() for tiles in maps for row in tiles}
        self.beside = np.sum([pair_counts(tiles, levels) for tiles in maps], axis=0) > 0  # [V, V], left and right
        self.below = np.sum([pair_counts(tiles.T, levels) for tiles in maps], axis=0) > 0  # [V, V], upper and lower

    def new_rows(self, maps: Sequence[Map]) -> float:
        """Share of the maps' rows that occur in no training map."""
        return float(np.mean([row.tobytes() not in self.rows for tiles in maps for row in tiles]))

    def invalid_pairs(self, maps: Sequence[Map]) -> float:
        """Share of the maps' neighbours, in both directions together, that never were such neighbours."""
        beside = [self.beside[tiles[:, :-1], tiles[:, 1:]].ravel() for tiles in maps]
        below = [self.below[tiles[:-1], tiles[1:]].ravel() for tiles in maps]
        return float(1 - np.concatenate(beside + below).mean())


def pair_counts(tiles: Map, levels: int) -> NDArray[np.int64]:
    """How often each level has each level as its right neighbour, [V, V]."""
    pairs = tiles[:, :-1].astype(np.int64) * levels + tiles[:, 1:]
    return np.bincount(pairs.ravel(), minlength=levels**2).reshape(levels, levels)


def chain(maps: Sequence[Map], levels: int, height: int, width: int, random: np.random.Generator) -> Map:
    """A map of which each tile is drawn given its left neighbour, at the frequencies of `maps`.

    First tiles are drawn as those of the maps' first column; after a level that has no right neighbour anywhere, all
    tiles of the maps are drawn from alike.
    """
    first = np.bincount(np.concatenate([tiles[:, 0] for tiles in maps]), minlength=levels)
    anywhere = np.bincount(np.concatenate([tiles.ravel() for tiles in maps]), minlength=levels)
    following = np.sum([pair_counts(tiles, levels) for tiles in maps], axis=0)
    following = np.where(following.sum(1, keepdims=True) > 0, following, anywhere)
    drawn = np.empty((height, width), np.uint8)
    weights = np.broadcast_to(first, (height, levels))
    for j in range(width):
        passed = weights.cumsum(1) <= random.random((height, 1)) * weights.sum(1, keepdims=True)
        drawn[:, j] = passed.sum(1)
        weights = following[drawn[:, j]]
    return drawn


def main(arguments: Arguments) -> None:
    data = load(str(arguments.data))  # the splits are those of the training
    assert isinstance(data.train, Images)
    training = [image[0].numpy() for image in data.train]
    held = [image[0].numpy() for split in (data.validation, data.test) for image in split]
    model = PixelRNN.from_pretrained(arguments.checkpoint).to(set_up_torch())
    V = model.config.pixel_format.levels
    if (highest := max(int(tiles.max()) for tiles in training + held)) >= V:
        raise ValueError(f"{arguments.data} has levels up to {highest}; the model has {V} levels, 0 to {V - 1}")
    H, W = 2 * max(len(tiles) for tiles in training), training[0].shape[1]
    sampled = sample(model, 1, H, W, arguments.seed, progress=True)[0, 0].cpu().numpy().astype(np.uint8)
    random = np.random.Generator(np.random.Philox(arguments.seed))
    maps = {
        "model": [sampled],
        "chain_given_left": [chain(training, V, H, W, random)],
        "chain_given_above": [chain([tiles.T for tiles in training], V, W, H, random).T],
        "held_out": held,
    }
    seen = Seen(training, V)
    print(f"{arguments.data.stem}: {len(training)} training maps, the longest {H // 2} rows; drawn maps {H}x{W}")
    results = {}
    for name, drawn in maps.items():
        results[name] = {
            "rows": sum(len(tiles) for tiles in drawn),
            "new_rows": round(seen.new_rows(drawn), 4),
            "invalid_pairs": round(seen.invalid_pairs(drawn), 4),
        }
        print(f"{name:18}", *(f"{key} {value}" for key, value in results[name].items()), sep="  ")
    print(json.dumps({"bench": "levels", "data": arguments.data.stem, "height": H, "width": W, **results}))


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
