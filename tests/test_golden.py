"""The bundled net, pinned: what it says of one image and what it draws may not change by a change of the code."""

from __future__ import annotations

import hashlib

import pytest
import torch

from pixelseq import PixelRNN, log_known, sample

NATS = 73.58133
"""Of the first sample; rounding differs between processors in the last digits."""
DIGEST = "14679f304f5c2f8d6c5578fbe7386c17587f3dcd45721c630a2b3350910a567e"


@pytest.fixture(scope="module")
def net() -> PixelRNN:
    return PixelRNN.from_pretrained("mnist-binary")


def test_the_bundled_net_draws_what_it_drew(net: PixelRNN) -> None:
    images = sample(net, 4, 28, 28, seed=0)
    assert hashlib.sha256(images.byte().numpy().tobytes()).hexdigest() == DIGEST


def test_the_bundled_net_gives_the_likelihood_it_gave(net: PixelRNN) -> None:
    image = sample(net, 1, 28, 28, seed=0)
    known = torch.ones(28, 28, dtype=torch.bool)
    with torch.no_grad():
        assert float(net.nll(image).double().sum()) == pytest.approx(NATS, rel=1e-5)
    assert float(log_known(net, image, known, particles=1)) == pytest.approx(-NATS, rel=1e-5)
