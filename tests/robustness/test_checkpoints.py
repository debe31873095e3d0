"""Damaged checkpoints: refused in a line, or what was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import small_model
from mutations import FEW_OR_MANY, attack

from pixelseq import PixelRNN
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.trained_on import TrainedOn


@FEW_OR_MANY
@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_checkpoint_is_refused_or_what_was_written(file: str, times: int, tmp_path: Path) -> None:
    model = small_model(levels=3, kind="categorical", legend="#-o", blocks=("conv",)).float()
    model.trained_on = TrainedOn("maps", (8, 9), (8, 9), (10, 11), Preprocessing(crop=(8, 9)), 3000, 75.5, 1.71)
    model.save_pretrained(tmp_path / "net")
    weights = model.state_dict()

    def harmless(found: PixelRNN) -> bool:
        same = all(torch.equal(tensor, weights[name]) for name, tensor in found.state_dict().items())
        return same and (found.config, found.trained_on) == (model.config, model.trained_on)

    refused, _ = attack(
        tmp_path / "net" / file, 100 * times, lambda: PixelRNN.from_pretrained(tmp_path / "net"), harmless
    )
    assert refused == 100 * times or file == "config.json"  # where a space may be another, or a key stand twice
