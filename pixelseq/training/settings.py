"""The resolved configuration of a run, kept in its folder: a run goes on with what it was begun with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from pixelseq.model.config import FORMAT_VERSION
from pixelseq.runtime.files import whole_file

SETTINGS = "training.json"
T = TypeVar("T")


def flatten(config: Any) -> dict[str, Any]:
    """The fields of a dataclass and of those in it, by dotted names, as JSON has them."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            flat |= {f"{field.name}.{name}": inner for name, inner in flatten(value).items()}
        elif isinstance(value, tuple):
            flat[field.name] = list(value)
        else:
            flat[field.name] = str(value) if isinstance(value, Path) else value
    return flat


def fill(config: T, values: dict[str, Any]) -> T:
    """The dataclass with the values that `flatten` gave.

    Raises:
        ValueError: other names than its fields.
    """
    expected = flatten(config)
    if unlike := sorted(expected.keys() ^ values.keys()):
        raise ValueError(f"the saved settings and this version differ in {', '.join(unlike)}")
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        name, before = field.name, getattr(config, field.name)
        if dataclasses.is_dataclass(before):
            inside = {
                key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")
            }
            changes[name] = fill(before, inside)
        elif isinstance(values[name], list):
            changes[name] = tuple(values[name])
        else:
            changes[name] = values[name]
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def write_settings(folder: Path, preset: str, config: Any) -> None:
    """Writes training.json."""
    with whole_file(folder / SETTINGS) as beside:
        about = {"format_version": FORMAT_VERSION, "preset": preset}
        beside.write_text(json.dumps(about | flatten(config), indent=2) + "\n")


def read_settings(folder: Path, preset: str, config: T) -> T | None:
    """The configuration that a run in this folder was begun with; None where none was.

    Args:
        folder: of the run.
        preset: that is asked for.
        config: of the same type, for the fields.

    Raises:
        ValueError: the folder holds a run of another preset or of another version of pixelseq.
    """
    path = folder / SETTINGS
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text())
        version, begun = values.pop("format_version", None), values.pop("preset")
        if version != FORMAT_VERSION:
            raise ValueError(f"it is of format_version {version}; this pixelseq goes on with {FORMAT_VERSION}")
        saved = fill(config, values)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}; choose another folder with --out") from error
    if begun != preset:
        raise ValueError(f"{folder} holds a run of preset {begun}, not {preset}; choose another folder with --out")
    return saved


def check_agreement(asked: Any, saved: Any, folder: Path) -> None:
    """Raises ValueError, naming the flags, where what is asked for is not what the run was begun with."""
    wanted, begun = flatten(asked), flatten(saved)
    differ = [
        f"--{name.removeprefix('images.').replace('_', '-')} is {wanted[name]}, the run has {begun[name]}"
        for name in wanted
        if wanted[name] != begun[name] and name != "out"
    ]
    if differ:
        raise ValueError(f"{folder} holds a run with other settings: {'; '.join(differ)}; choose another with --out")
