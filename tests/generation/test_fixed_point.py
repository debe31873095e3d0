"""Two independent ways to the same images: whole passes until nothing changes, and value after value."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import small_model

from pixelseq import sample
from pixelseq.generation.fixed_point import fixed_point
from pixelseq.generation.noise import Noise
from pixelseq.generation.options import SamplingOptions

MODELS: dict[str, dict[str, Any]] = {
    "encoder-only": {"blocks": ()},
    "row": {"blocks": ("row",), "levels": 5},
    "diagonal": {"blocks": ("diagonal", "diagonal")},
    "conv": {"blocks": ("conv",), "levels": 256},
    "colour": {"blocks": ("row", "diagonal"), "channels": 3, "levels": 7},
    "mixture": {"channels": 3, "levels": 9, "head": "logistic_mixture", "mixtures": 3},
    "tiles": {"levels": 6, "kind": "categorical", "dropout": 0.5},
}


@pytest.mark.parametrize("fields", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("draw", [SamplingOptions(), SamplingOptions(0.8, top_k=4, top_p=0.9)], ids=["all", "cut"])
def test_the_images_are_those_of_raster_order(fields: dict[str, Any], draw: SamplingOptions) -> None:
    N, H, W = 3, 5, 4
    model = small_model(3.0, **fields)
    expected = sample(model, N, H, W, 7, draw, first_index=2)
    images, _ = fixed_point(model, H, W, Noise(7, range(2, 2 + N), model.device), draw)
    assert torch.equal(images, expected)
    assert torch.equal(sample(model, N, H, W, 7, draw, first_index=2, method="fixed_point"), expected)


def test_a_model_that_looks_back_far_takes_more_passes() -> None:
    """Levels that hang on the values before them settle one after the other; independent ones in one pass."""
    noise = [Noise(0, range(1), torch.device("cpu")) for _ in range(2)]
    deaf = small_model()
    deaf.load_state_dict({name: torch.zeros_like(value) for name, value in deaf.state_dict().items()})
    _, at_once = fixed_point(deaf, 6, 6, noise[0], SamplingOptions())
    _, in_turn = fixed_point(small_model(4.0), 6, 6, noise[1], SamplingOptions())
    assert at_once == 2  # the second changes nothing
    assert in_turn > 4


def test_the_mode_of_the_model_is_restored() -> None:
    model = small_model(dropout=0.5).train()
    sample(model, 1, 2, 2, method="fixed_point")
    assert model.training
