"""Keeps the configuration of a run in its folder: a run goes on with what it was begun with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelseq.runtime.codec import from_plain, read_object, to_plain, to_sealed, unsealed
from pixelseq.runtime.files import atomic_write
from pixelseq.training.config import TrainConfig

SETTINGS = "training.json"
FORMAT_VERSION = 8
"""The version of training.json, and of the states of its run; a run of another one is not gone on with."""


@dataclass(frozen=True)
class Settings:
    """What training.json holds."""

    preset: str
    config: TrainConfig


def write_settings(folder: Path, preset: str, config: TrainConfig) -> None:
    """Writes the preset and the configuration of a run to training.json."""
    with atomic_write(folder / SETTINGS) as beside:
        beside.write_text(to_sealed({"format_version": FORMAT_VERSION, **to_plain(Settings(preset, config))}))


def read_settings(folder: Path) -> tuple[str, TrainConfig] | None:
    """Reads the preset and the configuration that the run in a folder was begun with; gives None if there is no run.

    Raises:
        ValueError: they cannot be read, or are of another version of pixelseq.
    """
    path = folder / SETTINGS
    if not path.exists():
        return None
    try:
        values = read_object(path.read_bytes(), "it")
        if (version := values.get("format_version")) != FORMAT_VERSION:
            raise ValueError(f"it is of format_version {version}; this pixelseq goes on with {FORMAT_VERSION}")
        values = unsealed(values, "it")
        del values["format_version"]
        settings = from_plain(Settings, values, "it")
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return settings.preset, settings.config


def check_agreement(asked: TrainConfig, begun: TrainConfig, folder: Path, but: Collection[str] = ()) -> None:
    """Raises ValueError, naming the fields, if what is asked for is not what the run was begun with.

    Args:
        asked: the configuration that is asked for.
        begun: the configuration that the run was begun with.
        folder: the run's folder, for the message.
        but: the fields that may differ.
    """
    wanted, found = _flat(to_plain(asked)), _flat(to_plain(begun))
    differ = [
        f"`{name.removeprefix('images.')}` is {wanted[name]}, the run has {found[name]}"
        for name in wanted
        if wanted[name] != found[name] and name != "out" and name not in but
    ]
    if differ:
        raise ValueError(f"{folder} holds a run with other settings: {'; '.join(differ)}; choose another with `out`")


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """Gives the fields of nested objects by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": deeper for inner, deeper in _flat(value).items()}
        else:
            flat[name] = value
    return flat
