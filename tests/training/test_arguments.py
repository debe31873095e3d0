"""Presets and flags: each preset builds, flags override, what the data decide has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelseq import PixelRNN
from pixelseq.training.arguments import WRITTEN, configure, parse_arguments
from pixelseq.training.optimisers import build_optimizer
from pixelseq.training.presets import PRESETS
from pixelseq.training.settings import read_settings, write_settings


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_builds_and_is_saved(name: str, tmp_path: Path) -> None:
    flags = ["--model.hidden", "3", "--seed", "5", "--out", str(tmp_path)]
    command = parse_arguments([name, *flags], "about")
    config = configure(command)
    assert (command.preset, config.model.hidden, config.seed, command.folder) == (name, 3, 5, tmp_path)
    write_settings(tmp_path, name, config)
    assert read_settings(tmp_path) == (name, config)
    model = PixelRNN(config.model)
    build_optimizer(config.optimizer, model.parameters(), config.learning_rate, config.weight_decay)


def test_the_papers_presets_are_there() -> None:
    assert {"mnist_binary_diagonal", "mnist_binary_row", "cifar10_row", "cifar10_diagonal", "tiles"} <= PRESETS.keys()


def test_what_the_data_decide_is_kept_and_has_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"], "about")
    shown = capsys.readouterr().out
    assert "--model.hidden" in shown
    assert "--pixels {ordinal,categorical}" in shown
    assert "--data" in shown
    for hidden in ("--model.pixel-format", "--model.channels", "--images"):
        assert hidden not in shown


@pytest.mark.parametrize("name", WRITTEN)
def test_files_that_a_new_run_would_replace_are_not_of_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"already holds {name}, of no run that can go on; choose another with `out`"):
        configure(parse_arguments(["--out", str(tmp_path)], "about"))
