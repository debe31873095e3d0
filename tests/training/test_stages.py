"""Training in stages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelseq import ModelConfig, PixelFormat, PixelRNN
from pixelseq.data import load
from pixelseq.model.config import ContextConfig
from pixelseq.training.stages import freeze_encoder, stage_images, stage_model, start_from, take_fitting


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


def test_a_whole_net_is_taken_where_shapes_fit(tmp_path: Path) -> None:
    config = ModelConfig(PixelFormat(1, 5), hidden=4, blocks=("row", "diagonal"), context_blocks=1)
    PixelRNN(config).save_pretrained(tmp_path / "old")
    old = PixelRNN.from_pretrained(tmp_path / "old").state_dict()
    for change, note in [
        ({}, "encoder, block 0, block 1, head"),
        ({"blocks": ("row", "row")}, "encoder, block 0, head, block 1 in part"),
        ({"blocks": ("row", "diagonal", "row")}, "encoder, block 0, block 1, head; new: block 2"),
        ({"pixel_format": PixelFormat(1, 6)}, "encoder, block 0, block 1, head in part"),
        ({"context_blocks": 2}, "block 0, block 1, head, encoder in part"),
    ]:
        model = PixelRNN(dataclasses.replace(config, **change))
        fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        said, _ = take_fitting(model, tmp_path / "old")
        assert said == f"taken from {tmp_path / 'old'}: {note}"
        unlike = {
            name.rpartition(".")[0]
            for name, tensor in fresh.items()
            if name not in old or old[name].shape != tensor.shape
        }
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, fresh[name] if name.rpartition(".")[0] in unlike else old[name]), name
    with pytest.raises(ValueError, match=r"nothing of .* has the shapes of this model"):
        take_fitting(PixelRNN(ModelConfig(hidden=5, head_features=7, context_kernel=3)), tmp_path / "old")


def test_a_net_that_learns_to_be_told_images_keeps_what_it_was_told_before(tmp_path: Path) -> None:
    config = ModelConfig(PixelFormat(levels=4), hidden=4, blocks=("row",), vector_features=3, condition_dropout=0.1)
    old = PixelRNN(config)
    torch.nn.init.normal_(old.conditioning.no_vector)  # type: ignore[union-attr, arg-type]
    old.save_pretrained(tmp_path / "old")
    model = PixelRNN(dataclasses.replace(config, context=ContextConfig(PixelFormat(levels=4), features=4, blocks=1)))
    said, _ = take_fitting(model, tmp_path / "old")
    assert said == f"taken from {tmp_path / 'old'}: encoder, block 0, head, conditioning in part"
    for name, tensor in old.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
