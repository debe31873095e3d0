"""The configuration that a run was begun with."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import resealed

from pixelseq import ModelConfig
from pixelseq.runtime.codec import to_plain
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
        ({"colour": 1}, "it: these fields are unknown or missing: colour"),
        ({"format_version": None}, "it is of format_version None; this pixelseq goes on with 8"),
        ({"config": {}}, "it: these fields are unknown or missing: config"),
        (
            {"config": to_plain(TrainConfig()) | {"precision": "float64"}},
            r"it: config\.precision: Input should be 'float32'",
        ),
        ({"config": 3}, r"it: config: Input should be"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write_settings(tmp_path, "one", TrainConfig())
    path = tmp_path / "training.json"
    path.write_text(resealed(path.read_text(), **change))
    with pytest.raises(ValueError, match=rf"training\.json cannot be read: {message}"):
        read_settings(tmp_path)


def test_settings_that_were_edited_are_refused(tmp_path: Path) -> None:
    write_settings(tmp_path, "one", TrainConfig())
    path = tmp_path / "training.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ValueError, match=r"training\.json cannot be read: it is damaged or edited"):
        read_settings(tmp_path)
