"""The likelihood under torch's transforms: exported, vectorised, compiled in one graph, on no device in particular."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers import HEADS, small_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.func import functional_call

from pixelseq import PixelRNN
from pixelseq.model.batch import Batch

BLOCKS = ("row", "diagonal", "conv")


def net(head: str = "softmax") -> tuple[PixelRNN, Tensor]:
    model = small_model(2.0, levels=3, channels=3, blocks=BLOCKS, head=head)
    return model, torch.randint(3, (4, 3, 3, 5))


class Nll(nn.Module):
    """`PixelRNN.nll` as a forward."""

    def __init__(self, model: PixelRNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model.nll(images)


@pytest.mark.parametrize("head", HEADS)
def test_it_is_exported(head: str) -> None:
    model, images = net(head)
    exported = torch.export.export(Nll(model), (images,)).module()
    torch.testing.assert_close(exported(images), model.nll(images))
    torch.testing.assert_close(exported(images.flip(0)), model.nll(images.flip(0)))


@pytest.mark.parametrize("head", HEADS)
def test_it_is_compiled_without_a_graph_break(head: str) -> None:
    model, images = net(head)
    compiled: Callable[[Tensor], Tensor] = torch.compile(model.nll, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), model.nll(images))


@pytest.mark.parametrize("head", HEADS)
def test_it_is_vectorised_over_images_and_over_weights(head: str) -> None:
    model, images = net(head)
    expected = model.nll(images)
    over_images = torch.vmap(lambda image: model.nll(image[None])[0])
    torch.testing.assert_close(over_images(images), expected)
    over_columns = torch.vmap(lambda image: model.nll(image[None])[0], in_dims=3, out_dims=2)
    torch.testing.assert_close(over_columns(images.movedim(0, 3)), expected.movedim(0, 2))
    weights = {name: torch.stack([value, 1.1 * value]) for name, value in model.named_parameters()}
    table = torch.vmap(lambda chosen: functional_call(model, chosen, (images,)))(weights)
    torch.testing.assert_close(table[0], model(images))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    torch.testing.assert_close(table[1], model(images))


def test_images_that_were_checked_are_scored_without_asking_for_a_value() -> None:
    """A fake tensor has none to give; for one on CUDA the processor would wait."""
    model, images = net()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(images)
        model.checked_nll(Batch(fake, torch.tensor(images.shape[2:3] * len(images)))).sum().backward()
        with pytest.raises(DataDependentOutputException):
            model.nll(fake)
