"""Decodes a source once, into files that appear whole or not at all and are used again while nothing has changed."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pixelseq.data.archives import Member
from pixelseq.data.array_files import GridFile, named
from pixelseq.data.cached import (
    LABELS,
    NAMES,
    PIXELS,
    SIZES,
    VECTORS,
    Facts,
    check_files,
    read_facts,
    read_stores,
    write_facts,
)
from pixelseq.data.decoding import Tally
from pixelseq.data.files import stamp
from pixelseq.data.options import DataOptions
from pixelseq.data.rows import Row, Table, joined
from pixelseq.data.sources import Source
from pixelseq.data.splits import named_splits, split_notes
from pixelseq.data.store import Store
from pixelseq.data.table_files import ANOTHER_PLACE
from pixelseq.data.telling import ToVectors, check_told, encoder_fingerprint, vectors_of
from pixelseq.data.texts import with_legend
from pixelseq.imaging.depth import TOP
from pixelseq.imaging.read import as_levels, decode_grid
from pixelseq.imaging.text import TextMap
from pixelseq.runtime.files import atomic_folder, in_use, remove_abandoned, remove_damaged

FORMAT = 9
"""The version of the files; another number makes old ones stale."""
VIEWED = frozenset({"data", "levels", "pixels", "binarize", "crop", "flip", "streaming"})
"""The options that decoding does not look at; another value of any other option asks for another decoding."""
WRITTEN_AT_ONCE = 2**20
BAD_NAMED = 5
DAMAGED = (ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""What is raised for files that are not what was written."""

log = logging.getLogger(__name__)


def stores(source: Source, options: DataOptions) -> tuple[dict[str, Store], Facts]:
    """Gives the decoded splits of a source, from the cache if it has them.

    Raises:
        ValueError: images cannot be decoded or do not belong together.
    """
    # The names of images, and the splits, depend on the folder that the data are called by.
    fingerprint = [options.data, source.fingerprint, source.legend and dataclasses.astuple(source.legend)]
    return kept(fingerprint, lambda: _open_splits(source, options), options)


def _open_splits(source: Source, options: DataOptions) -> tuple[dict[str, Table], list[str]]:
    found = source.open()
    splits, left_out = named_splits(found, options.split)
    notes = split_notes(splits, left_out, {name: table.count for name, table in found.items()})
    used = {name: found[name] for names in splits.values() for name in names}
    if len({(table.text, table.names_files) for table in used.values()}) > 1:
        raise ValueError(f"{', '.join(used)} of {options.name} hold images of different kinds; choose one by `split`")
    if len({table.class_names for table in used.values()}) > 1:
        notes.append(f"no labels: the class names of {', '.join(used)} differ")
        used = {name: replace(table, labelled=False, class_names=()) for name, table in used.items()}
    tables = {split: joined([used[name] for name in names]) for split, names in splits.items()}
    return with_legend(tables, source.legend), [*notes, *next(iter(tables.values())).notes]


def kept(
    fingerprint: Any, open_splits: Callable[[], tuple[dict[str, Table], list[str]]], options: DataOptions
) -> tuple[dict[str, Store], Facts]:
    """Gives decoded splits, from the cache if it has them.

    Args:
        fingerprint: JSON that changes whenever the images do; files that rows of tables name are looked at beside it.
        open_splits: opens the splits; gives them and notes on them.
        options: the options of the data set.

    Raises:
        ValueError: for the reasons of `stores`.
    """
    used = {name: value for name, value in dataclasses.asdict(options).items() if name not in VIEWED}
    used["text_encoder"] = encoder_fingerprint(options)
    key = [FORMAT, fingerprint, used]
    folder = _folder(key)
    facts = _whole(folder)
    if facts and (now := stamp(Path(str(name)) for name, *_ in facts.named)) != facts.named:
        folder = _folder([key, now])
        facts = _whole(folder)
    if facts is None:
        remove_abandoned(folder.parent)
        tables, notes = open_splits()
        with ExitStack() as lock, ExitStack() as writing:
            with _named(folder.parent, "written"):
                beside = writing.enter_context(atomic_folder(folder, replace=False))
            lock.enter_context(in_use(beside))  # other processes may decode it, too; the lock outlives the renaming
            facts = _decode(tables, options, beside)
            facts.split_notes = notes
            write_facts(beside, folder.name, facts)
        facts = read_facts(folder)
    return read_stores(folder, facts), facts


def _folder(key: object) -> Path:
    import datasets

    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return Path(datasets.config.HF_DATASETS_CACHE) / "pixelseq" / digest[:32]


def _whole(folder: Path) -> Facts | None:
    """Gives what was seen of a source in its folder; where that is damaged, says so and removes it."""
    with _named(folder, "read"):
        if not folder.exists():
            return None
        try:
            return check_files(folder)
        except DAMAGED as error:
            reason = error.strerror if isinstance(error, OSError) else error
            log.warning("the cache %s is damaged (%s): its images are decoded anew", folder, reason)
    with _named(folder, "removed"):
        remove_damaged(folder, _is_damaged)
    return None


def _is_damaged(folder: Path) -> bool:
    try:
        check_files(folder)
    except DAMAGED:
        return True
    return False


