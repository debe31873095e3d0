"""What no walk can do is refused in one line: numbers out of range, and models that give no probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import HEADS, small_model

from pixelseq import SamplingOptions, complete, evaluate, log_known, sample, stream
from pixelseq.generation.cuda_graphs import GraphWalker
from pixelseq.generation.engine import Stretch
from pixelseq.generation.noise import MAX_SEQUENCES
from pixelseq.kernels.backends import BACKEND_VARIABLE
from pixelseq.model.pixelrnn import PixelRNN

IMAGES = torch.zeros(2, 1, 3, 2, dtype=torch.long)
KNOWN = torch.tensor([[True, True], [False, False], [True, True]])
REQUESTS: dict[str, tuple[str, Callable[..., object]]] = {
    "sample-num": ("num", lambda model, value: sample(model, value, 2, 2)),
    "sample-height": ("height", lambda model, value: sample(model, 1, value, 2)),
    "sample-width": ("width", lambda model, value: sample(model, 1, 2, value)),
    "fixed-point-width": ("width", lambda model, value: sample(model, 1, 2, value, method="fixed_point")),
    "stream-num": ("num", lambda model, value: stream(model, value, 2)),
    "stream-width": ("width", lambda model, value: stream(model, 1, value)),
    "complete-num": ("num", lambda model, value: complete(model, IMAGES, KNOWN, value)),
    "complete-particles": ("particles", lambda model, value: complete(model, IMAGES, KNOWN, particles=value)),
    "particles": ("particles", lambda model, value: log_known(model, IMAGES, KNOWN, value)),
    "state-batch": ("batch", lambda model, value: model.init_state(value, 2)),
    "state-width": ("width", lambda model, value: model.init_state(1, value)),
    "batch-size": ("batch_size", lambda model, value: evaluate(model, list(IMAGES), value)),
}


@pytest.mark.parametrize("value", [0, -1, -(2**64), 2**63, 10**18, 10**30, 1.5, float("nan"), "3", None], ids=repr)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_number_that_is_none_is_refused_before_any_work(request_: str, value: object) -> None:
    name, ask = REQUESTS[request_]
    if request_ == "batch-size" and value == 10**18:
        return  # all images at once
    with pytest.raises(
        ValueError, match=f"^`{name}` is .*; it must be a whole number of at least 1 and below 2"
    ) as found:
        ask(small_model(), value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("value", [-1, 2**64, 10**30, 1.5, "0", None], ids=repr)
def test_a_seed_or_an_index_that_is_none_is_refused(value: object) -> None:
    model = small_model()
    asks: list[Callable[..., object]] = [
        lambda **more: sample(model, 1, 2, 2, **more),
        lambda **more: stream(model, 1, 2, **more),
        lambda **more: complete(model, IMAGES, KNOWN, **more),
        lambda **more: log_known(model, IMAGES, KNOWN, 2, **more),
    ]
    for ask in asks:
        with pytest.raises(ValueError, match=r"^`first_index` is .*; it must be a whole number"):
            ask(first_index=value)
        if value is not None:
            with pytest.raises(ValueError, match=r"^`seed` is .*; it must be a whole number"):
                ask(seed=value)


def test_the_last_index_is_the_last() -> None:
    model = small_model()
    last = sample(model, 2, 2, 2, first_index=2**64 - 2)
    assert torch.equal(sample(model, 1, 2, 2, first_index=2**64 - 1), last[1:])
    with pytest.raises(ValueError, match=r"^`first_index` is 18446744073709551615, for 2 images; indices are below 2"):
        sample(model, 2, 2, 2, first_index=2**64 - 1)


def test_numbers_of_numpy_are_numbers() -> None:
    model, two = small_model(), np.int64(2)
    options = SamplingOptions(top_k=two)  # type: ignore[arg-type]
    found = sample(model, two, two, two, seed=np.uint64(3), options=options, first_index=two)  # type: ignore[arg-type]
    assert torch.equal(found, sample(model, 2, 2, 2, seed=3, first_index=2))


def test_too_many_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="too many at once; at most 1048576 can be drawn"):
        sample(small_model(), MAX_SEQUENCES + 1, 1, 1)
    with pytest.raises(ValueError, match="too many at once"):
        complete(small_model(), IMAGES, KNOWN, MAX_SEQUENCES // 4, particles=4)
    with pytest.raises(ValueError, match="too large"):
        small_model().init_state(2**16, 2**16)


def asked(model: PixelRNN, how: str) -> None:
    """Has a model draw in one of the ways."""
    options = SamplingOptions(temperature=0.0) if how == "likeliest" else SamplingOptions()
    match how:
        case "fixed_point":
            sample(model, 2, 3, 2, method="fixed_point")
        case "complete":
            complete(model, IMAGES, KNOWN)
        case "particles":
            complete(model, IMAGES, KNOWN, particles=4)
        case "log_known":
            log_known(model, IMAGES, KNOWN, 2)
        case "captured":
            walker = GraphWalker(model, model.init_state(2, 2), capture=lambda function: function)
            walker.walk(Stretch(torch.full((2, 2, 1), 0.5, dtype=torch.float64)))
        case _:
            sample(model, 2, 3, 2, options=options)


@pytest.mark.parametrize(
    "how", ["sample", "likeliest", "steps", "captured", "fixed_point", "complete", "particles", "log_known"]
)
@pytest.mark.parametrize("head", HEADS)
def test_weights_that_are_no_numbers_draw_nothing(head: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "steps":
        monkeypatch.setenv(BACKEND_VARIABLE, "reference")
    model = small_model(levels=3, head=head)
    asked(model, how)
    parameters = list(model.parameters())
    for changed, value in [*(([parameter], torch.nan) for parameter in parameters), (parameters, torch.inf)]:
        kept = [parameter.detach().clone() for parameter in changed]
        for parameter in changed:
            parameter.data.fill_(value)
        with pytest.raises(ValueError, match=r"^the model gives NaN instead of probabilities"):
            asked(model, how)
        for parameter, before in zip(changed, kept, strict=True):
            parameter.data.copy_(before)
    asked(model, how)
