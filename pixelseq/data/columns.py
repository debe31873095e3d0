"""Which column of a table holds images, which labels, and which texts or vectors that images are told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelseq.data.array_files import named
from pixelseq.data.options import DataOptions
from pixelseq.data.row_files import RowFiles

WHOLE = ("int", "uint", "bool")
"""The beginnings of the names of whole-number types."""
TEXTS = ("string", "large_string")
"""The names of the types of texts."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table that hold its images, its labels, and what else images are told by."""

    data: str
    """The name of the data, for messages."""
    image: str
    pictures: bool
    """Whether the images are encoded pictures rather than grids."""
    label: str | None
    class_names: tuple[str, ...]
    files: RowFiles
    """The files that rows may name."""
    text: bool = False
    """Whether the images are text maps."""
    in_bytes: bool = False
    """Whether grids are of 8-bit integers from 0 on."""
    told: str | None = None
    """The column of texts or vectors that images are told by."""

    @property
    def used(self) -> list[str]:
        """The names of the columns that are read."""
        return list(dict.fromkeys(name for name in (self.image, self.label, self.told) if name is not None))


def find_columns(features: Mapping[str, Any], options: DataOptions) -> Columns:
    """Finds images and labels by the types of the columns, or takes those that the user names.

    Raises:
        ValueError: there is no such column, no one column of images, or a column has another type.
    """
    with named(options.name):
        image = _image_column(features, options)
        label, class_names = _label_column(features, options)
        told = _told_column(features, options)
    grid, text = _grid_type(features[image]), _is_text(features[image])
    pictures = not grid and not text
    files = _row_files(options)
    return Columns(options.name, image, pictures, label, class_names, files, text, in_bytes=grid == "uint8", told=told)


def _image_column(features: Mapping[str, Any], options: DataOptions) -> str:
    _check_named(features, "image_column", options.image_column)
    others = (options.vector_column, options.text_column)
    ranks = {name: rank for name, kind in features.items() if name not in others and (rank := _rank(kind)) is not None}
    found = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    if options.image_column is None and len(found) != 1:
        listed = ", ".join(f"{shown(name)} ({_describe(kind)})" for name, kind in features.items())
        held = "pictures, grids or text maps"
        raise ValueError(f"{len(found) or 'no'} columns hold {held}; name one by `image_column`: {listed}")
    image = options.image_column or found[0]
    kind, grid = features[image], _grid_type(features[image])
    if grid and not grid.startswith(WHOLE):
        raise ValueError(f"column {shown(image)} holds {grid}; whole numbers are expected: quantise it to levels first")
    if not grid and not _is_text(kind) and not _is_picture(kind):
        raise ValueError(
            f"column {shown(image)} holds {_describe(kind)}; expected pictures, integer grids or text maps"
        )
    return image


def _label_column(features: Mapping[str, Any], options: DataOptions) -> tuple[str | None, tuple[str, ...]]:
    """Gives the column of labels, if there is one, and the names of the labels, if they have names."""
    import datasets

    _check_named(features, "label_column", options.label_column)
    classes = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    label = options.label_column or (classes[0] if len(classes) == 1 else None)
    if label is None:
        return None, ()
    kind = features[label]
    if isinstance(kind, datasets.ClassLabel):
        return label, tuple(kind.names)
    if not isinstance(kind, datasets.Value) or not kind.dtype.startswith(("int", "uint")):
        raise ValueError(f"column {shown(label)} holds {_describe(kind)}; expected class labels or whole numbers")
    return label, ()


def _told_column(features: Mapping[str, Any], options: DataOptions) -> str | None:
    """Gives the column of texts or vectors that the user names, if any."""
    import datasets

    _check_named(features, "text_column", options.text_column)
    _check_named(features, "vector_column", options.vector_column)
    if (text := options.text_column) is not None and getattr(features[text], "dtype", None) not in TEXTS:
        raise ValueError(f"column {shown(text)} holds {_describe(features[text])}; expected texts")
    if (vector := options.vector_column) is not None:
        kind = features[vector]
        numbers = kind.feature if isinstance(kind, datasets.List | datasets.LargeList) else None
        if not str(getattr(numbers, "dtype", None)).startswith((*WHOLE, "float")):
            raise ValueError(f"column {shown(vector)} holds {_describe(kind)}; expected vectors, lists of numbers")
    return text or vector


def _check_named(features: Mapping[str, Any], flag: str, column: str | None) -> None:
    if column is not None and column not in features:
        raise ValueError(f"`{flag}` is {column!r}; the columns are {', '.join(map(shown, features))}")


def shown(name: str) -> str:
    """Gives the name of a column on one line, whatever it is."""
    return name if name.isprintable() else repr(name)


def _row_files(options: DataOptions) -> RowFiles:
    """Gives the files that rows may name: those below the data's folder, or for a set of the hub those that it has."""
    import datasets
    from huggingface_hub import constants

    if options.path.exists():
        return RowFiles((options.path if options.path.is_dir() else options.path.parent,))
    caches = datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH, constants.HF_HUB_CACHE
    return RowFiles(tuple(map(Path, caches)), hub=True)


def _rank(kind: Any) -> int | None:
    """Ranks how likely a column holds the images.

    0 pictures, 1 grids, 2 nested lists, 3 numbers that are not whole, 4 lists of texts, 5 texts.
    """
    import datasets

    if isinstance(kind, datasets.Image):
        return 0
    grid = _grid_type(kind)
    if grid is None:
        return (4 if isinstance(kind, datasets.List | datasets.LargeList) else 5) if _is_text(kind) else None
    if not grid.startswith(WHOLE):
        return 3
    return 1 if isinstance(kind, datasets.Array2D | datasets.Array3D) else 2


def _grid_type(kind: Any) -> str | None:
    """Gives the type of the numbers in a column of grids, as `decode_grid` takes them, None for other columns."""
    import datasets

    if isinstance(kind, datasets.Array2D | datasets.Array3D):
        return kind.dtype
    depth = 0
    while isinstance(kind, datasets.List | datasets.LargeList):
        kind, depth = kind.feature, depth + 1
    return kind.dtype if depth in (2, 3) and isinstance(kind, datasets.Value) else None


def _is_text(kind: Any) -> bool:
    """Tells whether a column holds texts or lists of texts, the lines of maps."""
    import datasets

    if isinstance(kind, datasets.List | datasets.LargeList):
        kind = kind.feature
    return getattr(kind, "dtype", None) in TEXTS


def _is_picture(kind: Any) -> bool:
    """Tells whether a column can hold pictures: of that type, bytes, or a struct of bytes and path."""
    import datasets

    if isinstance(kind, dict):
        return {"bytes", "path"} <= kind.keys()
    return isinstance(kind, datasets.Image) or getattr(kind, "dtype", None) in ("binary", "large_binary")


def _describe(kind: Any) -> str:
    return getattr(kind, "dtype", None) or type(kind).__name__
