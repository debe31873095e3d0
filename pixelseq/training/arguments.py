"""The command line of a training run: a preset, and flags for the fields of its configuration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pixelseq.model.checkpoint import CHECKPOINT, RUNS
from pixelseq.training.config import TrainConfig
from pixelseq.training.flags import parse_config
from pixelseq.training.limits import LIMITS
from pixelseq.training.presets import PRESETS
from pixelseq.training.saved_state import STATES, has_states
from pixelseq.training.settings import check_agreement, read_settings


def parse_arguments(arguments: list[str], about: str) -> tuple[str, TrainConfig, Path]:
    """Reads the preset, the configuration and the run's folder; a run that was begun goes on with its own settings.

    Args:
        arguments: the command line: the preset, "digits" if it is left out, then flags.
        about: the text at the top of --help.

    Raises:
        ValueError: there is no such preset, or flags do not go with it or with the run in the folder.
    """
    arguments = list(arguments)
    preset = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "digits"
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; choose from {', '.join(PRESETS)}")
    config = parse_config(arguments, PRESETS[preset], about)
    folder = config.out or RUNS / preset
    try:
        begun = read_settings(folder)
    except ValueError as error:
        raise ValueError(f"{error}; choose another folder with `out`") from error
    by_the_clock = gives(arguments, "minutes") and not gives(arguments, "steps", "epochs")
    if begun is None:
        if by_the_clock:
            config = dataclasses.replace(config, steps=None)
        if (folder / CHECKPOINT).exists():
            raise ValueError(f"{folder} already holds a trained model; choose another folder with `out`, or delete it")
        return preset, config, folder
    begun_preset, begun_config = begun
    if begun_preset != preset:
        raise ValueError(f"{folder} holds a run of preset {begun_preset}, not {preset}; choose another with `out`")
    # Flags that are not given again count as they did before. Until its first state a run can be begun otherwise.
    config = parse_config(arguments, begun_config)
    if gives(arguments, "steps"):
        config = dataclasses.replace(config, epochs=None)
    if has_states(folder / STATES):
        check_agreement(config, begun_config, folder, but=LIMITS)
    elif by_the_clock:
        config = dataclasses.replace(config, steps=None, epochs=None)
    return preset, config, folder


def gives(arguments: list[str], *names: str) -> bool:
    """Tells whether a command line gives one of the flags."""
    return any(argument.split("=")[0] in {f"--{name}" for name in names} for argument in arguments)
