"""The flags of a training run: those that people use first, then the advanced ones, in boxes of --help."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, get_type_hints

import tyro

from pixelseq.runtime.help_texts import field_texts
from pixelseq.runtime.scripts import parse_flags
from pixelseq.training.config import TrainConfig

FIRST = (
    *("data", "resize", "crop", "levels"),
    *("steps", "minutes", "batch_size", "learning_rate"),
    *("init_from", "out"),
)
"""The fields, of the run or its images, whose flags come first."""

DECIDED = (
    *("classes", "class_names", "vector_features", "text_encoder"),
    *("context", "orders", "condition_dropout"),
)
"""The fields of the model that the data or other flags decide."""

Flag = tuple[str, Any, Any]
"""A field as `make_dataclass` takes it: its name, its type, its default and help."""


def parse_config(arguments: list[str], default: TrainConfig, about: str | None = None) -> TrainConfig:
    """Builds the configuration of a run from a command line.

    Each field is a flag, those of the model with `model.` before them; the model's pixel format and its conditions have
    none, since the data and other flags decide them.

    Args:
        arguments: the command line, without the preset.
        default: the configuration whose values count where a flag is left out.
        about: the text at the top of --help.

    Raises:
        ValueError: a value is out of its range.
    """
    flags = {"training": _flags(default), "images": _flags(default.images), "model": _flags(default.model, "model.")}
    common = flags["training"] | flags["images"]
    boxes = [_box(part, [flag for name, flag in own.items() if name not in FIRST]) for part, own in flags.items()]
    kind: type[Any] = dataclasses.make_dataclass("Flags", [*(common[name] for name in FIRST), *boxes])
    found = parse_flags(kind, arguments, about=about)
    values = {
        part: {name: getattr(found if name in FIRST else getattr(found, part), name) for name in own}
        for part, own in flags.items()
    }
    images = dataclasses.replace(default.images, **values["images"])
    model = dataclasses.replace(default.model, **values["model"])
    return dataclasses.replace(default, images=images, model=model, **values["training"])


def _flags(options: Any, prefix: str = "") -> dict[str, Flag]:
    """Makes the flags of a dataclass's fields, by name; fields that are dataclasses themselves have none here."""
    hints, texts = get_type_hints(type(options), include_extras=True), field_texts(type(options))
    flags = {}
    for name in hints:
        value = getattr(options, name)
        if not dataclasses.is_dataclass(value) and not (prefix and name in DECIDED):
            kind = Annotated[hints[name], tyro.conf.arg(name=prefix + name.replace("_", "-"))]  # type: ignore[valid-type]
            flags[name] = name, kind, dataclasses.field(default=value, metadata={"help": texts[name]})
    return flags


def _box(part: str, flags: list[Flag]) -> Flag:
    """Makes a field that holds the advanced flags of a part, in a box of their own."""
    box = dataclasses.make_dataclass(part, flags)
    titled = Annotated[box, tyro.conf.OmitArgPrefixes, tyro.conf.arg(name=f"advanced {part}")]  # type: ignore[valid-type]
    return part, titled, dataclasses.field(default_factory=box, metadata={"help": ""})
