"""Loads the data set that the user asks for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from pixelseq.data import bundled, sources
from pixelseq.data.cache import BAD_NAMED, stores
from pixelseq.data.cached import Facts
from pixelseq.data.dataset import Dataset, SourceImages
from pixelseq.data.options import DataOptions, parse_size
from pixelseq.data.splits import cut, with_all_splits, with_training_images
from pixelseq.data.store import Images, View
from pixelseq.data.streaming import Stream, open_stream
from pixelseq.data.texts import legend_notes
from pixelseq.imaging.levels import SHADES, level_of_shade
from pixelseq.model.inputs import whole_number
from pixelseq.pixel_format import PixelFormat

DEFAULT_CROP = "32x32"
"""The size of crops of photographs, and the largest where one picture is all there is."""
LARGE = 2**18
"""The most values of an image of which nothing is said."""


@dataclass(frozen=True)
class _Found:
    """Images before they are quantised."""

    splits: dict[str, Images]
    """The images of each split that the source names, or all that it has by the name `ALL`."""
    levels: int
    """The number of levels where the user does not choose."""
    shades: int | None
    """The number of shades that stored values can be, from 0 on; None where they are levels."""
    more_tests: dict[str, Images] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    legend: str | None = None
    notes: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    """The values that turned out to be black and white, where the pictures decide."""
    train: Stream | None = None
    """The training images where they are streamed, instead of `splits["train"]`."""


def load(options: DataOptions | str, seed: int = 0, legend: str | None = None) -> Dataset:
    """Loads a data set: a bundled one, one at a path, or one of the hub, tried in this order.

    Args:
        options: the options of the data set, or its `data` alone.
        seed: the seed of splits that are made, and of the one draw of stochastic pixels that evaluation sees.
        legend: the characters of a model's levels, which text maps are then read by; by default the legend beside the
            maps, or else the characters found.

    Raises:
        ValueError: there is no data set of that name, its images cannot be read, the options do not suit them, or the
            seed is out of range.
    """
    seed = whole_number(seed, "seed", least=0, bits=64)
    found, options = _find(options, legend)
    if found.train is None:
        found, options = _divided(found, options, seed)
    pixel_format, view, notes = _view(found, options)

    def seen(images: Images) -> Images:
        return replace(images, view=view, seed=seed)

    large = [] if found.train else _large(seen(found.splits["train"]), options)
    return Dataset(
        options.name,
        pixel_format,
        train=replace(found.train, view=view) if found.train else seen(found.splits["train"]),
        validation=seen(found.splits["validation"]),
        test=seen(found.splits["test"]),
        more_tests={name: seen(images) for name, images in found.more_tests.items()},
        class_names=found.class_names,
        preprocessing=replace(options.preprocessing, value_range=options.value_range or found.value_range),
        notes=(*found.notes, *notes, *large),
    )


def load_as_named(options: DataOptions | str, seed: int = 0, legend: str | None = None) -> SourceImages:
    """Loads the images of a source in the splits that it names, as evaluation sees them; no splits are made.

    Args:
        options: as in `load`; training images that are streamed are none of the images.
        seed: the seed of the one draw of stochastic pixels.
        legend: as in `load`.

    Raises:
        ValueError: for the reasons of `load`, but for what training alone asks of a source.
    """
    seed = whole_number(seed, "seed", least=0, bits=64)
    found, options = _find(options, legend)
    pixel_format, view, notes = _view(found, options)
    splits = {split: replace(images, view=view, seed=seed) for split, images in found.splits.items()}
    return SourceImages(options.name, pixel_format, splits, found.class_names, (*found.notes, *notes))


def _find(options: DataOptions | str, legend: str | None) -> tuple[_Found, DataOptions]:
    options = DataOptions(options) if isinstance(options, str) else options
    if options.streaming:
        return _streamed(options), options
    if options.bundled is not None:
        return _bundled(options)
    return _decoded(options, legend)


def _bundled(options: DataOptions) -> tuple[_Found, DataOptions]:
    options.check_no_columns()
    options.check_no_shape()
    if options.split is not None:
        raise ValueError(f"`split` is {options.split!r}, but the splits of {options.name} are given")
    if options.bundled == "photos":
        if options.range is not None:
            raise ValueError(f"`range` is {options.range}, for pictures of more than 8 bits; photos has none")
        options = replace(options, crop=options.crop or DEFAULT_CROP)
        return _Found(_cut(bundled.photos(options), options), SHADES, SHADES), options
    for flag in options.for_pictures:
        if flag != "channels" or options.channels != 1:
            raise ValueError(f"`{flag}` is for pictures; {options.name} has 8 columns of {bundled.DIGIT_LEVELS} levels")
    splits, more = (bundled.digits(), {}) if options.bundled == "digits" else bundled.digit_columns()
    names = tuple("0123456789") if options.bundled == "digits" else ()
    return _Found(splits, bundled.DIGIT_LEVELS, bundled.DIGIT_LEVELS, more, names), options


def _decoded(options: DataOptions, legend: str | None) -> tuple[_Found, DataOptions]:
    source = sources.find(options, legend)
    found, facts = stores(source, options)
    splits = {name: Images.of(store) for name, store in found.items()}
    notes, names = [*source.notes, *_notes(facts)], tuple(facts.class_names)
    if facts.pictures:
        levels = 2 if facts.bilevel else SHADES
        white = None if facts.white is None else (0.0, facts.white)
        return _Found(splits, levels, SHADES, class_names=names, notes=tuple(notes), value_range=white), options
    characters = facts.legend or (source.legend.characters if source.legend else None)
    if facts.legend:
        _check_text_options(options, facts.legend)
        notes += legend_notes(facts.legend, source.legend)
        options = replace(options, pixels="categorical")
    shades = None
    if _are_shades(facts, options):
        shades = SHADES
        use = "that pixels are drawn by" if options.binarize else f"each the nearest of {options.levels} levels"
        notes.append(f"8-bit integers up to {facts.largest} are shades 0 to 255, {use}")
    levels = max(2, facts.largest + 1, len(characters or ""))
    return _Found(splits, levels, shades, class_names=names, legend=characters, notes=tuple(notes)), options


def _check_text_options(options: DataOptions, legend: str) -> None:
    if options.binarize:
        raise ValueError(f"`binarize` draws pixels from their shades; {options.data} is text, which has none")
    if options.channels not in (None, 1):
        raise ValueError(f"`channels` is {options.channels}; {options.data} is text, with one tile per pixel")
    if options.levels not in (None, len(legend)):
        raise ValueError(f"`levels` is {options.levels}; the text has {len(legend)} characters: {legend!r}")


def _divided(found: _Found, options: DataOptions, seed: int) -> tuple[_Found, DataOptions]:
    """Makes the splits that the source does not name, as training needs them."""
    splits = with_training_images(found.splits, options.data, found.notes)
    if list(splits) == ["train"] and len(splits["train"]) == 1:
        made = []
        if options.crop is None:
            H, W = np.minimum(splits["train"].store.sizes[0], parse_size(DEFAULT_CROP, "crop")).tolist()
            options = replace(options, crop=f"{H}x{W}")
            made = [f"one image alone: training on crops of {options.crop}; choose others with `crop`"]
        splits = _cut([splits["train"].store[0]], options)
    else:
        splits, made = with_all_splits(splits, seed)
    return replace(found, splits=splits, notes=(*found.notes, *made)), options


def _streamed(options: DataOptions) -> _Found:
    train, held_out, facts, made = open_stream(options)
    pictures = train.columns.pictures
    if not pictures and options.levels is None:
        raise ValueError("streamed grids are not read beforehand; say how many levels they have with `levels`")
    levels = (2 if facts.bilevel else SHADES) if pictures else max(options.levels or 0, facts.largest + 1)
    splits = {name: Images.of(store) for name, store in held_out.items()}
    return _Found(splits, levels, SHADES if pictures else None, notes=(*_notes(facts), *made), train=train)


def _are_shades(facts: Facts, options: DataOptions) -> bool:
    """Tells whether integers are shades: ordered ones in 8 bits that reach beyond half of these and beyond `levels`.

    Integers within `levels` are levels as they are; smaller ones beyond `levels` are more likely tiles or tokens.
    """
    levels = 2 if options.binarize else options.levels
    beyond = levels is not None and facts.largest >= max(levels, SHADES // 2)
    return beyond and facts.in_bytes and options.pixels == "ordinal"


def _notes(facts: Facts) -> list[str]:
    notes = list(facts.split_notes)
    if facts.bad:
        named = "; ".join(facts.bad[:BAD_NAMED]) + ("; and others" if len(facts.bad) > BAD_NAMED else "")
        notes.append(f"left out {len(facts.bad)} bad images: {named}")
    return [*notes, *facts.notes]


def _large(images: Images, options: DataOptions) -> list[str]:
    """Says in one line that images are large, where nobody asked for parts of them."""
    values = int(images.sizes.prod(1).max(initial=0)) * images.channels
    if options.crop or values <= LARGE:
        return []
    H, W = images.sizes[images.sizes.prod(1).argmax()].tolist()
    size = f"{H}x{W} pixels" if images.channels == 1 else f"{H}x{W} pixels, {images.channels} channels"
    return [f"training takes images whole, which have up to {values:,} values ({size}): choose `crop` or `resize`"]


def _cut(pictures: list[Tensor], options: DataOptions) -> dict[str, Images]:
    assert options.crop_size is not None
    return cut(pictures, options.crop_size)


def _view(found: _Found, options: DataOptions) -> tuple[PixelFormat, View, list[str]]:
    """Gives the format of the pixels, the view that makes levels of stored values, and notes on the two."""
    levels, view = _levels(found, options)
    legend, notes = found.legend, []
    if legend is not None and len(legend) != levels:
        legend, notes = None, [f"the legend {legend!r} is left out: there are {levels} levels"]
    channels = next(iter(found.splits.values())).channels
    return PixelFormat(channels, levels, options.pixels, legend), view, notes


def _levels(found: _Found, options: DataOptions) -> tuple[int, View]:
    geometry = View(crop=options.crop_size, flip=options.flip)
    if options.binarize:
        return 2, replace(geometry, binarize=found.shades or found.levels)
    levels = options.levels or found.levels
    if found.shades is None:
        if found.levels > max(levels, 2):
            raise ValueError(
                f"{options.data} has values up to {found.levels - 1}; `levels` {levels} allows 0 to {levels - 1}: "
                "choose more, or store shades 0 to 255 as uint8"
            )
        return levels, geometry
    if levels > found.shades:
        raise ValueError(f"`levels` is {levels}; {options.data} has {found.shades} shades")
    if levels == found.shades:
        return levels, geometry
    return levels, replace(geometry, table=level_of_shade(levels, found.shades - 1))