@contextmanager
def _named(folder: Path, what: str) -> Iterator[None]:
    """Says in a line that the cache cannot be used."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"the cache {folder} cannot be {what}: {error.strerror}; {ANOTHER_PLACE}") from error


def _decode(tables: dict[str, Table], options: DataOptions, folder: Path) -> Facts:
    # A set of pictures is gray until one in colour is met, and whole numbers in 32 bits are shades up to 255 until a
    # larger one is; then it is decoded anew, gray ones with three equal colours.
    first = next(iter(tables.values()))
    begun = Facts(channels=options.channels or 1, class_names=first.class_names, legend=first.legend)
    facts, tally = copy.deepcopy(begun), Tally()
    to_vectors = vectors_of(options) if first.told else None
    while not all(
        _decode_split(table, options, folder / split, facts, tally, to_vectors) for split, table in tables.items()
    ):
        facts = replace(copy.deepcopy(begun), channels=facts.channels)
        tally = Tally(whole_top=TOP if tally.too_dark(options) else tally.whole_top)
    if facts.bad and not options.skip_bad:
        named = "; ".join(facts.bad[:BAD_NAMED]) + ("; and others" if len(facts.bad) > BAD_NAMED else "")
        counts = [table.count for table in tables.values() if table.count is not None]
        of_all = f" of {sum(counts)}" if len(counts) == len(tables) else ""
        raise ValueError(
            f"{len(facts.bad)}{of_all} images of {options.name} are bad; leave them out with `skip_bad`: {named}"
        )
    facts.splits = list(tables)
    facts.notes, facts.white = tally.notes(options), None if options.range else tally.white
    return facts


def _decode_split(
    table: Table, options: DataOptions, folder: Path, facts: Facts, tally: Tally, to_vectors: ToVectors | None
) -> bool:
    """Writes a split; returns False if a picture in colour ends an attempt in gray, or large values one in shades."""
    folder.mkdir(exist_ok=True)
    sizes: list[tuple[int, int]] = []
    labels: list[int] = []
    told: list[str | np.ndarray] = []
    with (folder / PIXELS).open("wb", buffering=WRITTEN_AT_ONCE) as file, (folder / NAMES).open("w") as names:
        for row in tqdm(table.rows(), total=table.count, unit="image", delay=5, leave=False):
            if isinstance(row.content, Path) and table.names_files:
                facts.named += stamp([row.content])
            for k, pixels in enumerate(_images(row, table, options, facts, tally)):
                if len(pixels) > facts.channels or tally.too_dark(options):
                    facts.channels = max(facts.channels, len(pixels))
                    return False
                if len(pixels) < facts.channels:
                    pixels = np.broadcast_to(pixels, (facts.channels, *pixels.shape[1:]))
                sizes.append(pixels.shape[1:])
                labels.append(row.label)
                if row.told is not None:
                    told.append(row.told if isinstance(row.told, str) else np.asarray(row.told, np.float32))
                names.write(json.dumps(f"{row.name}, frame {k + 1}" if k else row.name) + "\n")
                file.write(pixels.tobytes())
    if not sizes and facts.bad:
        raise ValueError(f"no image of the {len(facts.bad)} of {options.name} can be decoded: {facts.bad[0]}")
    if not sizes:
        raise ValueError(f"{options.data} has no images in {folder.name}; leave this split out with `split`")
    np.save(folder / SIZES, np.array(sizes, dtype=np.int64))
    if table.labelled:
        np.save(folder / LABELS, np.array(labels, dtype=np.int64))
    if to_vectors is not None:
        with named(options.name):
            np.save(folder / VECTORS, to_vectors(told))
    return True


def _images(row: Row, table: Table, options: DataOptions, facts: Facts, tally: Tally) -> Iterator[np.ndarray]:
    """Gives a grid, a text map, or the frames of a picture up to one that cannot be decoded, each [C, H, W]."""
    name, content = row.name, row.content
    try:
        if table.told:
            check_told(row.told)
        if isinstance(content, TextMap):
            content = content.levels(facts.legend)
        elif isinstance(content, GridFile):
            content = content.read(options.channels, options.pixel_limit)
        elif isinstance(content, Member):
            content = content.read_bytes()
        if isinstance(content, bytes | Path):
            for frame in tally.decode(content, options):
                facts.bilevel &= frame.bilevel
                yield frame.pixels
            return
    except ValueError as error:
        facts.bad.append(str(error) if isinstance(content, GridFile) else f"{name}: {error}")
        return
    facts.in_bytes &= content.dtype == np.uint8 if isinstance(content, np.ndarray) else table.in_bytes
    yield _checked_grid(name, content, options, facts, is_first=facts.pictures)


def _checked_grid(
    name: str, content: np.ndarray | list, options: DataOptions, facts: Facts, is_first: bool
) -> np.ndarray:
    options.check_grids()
    try:
        grid = as_levels(content) if isinstance(content, np.ndarray) else decode_grid(content, options.channels)
    except ValueError as error:
        raise ValueError(f"{options.data}, {name}: {error}") from error
    if is_first:
        facts.channels, facts.pictures, facts.bilevel = len(grid), False, False
    if len(grid) != facts.channels:
        raise ValueError(f"{options.data}, {name} has {len(grid)} channels; the images before it have {facts.channels}")
    facts.largest = max(facts.largest, int(grid.max()))
    return grid
