"""Keeps the configuration of a run in its folder: a run goes on with what it was begun with."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pixelseq.runtime.codec import from_plain, read_object, to_plain
from pixelseq.runtime.files import atomic_write
from pixelseq.training.config import TrainConfig

SETTINGS = "training.json"
FORMAT_VERSION = 5
"""The version of training.json; a run of another one is not gone on with."""


def write_settings(folder: Path, preset: str, config: TrainConfig) -> None:
    """Writes the preset and the configuration of a run to training.json."""
    with atomic_write(folder / SETTINGS) as beside:
        settings = {"format_version": FORMAT_VERSION, "preset": preset, "config": to_plain(config)}
        beside.write_text(json.dumps(settings, indent=2) + "\n")


def read_settings(folder: Path) -> tuple[str, TrainConfig] | None:
    """Reads the preset and the configuration that the run in a folder was begun with; gives None if there is no run.

    Raises:
        ValueError: they cannot be read, or are of another version of pixelseq.
    """
    path = folder / SETTINGS
    if not path.exists():
        return None
    try:
        settings = read_object(path.read_text(), "it")
        if (version := settings.get("format_version")) != FORMAT_VERSION:
            raise ValueError(f"it is of format_version {version}; this pixelseq goes on with {FORMAT_VERSION}")
        if settings.keys() != {"format_version", "preset", "config"}:
            raise ValueError(f"it holds {', '.join(settings)}; expected format_version, preset and config")
        return str(settings["preset"]), from_plain(TrainConfig, settings["config"], "its config")
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


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
