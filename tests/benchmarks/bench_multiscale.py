"""Multi-scale generation against one net: bits/dim of small images and of the rest given them, summed.

    python tests/benchmarks/bench_multiscale.py --checkpoint runs/small --then runs/enlarge --one runs/one --data FOLDER

As in van den Oord et al. 2016 (arXiv:1601.06759), section 3.6. The small image is a function of the large one, its box
means, so log p(small) + log p(large | small) is the log-probability of both together; the nets also draw large images
of other box means, so the bits are, if anything, more than those of the large image alone. Every part is per value of
the largest image. `untold` is what the last net needs where it is told nothing. Checks first that the box means of what
is given are what is given.
Last line: JSON.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from torch import Tensor

from pixelseq import Condition, PixelRNN
from pixelseq.data import DataOptions, load
from pixelseq.data.degradations import Degradation, shrunk
from pixelseq.model.condition import spread
from pixelseq.model.likelihood import Likelihood, nats_of_images
from pixelseq.runtime.scripts import one_line_errors, set_up_torch


@dataclass(frozen=True)
class Arguments:
    """Measures a chain of nets."""

    checkpoint: str
    """The net of the smallest images."""
    then: tuple[str, ...]
    """Nets that enlarge, one after another, trained with --condition-image lowres:F."""
    data: str
    """A data set of images of the largest size."""
    one: str | None = None
    """A net of the largest images, to compare with."""
    images: int = 10_000
    """Test images, evenly spaced."""


def main(arguments: Arguments) -> None:
    device = set_up_torch()
    first, *others = (PixelRNN.from_pretrained(name).to(device) for name in (arguments.checkpoint, *arguments.then))
    test = load(DataOptions(arguments.data)).test
    largest = list(test.subset(np.arange(len(test))[:: max(1, len(test) // arguments.images)][: arguments.images]))
    values = [image.numel() for image in largest]
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{len(largest)} images of {list(largest[0].shape)}", flush=True)
    factors = [factor_of(model) for model in others]
    scales = [largest]
    for factor in reversed(factors):
        scales.insert(0, [shrunk(image, factor) for image in scales[0]])
    result = {"images": float(len(largest)), "small": bits(nats(first, scales[0]), values)}
    total = result["small"]
    for k, (model, factor) in enumerate(zip(others, factors, strict=True)):
        given = [
            spread(image, factor)[:, : large.shape[1], : large.shape[2]]
            for image, large in zip(scales[k], scales[k + 1], strict=True)
        ]
        assert torch.equal(shrunk(given[0], factor), scales[k][0])
        told = Condition(image=torch.stack(given))
        result[f"given_{k + 1}"] = bits(nats(model, scales[k + 1], told), values)
        total += result[f"given_{k + 1}"]
        print(result, flush=True)
    result["chain"] = total
    if others[-1].config.condition_dropout:
        result["untold"] = bits(nats(others[-1], largest), values)
    if arguments.one is not None:
        result["one"] = bits(nats(PixelRNN.from_pretrained(arguments.one).to(device), largest), values)
    print(json.dumps({name: round(value, 4) for name, value in result.items()}))


def factor_of(model: PixelRNN) -> int:
    """Gives how many times smaller per side what a net enlarges is."""
    context = model.config.context
    degradation = None if context is None or not context.degradation else Degradation.parse(context.degradation)
    if degradation is None or degradation.factor == 1:
        raise ValueError("a net of `then` has not learned to enlarge; train one with --condition-image lowres:2")
    return degradation.factor


def nats(model: PixelRNN, images: Sequence[Tensor], condition: Condition | None = None) -> list[float]:
    """Gives the nats of each image."""
    shapes = [tuple(image.shape) for image in images]
    return nats_of_images(model, images, shapes, condition=condition)[0].tolist()


def bits(nats: Sequence[float], values: Sequence[int]) -> float:
    """Gives the bits per value of the largest images."""
    return Likelihood.of(nats, values).nll_nats / (math.log(2) * sum(values))


if __name__ == "__main__":
    with one_line_errors():
        main(tyro.cli(Arguments))
