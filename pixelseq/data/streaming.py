"""Training images that are read as they are needed, each process reading its own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from pixelseq.data import sources, table_files, tables
from pixelseq.data.cache import kept
from pixelseq.data.cached import Facts
from pixelseq.data.columns import Columns, find_columns
from pixelseq.data.decoding import Tally
from pixelseq.data.files import stamp
from pixelseq.data.json_files import load_json
from pixelseq.data.options import DataOptions
from pixelseq.data.rows import Row
from pixelseq.data.splits import named_splits, split_notes, with_training_images
from pixelseq.data.store import Images, Store, View
from pixelseq.imaging.read import decode_grid

SHUFFLED = 1000
"""The number of images among which each next one is chosen at random."""
HELD_OUT = 1000
"""The number of first training images that are held out for each missing split; they are kept in memory."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stream:
    """The training images of a source that is never held as a whole."""

    rows: Any
    """An IterableDataset of undecoded images."""
    columns: Columns
    options: DataOptions
    channels: int = 0
    """The colours of each image; 0 before the first image has decided."""
    view: View = field(default_factory=View)
    held_out: frozenset[bytes] = frozenset()
    """The digests of the training images that are held out, which the stream leaves out. To skip the first images would
    not do: each process would skip the first of its own."""

    def images(self, rows: Any, tally: Tally | None = None) -> Iterator[tuple[Tensor, bool]]:
        """Gives decoded images [C, H, W], and whether each is a 1-bit picture.

        Args:
            rows: the stream or a part of it.
            tally: counts what is seen of pictures.

        Raises:
            ValueError: an image cannot be decoded or has more colours than those before it.
        """
        tally = tally or Tally()
        for row in tables.stream_rows(rows, self.columns, "the stream's"):
            try:
                for image, bilevel in self._decode(row, tally):
                    if not self.held_out or digest(image) not in self.held_out:
                        yield image, bilevel
            except ValueError as error:
                if not self.options.skip_bad:
                    raise ValueError(
                        f"{self.options.name}, {row.name}: {error}; leave such images out with `skip_bad`"
                    ) from error
                log.warning("left out %s of %s: %s", row.name, self.options.name, error)

    def _decode(self, row: Row, tally: Tally) -> Iterator[tuple[Tensor, bool]]:
        if not self.columns.pictures:
            grid, levels = decode_grid(row.content, self.options.channels), self.options.levels
            if levels is not None and grid.max() >= levels:
                raise ValueError(f"it has values up to {grid.max()}; `levels` {levels} allows 0 to {levels - 1}")
            if self.channels and len(grid) != self.channels:
                raise ValueError(f"it has {len(grid)} channels; the first image has {self.channels}")
            yield torch.from_numpy(grid), False
            return
        assert isinstance(row.content, bytes | Path)
        for pixels, bilevel, depth, _ in tally.decode(row.content, self.options):
            if depth and depth.bits == 32 and self.options.range is None:
                raise ValueError("it holds whole numbers in 32 bits; say which are black and white with `range`")
            if self.channels and len(pixels) > self.channels:
                raise ValueError("it has colours and the first image has none; choose `channels` 3 or 1")
            if len(pixels) < self.channels:
                pixels = np.broadcast_to(pixels, (self.channels, *pixels.shape[1:]))
            yield torch.from_numpy(np.array(pixels)), bilevel

    def batches(self, batch_size: int, seed: int, rank: int, world: int) -> Iterator[Images]:
        """Gives a process's shares of endless batches: in an epoch each image comes once, to one of the processes.

        Raises:
            ValueError: for the reasons of `images`, or a process gets no images.
        """
        from datasets.distributed import split_dataset_by_node

        # The one place where the stream is shared out: a data loader that shares it again would lose images.
        rows = split_dataset_by_node(self.rows.shuffle(seed=seed, buffer_size=SHUFFLED), rank, world)
        share = len(range(rank, batch_size, world))
        if share == 0:
            raise ValueError(f"a batch of {batch_size} streamed images cannot be shared by {world} processes")
        endless = self._endless(rows, rank, world)
        while True:
            pieces = list(islice(endless, share))
            store = Store.of([image for image, _, _ in pieces])
            numbers, epochs = (np.array(values) for values in list(zip(*pieces, strict=True))[1:])
            yield Images(store, np.arange(share), numbers, self.view, epochs, seed)

    def _endless(self, rows: Any, rank: int, world: int) -> Iterator[tuple[Tensor, int, int]]:
        """Gives images without end, each with its number in the epoch and the epoch."""
        for epoch in count():
            rows.set_epoch(epoch)
            number = rank
            for image, _ in self.images(rows):
                yield image, number, epoch
                number += world
            if number == rank:
                raise ValueError(f"process {rank} of {world} finds no image in the stream")


