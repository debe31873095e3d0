"""Training in stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pixelseq import ModelConfig
from pixelseq.data import load
from pixelseq.training.stages import freeze_encoder, stage_images, stage_model, start_from


def test_stages_train_their_parts_on_their_halves(tmp_path: Path) -> None:
    config = ModelConfig(hidden=4, blocks=("row",), context_blocks=1)
    encoder = stage_model(config, "encoder")
    assert len(encoder.blocks) == 0
    encoder.save_pretrained(tmp_path / "run/checkpoint")
    model = stage_model(config, "recurrent")
    blocks = [parameter.clone() for parameter in model.blocks.parameters()]
    start_from(model, tmp_path / "run")
    freeze_encoder(model)
    for name, parameter in encoder.state_dict().items():
        assert torch.equal(model.state_dict()[name], parameter), name
    assert all(torch.equal(one, other) for one, other in zip(blocks, model.blocks.parameters(), strict=True))
    assert {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad} == {
        "blocks",
        "head",
    }
    with pytest.raises(ValueError, match=r"cannot start this model: it has no encoder\.blocks\.1"):
        start_from(stage_model(ModelConfig(hidden=4, context_blocks=2), "recurrent"), tmp_path / "run")
    with pytest.raises(ValueError, match="cannot start this model"):
        start_from(stage_model(ModelConfig(hidden=5), "recurrent"), tmp_path / "run")

    images = load("digits").train
    first, second = (stage_images(images, stage) for stage in ("encoder", "recurrent"))  # type: ignore[arg-type]
    assert abs(len(first) - len(second)) <= 1
    assert sorted([*first.indices, *second.indices]) == sorted(images.indices)  # type: ignore[union-attr]
    assert not np.array_equal(first.indices, images.indices[: len(first)])  # type: ignore[union-attr]
