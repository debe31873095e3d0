"""The configuration that a run was begun with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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
        ({"format_version": None}, "it is of format_version None; this pixelseq goes on with 5"),
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


def test_settings_with_a_changed_byte_are_refused_in_a_line_or_harmless(tmp_path: Path) -> None:
    write_settings(tmp_path, "one", TrainConfig())
    content = (tmp_path / "training.json").read_bytes()
    random = np.random.Generator(np.random.Philox(0))
    refused = 0
    for _ in range(300):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.integers(256)
        (tmp_path / "training.json").write_bytes(changed)
        try:
            read_settings(tmp_path)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error), str(error)  # noqa: PT017
    assert refused > 150