def open_stream(options: DataOptions) -> tuple[Stream, dict[str, Store], Facts, list[str]]:
    """Opens a source as a stream.

    Returns:
        The stream of training images; validation and test images, whole and from the cache where the source has them;
        what was seen of all these; and what was left out or decided, one line each.

    Raises:
        ValueError: the source cannot be streamed or read.
    """
    import datasets

    source, fingerprint, notes = _open(options)
    named, left_out = named_splits(source, options.split)
    notes = [*notes, *split_notes(named, left_out, dict.fromkeys(source))]
    splits = {
        split: source[names[0]] if len(names) == 1 else datasets.concatenate_datasets([source[name] for name in names])
        for split, names in with_training_images(named, options.data, notes).items()
    }
    with table_files.in_a_line(options.name):
        features = splits["train"]._resolve_features().features
    columns = find_columns(features, options)
    if columns.text:
        raise ValueError(f"`streaming` reads pictures and integer grids; column {columns.image} holds text")
    if not columns.pictures:
        options.check_grids()
    with table_files.in_a_line(options.name):
        rows = {name: tables.undecoded(split, columns) for name, split in splits.items()}
    train = Stream(rows["train"], columns, options)
    seen = Tally()
    first = next(train.images(rows["train"], seen), None)
    if first is None:
        raise ValueError(f"{options.data} has no training images")
    train = replace(train, channels=options.channels or len(first[0]))
    held_out: dict[str, Store] = {}
    facts = Facts()
    if given := {name: split for name, split in rows.items() if name != "train"}:
        alike = replace(options, channels=cast(Any, train.channels)) if columns.pictures else options
        held_out, facts = kept([fingerprint, sorted(given)], lambda: (tables.of_streams(given, columns), []), alike)
    facts.bilevel &= first[1]
    for split in ("validation", "test"):
        if split in given:
            continue
        seen = Tally()
        found = list(islice(train.images(rows["train"], seen), HELD_OUT))
        if not found:
            raise ValueError(
                f"{options.data} has too few images to hold {HELD_OUT} out for {split}; leave `streaming` off"
            )
        images = [image for image, _ in found]
        held_out[split] = Store.of(images)
        facts.bilevel &= all(one for _, one in found)
        train = replace(train, held_out=train.held_out | {digest(image) for image in images})
        notes.append(f"no {split} images: {len(found)} of the first training images are held out")
    if "validation" not in given or "test" not in given:
        notes += [f"among the first training images: {note}" for note in seen.notes(options)]
    return train, held_out, facts, notes


def digest(image: Tensor) -> bytes:
    """Gives a digest that tells an image from others."""
    return hashlib.sha256(str(image.shape).encode() + image.numpy().tobytes()).digest()


def _open(options: DataOptions) -> tuple[Any, Any, list[str]]:
    """Opens the splits; gives JSON that changes whenever they do, and notes on what is not read, too."""
    path = options.path
    if not path.exists() and sources.is_hub_id(options.data):
        splits, commit = table_files.load_hub(options.data, streaming=True)
        return splits, [options.data, commit], []
    kind, files, notes = sources.data_files(path) if path.exists() else ("", [], [])
    if kind not in table_files.TABLES:
        raise ValueError(f"`streaming` reads parquet, arrow and JSON files and hub ids; {options.data} is none of them")
    named = sources.split_files(path, files)
    if kind == "json":
        return load_json(named, streaming=True), stamp(files), notes
    return table_files.stream_files(kind, named, options.pixel_limit), stamp(files), notes
