"""Completions given every known pixel, and p(known), against the enumeration of all 3x3 binary images."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import all_images, small_model
from torch import Tensor

from pixelseq import PixelRNN, SamplingOptions, complete, log_known, sample
from pixelseq.generation.noise import Noise
from pixelseq.generation.particles import Particles
from pixelseq.generation.walkers import start_walk
from pixelseq.kernels.backends import BACKEND_VARIABLE

SIDE = 3
IMAGES = all_images(2, 1, SIDE, SIDE)
MASKS = IMAGES[:, 0].bool()
"""Mask m knows a pixel where the binary digits of m, read as rows, have a 1."""
LAST, LAST_ROW, LAST_COLUMN, BORDER, CHECKERBOARD = 0b000000001, 0b000000111, 0b001001001, 0b111101111, 0b101010101
SPREAD = [0, 511, LAST, LAST_ROW, LAST_COLUMN, BORDER, CHECKERBOARD, 511 - CHECKERBOARD, *range(43, 511, 52)]

MANY = 2**14


def strong_model() -> PixelRNN:
    """A model of which a pixel depends strongly on those before it."""
    torch.manual_seed(6)
    return small_model(3.0, blocks=("diagonal",), context_blocks=0)


@pytest.fixture(scope="module")
def nats() -> Tensor:
    """-log p of each pixel of every image given those before, [512, 3, 3]."""
    return strong_model().nll(IMAGES)[:, 0].detach()


def drawn_image(nats: Tensor, mask: int) -> Tensor:
    """A sample of the model, [1, 3, 3]."""
    return IMAGES[(-nats.sum((1, 2))).exp().multinomial(1, generator=torch.Generator().manual_seed(mask))[0]]


def agreeing(image: Tensor, known: Tensor) -> Tensor:
    """Which images have the known pixels of this one, [512]."""
    return (IMAGES[:, 0] == image[0])[:, known].all(1)


def joint(nats: Tensor, image: Tensor, known: Tensor) -> Tensor:
    """p of every image that has the known pixels of this one, else 0: [512]; the sum is p(known)."""
    return (-nats.sum((1, 2))).exp() * agreeing(image, known)


def passing_by(nats: Tensor, image: Tensor, known: Tensor) -> Tensor:
    """The distribution of completions on which known pixels further on have no influence, [512]."""
    return (-(nats * ~known).sum((1, 2))).exp() * agreeing(image, known)


def frequencies(images: Tensor, weights: Tensor) -> Tensor:
    """The share of each image in a weighted set, [512]."""
    codes = (images.flatten(1) * 2 ** torch.arange(SIDE**2 - 1, -1, -1)).sum(1)
    return torch.zeros(len(IMAGES), dtype=torch.float64).index_add(0, codes, weights)


def distance(one: Tensor, other: Tensor) -> float:
    """Total variation of two distributions [512]."""
    return float((one / one.sum() - other / other.sum()).abs().sum() / 2)


def population(model: PixelRNN, image: Tensor, known: Tensor) -> tuple[Tensor, Tensor, float]:
    """All particles of a run [K, 1, 3, 3], none chosen yet, their weights [K], and the estimate of log p(known).

    Their draws are by scrambled Sobol points, each of them uniform and together more even than independent ones: what
    is left of chance in the frequencies is far below 0.02.
    """
    uniform = torch.quasirandom.SobolEngine(SIDE**2, scramble=True, seed=0).draw(MANY, dtype=torch.float64)
    points = torch.rand(SIDE, 1, SIDE + 1, dtype=torch.float64)
    run = Particles(start_walk(model, 1, SIDE), torch.where(known, image, 0)[0][None, :, :, None], known[None], MANY)
    run.last_row.fill_(SIDE)  # below the image: no particle is chosen
    for i in range(SIDE):
        run.walk_row(i, uniform.view(MANY, SIDE, SIDE, 1)[:, i], points[i])
    left = run.log_weights[0].logsumexp(0) - math.log(MANY)
    return run.levels.movedim(-1, 1), run.log_weights[0].softmax(0), float(run.log_known[0] + left)


def check_exact(nats: Tensor, mask: int) -> None:
    known, image = MASKS[mask], drawn_image(nats, mask)
    expected = joint(nats, image, known)
    particles, weights, log_p = population(strong_model(), image, known)
    assert distance(frequencies(particles, weights), expected) < 0.02, f"{mask:09b}"
    assert log_p == pytest.approx(math.log(expected.sum()), abs=0.05), f"{mask:09b}"


@pytest.mark.parametrize("mask", SPREAD, ids=lambda m: f"{m:09b}")
def test_many_particles_are_the_posterior(nats: Tensor, mask: int) -> None:
    check_exact(nats, mask)


@pytest.mark.slow
def test_many_particles_are_the_posterior_under_every_mask(nats: Tensor) -> None:
    for mask in range(len(MASKS)):
        check_exact(nats, mask)


def test_one_particle_passes_by_the_known_pixels_and_64_do_not(nats: Tensor) -> None:
    model, known = strong_model(), MASKS[CHECKERBOARD]
    image = drawn_image(nats, CHECKERBOARD)
    exact, apart = joint(nats, image, known), passing_by(nats, image, known)
    one = frequencies(complete(model, image[None], known, num=5000)[0], torch.ones(5000).double())
    many = frequencies(complete(model, image[None], known, num=1000, particles=64)[0], torch.ones(1000).double())
    assert distance(exact, apart) > 0.2
    assert distance(one, apart) < 0.02
    assert distance(many, exact) < 0.05


@pytest.mark.parametrize("mask", [LAST, LAST_COLUMN, CHECKERBOARD], ids=lambda m: f"{m:09b}")
def test_the_estimate_of_p_known_is_unbiased(nats: Tensor, mask: int) -> None:
    known, runs = MASKS[mask], 3000
    image = drawn_image(nats, mask)
    exact = float(joint(nats, image, known).sum())
    found = log_known(strong_model(), image.expand(runs, -1, -1, -1), known, particles=4).exp()
    assert float(found.mean()) == pytest.approx(exact, abs=4 * float(found.std()) / math.sqrt(runs))
    assert found.std() > 0


def test_p_known_is_exact_where_no_unknown_pixel_comes_first(nats: Tensor) -> None:
    model = strong_model()
    for known in (torch.ones(3, 3).bool(), torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]).bool()):
        for particles in (1, 3):
            found = log_known(model, IMAGES[100:102], known, particles)
            torch.testing.assert_close(found, -(nats[100:102] * known).sum((1, 2)))
    assert log_known(model, IMAGES[:2], torch.zeros(3, 3).bool(), 3).tolist() == [0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_completion_is_the_same_in_any_batch_whatever_the_masks(channels: int) -> None:
    B, H, W, K = 6, 4, 5, 5
    model = small_model(2.0, levels=4, channels=channels)
    images, known = torch.randint(4, (B, channels, H, W)), torch.rand(B, H, W) < 0.5
    known[0], known[1] = True, False
    known[2, :2], known[2, 2:] = True, False
    known[3, :2] = True  # rows that, alone, are walked once
    together = complete(model, images, known, num=2, seed=4, particles=K)
    estimates = log_known(model, images, known, K, seed=4)
    assert not torch.equal(together, complete(model, images, known, num=2, seed=5, particles=K))
    keep = known[:, None, None].expand_as(together)
    assert torch.equal(together[keep], images[:, None].expand_as(together)[keep])
    for k in range(B):
        alone = complete(model, images[k : k + 1], known[k], num=2, seed=4, particles=K, first_index=2 * k)
        assert torch.equal(alone[0], together[k])
        torch.testing.assert_close(
            log_known(model, images[k : k + 1], known[k], K, seed=4, first_index=k)[0], estimates[k]
        )
    # Where nothing that is known comes later, particles change nothing.
    assert torch.equal(together[1], sample(model, 2, H, W, seed=4, first_index=2))
    assert torch.equal(together[:3], complete(model, images, known, num=2, seed=4)[:3])
    assert not torch.equal(together[3:], complete(model, images, known, num=2, seed=4)[3:])


def test_steps_and_compiled_walks_give_the_same_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(2.0, levels=4)
    images, known = torch.randint(4, (2, 1, 4, 5)), torch.rand(2, 4, 5) < 0.5
    compiled = complete(model, images, known, particles=5), log_known(model, images, known, 5)
    monkeypatch.setenv(BACKEND_VARIABLE, "reference")
    assert torch.equal(complete(model, images, known, particles=5), compiled[0])
    torch.testing.assert_close(log_known(model, images, known, 5), compiled[1])


def test_an_image_has_sequences_of_noise_of_which_the_first_draws_its_pixels() -> None:
    device = torch.device("cpu")
    rows = Noise(3, range(2), device, range(3)).row(4, 1)
    assert torch.equal(rows[::3], Noise(3, range(2), device).row(4, 1))
    assert torch.equal(rows[2::3], Noise(3, range(2), device, range(2, 3)).row(4, 1))
    assert rows.unique().numel() == rows.numel()


def test_systematic_resampling_copies_by_the_weights() -> None:
    """Of 4 particles of weights 1/2, 1/4, 1/4 and 0 the first is left twice, the last never, the states with them."""
    model = small_model(2.0, levels=5)
    images, known = torch.zeros(2, 1, 3, 1, dtype=torch.long), torch.zeros(2, 1, 3, dtype=torch.bool)
    run = Particles(start_walk(model, 2, 3), images, known, 4)
    run.levels += torch.arange(8)[:, None, None, None]
    weights = torch.tensor([[0.5, 0.25, 0.25, 0.0]] * 2, dtype=torch.float64)
    run.log_weights = (3 * weights).log()
    torch.testing.assert_close(run.effective(), torch.full((2,), 1 / 0.375, dtype=torch.float64))
    run._resample(torch.tensor([False, True]), torch.tensor([[0.3], [0.7]]).double())
    assert run.levels[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 4, 5, 6]
    torch.testing.assert_close(run.log_known, torch.tensor([0, math.log(3 / 4)]).double())
    assert (run.log_weights[1] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"particles": 0}, "`particles` is 0; it must be a whole number of at least 1"),
        (
            {"particles": 2, "options": SamplingOptions(0.5)},
            "`particles` is 2 with temperature 0.5, top_k 0 and top_p 1",
        ),
        ({"particles": 2, "options": SamplingOptions(top_k=1)}, "take 1 particle"),
        ({"particles": 2, "options": SamplingOptions(top_p=0.5)}, "the model's own distribution"),
    ],
    ids=["none", "temperature", "top-k", "top-p"],
)
def test_arguments_out_of_range(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        complete(small_model(), IMAGES[:1], MASKS[1], **arguments)  # type: ignore[arg-type]
    if arguments == {"particles": 0}:
        with pytest.raises(ValueError, match=message):
            log_known(small_model(), IMAGES[:1], MASKS[1], 0)
