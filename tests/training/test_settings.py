"""The configuration that a run was begun with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pixelseq import ModelConfig
from pixelseq.training.config import TrainConfig
from pixelseq.training.settings import check_agreement, read_settings, write_settings


def test_settings_are_read_back_and_conflicts_named(tmp_path: Path) -> None:
    config = TrainConfig(model=ModelConfig(hidden=7, blocks=("row", "conv"), dropout=0.5), epochs=2.5)
    assert read_settings(tmp_path) is None
    write_settings(tmp_path, "one", config)
    assert read_settings(tmp_path) == ("one", config)
    check_agreement(config, config, tmp_path)
    other = TrainConfig(model=ModelConfig(dropout=0.5), epochs=2.5)
    with pytest.raises(
        ValueError, match=r"`model.hidden` is 7, the run has 32; `model.blocks` is \['row', 'conv'\], the"
    ):
        check_agreement(config, other, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "it holds format_version, preset, config, colour"),
        ({"format_version": None}, "it is of format_version None; this pixelseq goes on with 4; choose another folder"),
        ({"config": {}}, "its config: these fields are unknown or missing"),
        ({"config": 3}, "its config: Input should be"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write_settings(tmp_path, "one", TrainConfig())
    settings = json.loads((tmp_path / "training.json").read_text())
    (tmp_path / "training.json").write_text(json.dumps(settings | change))
    with pytest.raises(ValueError, match=rf"training\.json cannot be read: {message}"):
        read_settings(tmp_path)
