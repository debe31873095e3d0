"""The command line of a training run: a preset, and flags for the fields of its configuration."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pixelseq.model.checkpoint import CHECKPOINT, RUNS
from pixelseq.training.config import TrainConfig
from pixelseq.training.flags import parse_config
from pixelseq.training.limits import LIMITS
from pixelseq.training.metrics import CURVE, METRICS
from pixelseq.training.pictures import PICTURES
from pixelseq.training.presets import PRESETS
from pixelseq.training.result import RESULT
from pixelseq.training.saved_state import STATES, has_states
from pixelseq.training.settings import check_agreement, read_settings

WRITTEN = (CHECKPOINT, STATES, METRICS, RESULT, CURVE, *(f"{name}.png" for name in PICTURES))
"""The names of what a run writes into its folder, besides its settings."""


@dataclass(frozen=True)
class Command:
    """What the command line of a training run asks for."""

    preset: str
    flags: list[str]
    config: TrainConfig
    """The preset's configuration, with what the flags change of it."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.config.out or RUNS / self.preset


def parse_arguments(arguments: list[str], about: str) -> Command:
    """Reads a command line; nothing is looked up in the run's folder.

    Args:
        arguments: the command line: the preset, "digits" if it is left out, then flags.
        about: the text at the top of --help.

    Raises:
        ValueError: there is no such preset, or a flag is out of its range.
    """
    flags = list(arguments)
    preset = flags.pop(0) if flags and not flags[0].startswith("-") else "digits"
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
    return Command(preset, flags, parse_config(flags, PRESETS[preset], about))


def configure(command: Command) -> TrainConfig:
    """Gives the configuration of a run; one that was begun goes on with its own settings.

    Raises:
        ValueError: the flags do not go with the run in the folder, its settings cannot be read, or it holds files that
            a new run would replace.
    """
    folder, flags = command.folder, command.flags
    try:
        begun = read_settings(folder)
    except ValueError as error:
        raise ValueError(f"{error}; choose another folder with `out`") from error
    by_the_clock = gives(flags, "minutes") and not gives(flags, "steps", "epochs")
    if begun is None:
        for name in WRITTEN:
            if (folder / name).exists():
                raise ValueError(f"{folder} already holds {name}, of no run that can go on; choose another with `out`")
        return dataclasses.replace(command.config, steps=None) if by_the_clock else command.config
    begun_preset, begun_config = begun
    if begun_preset != command.preset:
        raise ValueError(
            f"{folder} holds a run of preset {begun_preset}, not {command.preset}; choose another with `out`"
        )
    # Flags that are not given again count as they did before. Until its first state a run can be begun otherwise.
    config = parse_config(flags, begun_config)
    if gives(flags, "steps"):
        config = dataclasses.replace(config, epochs=None)
    if has_states(folder / STATES):
        check_agreement(config, begun_config, folder, but=LIMITS)
    elif by_the_clock:
        config = dataclasses.replace(config, steps=None, epochs=None)
    return config


def gives(flags: list[str], *names: str) -> bool:
    """Tells whether a command line gives one of the flags."""
    return any(flag.split("=")[0] in {f"--{name}" for name in names} for flag in flags)
