"""Levels without an order: renaming them renames the likelihoods, before training and throughout it."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers import small_model
from torch import Tensor

from pixelseq import PixelRNN

V = 7


def renamed(model: PixelRNN, new_name: Tensor) -> PixelRNN:
    """The model in which level v is called new_name[v]: rows of the embedding and of the head's outputs move."""
    other = copy.deepcopy(model)
    rows = [other.pixels.table, *(p for last in other.head.to_outputs for p in last.parameters())]
    with torch.no_grad():
        for parameter in rows:
            parameter[new_name] = parameter.clone()
    return other


@pytest.mark.parametrize("channels", [1, 3])
def test_renaming_levels_renames_the_likelihoods(channels: int) -> None:
    model = small_model(2.0, levels=V, channels=channels, kind="categorical", blocks=("row", "diagonal", "conv"))
    images, new_name = torch.randint(V, (3, channels, 4, 5)), torch.randperm(V)
    other = renamed(model, new_name)
    torch.testing.assert_close(other.nll(new_name[images]), model.nll(images), rtol=0, atol=1e-12)
    torch.testing.assert_close(other(new_name[images])[:, new_name], model(images), rtol=0, atol=1e-12)
    assert (other.nll(images) - model.nll(images)).abs().max() > 0.1


def test_ordinal_pixels_do_have_an_order() -> None:
    model = small_model(2.0, levels=V)
    images, new_name = torch.randint(V, (3, 1, 4, 5)), torch.randperm(V)
    assert (model.nll(new_name[images]) - model.nll(images)).abs().max() > 0.1


def test_training_on_renamed_levels_takes_the_same_course() -> None:
    model = small_model(levels=V, kind="categorical", blocks=("row", "diagonal")).train()
    images, new_name = torch.randint(V, (20, 4, 1, 4, 5)), torch.randperm(V)
    other = renamed(model, new_name)

    def losses(trained: PixelRNN, batches: Tensor) -> Tensor:
        optimizer = torch.optim.AdamW(trained.parameters(), lr=0.03)
        seen = []
        for batch in batches:
            optimizer.zero_grad()
            nats = trained.nll(batch).mean()
            nats.backward()
            optimizer.step()
            seen.append(nats.detach())
        return torch.stack(seen)

    curve = losses(model, images)
    torch.testing.assert_close(losses(other, new_name[images]), curve, rtol=0, atol=1e-9)
    assert curve.std() > 0.01
