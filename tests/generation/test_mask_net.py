"""A net that is told what is known completes images better than one that is not, and better still with particles."""

from __future__ import annotations

import numpy as np
import torch
from helpers import all_images, small_config
from torch import Tensor

from pixelseq import Condition, PixelFormat, PixelRNN, complete, log_known, sample
from pixelseq.data.erasing import draw_unknown
from pixelseq.model.config import MASK, ContextConfig

IMAGES = all_images(2, 1, 3, 3)  # [512, 1, 3, 3]


def data() -> Tensor:
    """p of each image [512]: rows and columns tend to be alike, and their sums not to be equal."""
    rows, columns = IMAGES[:, 0].sum(2).double(), IMAGES[:, 0].sum(1).double()
    agreement = (rows - 1.5).square().sum(1) + (columns - 1.5).square().sum(1)
    corners = (IMAGES[:, 0, 0, 0] != IMAGES[:, 0, 2, 2]).double() + (IMAGES[:, 0, 0, 2] != IMAGES[:, 0, 2, 0]).double()
    return (0.35 * agreement + 1.5 * corners).softmax(0)


def trained(steps: int, context: ContextConfig | None, p: Tensor) -> PixelRNN:
    dropout = 0.1 if context else 0.0
    torch.manual_seed(0)
    config = small_config(hidden=12, blocks=("diagonal",), head_features=16, context=context, condition_dropout=dropout)
    model = PixelRNN(config)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    random = np.random.default_rng(0)
    for _ in range(steps):
        images = IMAGES[torch.from_numpy(random.choice(512, 64, p=p.numpy()))]
        told = None
        if context is not None:
            known = torch.from_numpy(np.stack([~draw_unknown(3, 3, random) for _ in images]))
            known[random.random(64) < dropout] = False
            told = Condition(image=images * known[:, None], image_known=known)
        optimizer.zero_grad()
        model.nll(images, told).sum((1, 2, 3)).mean().backward()
        optimizer.step()
        schedule.step()
    return model.double().eval()


def agreeing(image: Tensor, known: Tensor) -> Tensor:
    """Which images [512] are as one is where that is known."""
    return (torch.eq(IMAGES, image) | ~known).flatten(1).all(1)


def distance(found: Tensor, p: Tensor, image: Tensor, known: Tensor) -> float:
    """The total variation between a distribution [512] of completions and the true one of what agrees with them."""
    posterior = p * agreeing(image, known)
    posterior /= posterior.sum()
    return float((found - posterior).abs().sum() / 2)


@torch.no_grad()
def of_one_particle(model: PixelRNN, image: Tensor, known: Tensor, told: Condition | None) -> Tensor:
    """p of each image [512] as a completion by one particle: its unknown pixels, each given those before it."""
    nats = model.nll(IMAGES, told)[:, 0]
    return (-(nats * ~known).sum((1, 2))).exp() * agreeing(image, known)


@torch.no_grad()
def exactly(model: PixelRNN, image: Tensor, known: Tensor, told: Condition | None) -> Tensor:
    """p of each image [512] given what is known, under the model: what completions by many particles come to."""
    joint = (-model.nll(IMAGES, told).sum((1, 2, 3))).exp() * agreeing(image, known)
    return joint / joint.sum()


def test_known_pixels_on_all_sides_count_without_particles_and_exactly_with_them() -> None:
    p = data()
    context = ContextConfig(PixelFormat(levels=2), features=12, blocks=2, degradation=MASK)
    plain, masked = trained(100, None, p), trained(100, context, p)
    random = np.random.default_rng(1)
    by_plain, by_masked, by_many, cases = [], [], [], []
    for _ in range(40):
        image = IMAGES[random.choice(512, p=p.numpy())]
        known = torch.from_numpy(~draw_unknown(3, 3, random))
        known[0, 0], known[2, 1:] = False, True  # some of it comes late
        told = Condition(image=(image * known)[None], image_known=known[None])
        one, many = of_one_particle(masked, image, known, told), exactly(masked, image, known, told)
        by_plain.append(distance(of_one_particle(plain, image, known, None), p, image, known))
        by_masked.append(distance(one, p, image, known))
        by_many.append(distance(many, p, image, known))
        cases.append((float((one - many).abs().sum() / 2), image, known, many))
    assert np.mean(by_many) < np.mean(by_masked) < np.mean(by_plain) / 2
    by_one, image, known, many = max(cases, key=lambda case: case[0])
    drawn = complete(masked, image[None], known, num=6000, particles=16)[0]
    powers = 2 ** torch.arange(8, -1, -1)
    found = (drawn.flatten(1) * powers).sum(1).bincount(minlength=512) / len(drawn)
    by_particles = float((found - many).abs().sum() / 2)
    assert by_particles < by_one / 2


def test_what_is_known_is_told_unless_another_condition_image_is() -> None:
    context = ContextConfig(PixelFormat(levels=2), features=4, blocks=1, degradation=MASK)
    torch.manual_seed(0)
    model = PixelRNN(small_config(context=context, condition_dropout=0.1)).double().eval()
    torch.nn.init.normal_(model.conditioning.context.out.weight, std=3)  # type: ignore[union-attr]
    image, known = torch.randint(2, (1, 1, 3, 3)), torch.rand(1, 3, 3) < 0.5
    told = Condition(image=image * known[:, None], image_known=known)
    completed = complete(model, image, known, num=40, seed=2)
    assert torch.equal(completed, complete(model, image, known, num=40, seed=2, condition=told))
    other = Condition(image=1 - image)
    assert not torch.equal(completed, complete(model, image, known, num=40, seed=2, condition=other))
    everything = torch.ones(3, 3, dtype=torch.bool)
    torch.testing.assert_close(log_known(model, image, everything, 1), model.log_prob(image))  # not told what is asked
    told_all = log_known(model, image, everything, 1, condition=other)
    torch.testing.assert_close(told_all, model.log_prob(image, other))
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    assert torch.equal(complete(model, image, nothing, num=5, seed=4)[0], sample(model, 5, 3, 3, seed=4))
