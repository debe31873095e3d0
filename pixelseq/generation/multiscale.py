"""Images that are drawn in stages: small ones first, then larger ones given those.

van den Oord et al. 2016, Pixel Recurrent Neural Networks, arXiv:1601.06759, section 3.6, with any number of stages.
Shapes: N images, C colours, H rows, W columns, F the factor of a stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pixelseq.generation.noise import Seed, whole_seed
from pixelseq.generation.options import SamplingOptions
from pixelseq.generation.sampling import sample
from pixelseq.model.condition import Condition, spread
from pixelseq.model.pixelrnn import PixelRNN


def stage_seed(seed: Seed, stage: int) -> int:
    """Gives the seed of a stage: that of stage 0 is the seed itself, and those of others share no noise with it."""
    seed = whole_seed(seed)
    if stage == 0:
        return seed
    return int(np.random.SeedSequence(seed, spawn_key=(stage,)).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class Stage:
    """A stage that draws images given smaller ones."""

    name: str
    """What messages call its model."""
    model: PixelRNN
    """The distribution of its images, which knows condition images."""
    factor: int
    """F: each pixel of the images before becomes a box of FxF pixels of its condition images."""
    told: Condition | None = None
    """What else its images are told by, of all of them or of one for all."""

    def select(self, images: Tensor) -> Stage:
        """Gives the stage for the images of these indices [n] alone."""
        if self.told is None or self.told.batch in (None, 1):
            return self
        return replace(self, told=self.told.select(images))


def enlarge(
    stages: Sequence[Stage],
    images: Tensor,
    seed: Seed = 0,
    options: SamplingOptions = SamplingOptions(),
    progress: bool = False,
    *,
    first_index: int = 0,
) -> Tensor:
    """Draws larger images given small ones, stage after stage.

    Args:
        stages: the first is told the images, each other one what the stage before it draws.
        images: [N, C, H, W], levels.
        seed: image k depends on the seed, k and the small image k alone; stage n, from 1, draws by `stage_seed(seed,
            n)`, so that no two stages share noise, nor any with small images that were drawn by the seed itself.
        options: as in `sample`, of all stages.
        progress: as in `sample`.
        first_index: the index k of the first image, for a request that is made in parts.

    Returns:
        Levels [N, C', H', W'] of the last stage; H' and W' are H and W times the factors of all.

    Raises:
        ValueError: for the reasons of `sample`.
    """
    seed = whole_seed(seed)
    for number, stage in enumerate(stages, 1):
        given = spread(images, stage.factor)
        N, _, H, W = given.shape
        told = replace((stage.told or Condition()).for_images(N), image=given)
        own = stage_seed(seed, number)
        images = sample(stage.model, N, H, W, own, options, progress, condition=told, first_index=first_index)
    return images


def check_stages(model: PixelRNN, stages: Sequence[Stage]) -> None:
    """Checks, before any work is done, that each stage can draw images given those of the one before.

    Args:
        model: draws the images that the first stage is given.
        stages: the stages, whose models know condition images.

    Raises:
        ValueError: a stage is given images of another format, or cannot be told the rest.
    """
    before, name = model.config.pixel_format, "the first net"
    for stage in stages:
        config = stage.model.config
        assert config.context is not None
        given = config.context.pixel_format
        if (given.channels, given.levels, given.kind) != (before.channels, before.levels, before.kind):
            raise ValueError(f"{stage.name} is given images of {given}, and {name} before it draws {before}")
        told = stage.told or Condition()
        image = torch.zeros(told.batch or 1, given.channels, 1, 1, dtype=torch.uint8)
        replace(told, image=image).check(config)
        before, name = config.pixel_format, stage.name
