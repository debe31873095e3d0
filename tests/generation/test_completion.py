"""Known pixels are kept, unknown ones sampled given what comes before them."""

from __future__ import annotations

import pytest
import torch
from helpers import all_images, small_model
from scipy.stats import chisquare

from pixelseq import complete, sample

DRAWS = 20_000


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_known_pixels_are_kept_per_image_for_any_mask(channels: int) -> None:
    model = small_model(2.0, levels=5, channels=channels)
    images = torch.randint(5, (4, channels, 3, 4))
    known = torch.rand(4, 3, 4) < 0.5
    completed = complete(model, images, known, num=3)
    assert completed.shape == (4, 3, channels, 3, 4)
    keep = known[:, None, None].expand_as(completed)
    assert torch.equal(completed[keep], images[:, None].expand_as(completed)[keep])
    assert not torch.equal(completed[:, 0], completed[:, 1])


def test_with_everything_known_it_returns_the_input() -> None:
    model = small_model(levels=5)
    images = torch.randint(5, (2, 1, 3, 4), dtype=torch.uint8)
    completed = complete(model, images, torch.ones(3, 4, dtype=torch.bool), num=2)
    assert torch.equal(completed, images[:, None].expand(-1, 2, -1, -1, -1).long())


def test_one_image_known_and_the_other_not() -> None:
    model = small_model(levels=5)
    images = torch.randint(5, (2, 1, 3, 4))
    known = torch.stack([torch.ones(3, 4), torch.zeros(3, 4)]).bool()
    completed = complete(model, images, known, num=2, seed=3)
    assert torch.equal(completed[0], images[:1].expand(2, -1, -1, -1))
    assert torch.equal(completed[1], sample(model, 4, 3, 4, seed=3)[2:])


@pytest.mark.parametrize(("batch", "num"), [(1, 4), (4, 1), (2, 2)])
def test_with_nothing_known_it_equals_sample(batch: int, num: int) -> None:
    model = small_model(levels=5, channels=3)
    images = torch.full((batch, 3, 3, 4), 77)  # what stands at unknown pixels, levels or not, has no influence
    completed = complete(model, images, torch.zeros(3, 4, dtype=torch.bool), num=num, seed=9)
    assert torch.equal(completed.flatten(0, 1), sample(model, 4, 3, 4, seed=9))


def test_a_completion_is_the_same_in_any_batch() -> None:
    model = small_model(levels=5)
    images, known = torch.randint(5, (3, 1, 3, 4)), torch.rand(3, 3, 4) < 0.5
    known[:, 0] = True  # the shared first row is walked once an image
    together = complete(model, images, known, num=2, seed=4)
    for k in range(3):
        alone = complete(model, images[k : k + 1], known[k], num=2, seed=4, first_index=2 * k)
        assert torch.equal(alone[0], together[k])


def test_frequencies_match_the_exact_conditional() -> None:
    model = small_model(2.0, blocks=("row", "diagonal"))
    images = all_images(2, 1, 2, 2)
    joint = (-model.nll(images).sum((1, 2, 3))).exp().detach()
    first = images[:, 0, 0]
    for top in ([0, 1], [1, 1]):
        matches = (first == torch.tensor(top)).all(1)
        exact = joint[matches] / joint[matches].sum()
        image = torch.tensor([[top, [0, 0]]])[None].view(1, 1, 2, 2)
        known = torch.tensor([[True, True], [False, False]])
        drawn = complete(model, image, known, num=DRAWS, seed=2)[0, :, 0, 1]
        counts = (drawn * torch.tensor([2, 1])).sum(1).bincount(minlength=4)
        assert chisquare(counts, exact * DRAWS).pvalue > 0.01


@pytest.mark.parametrize(
    ("images", "known", "num", "message"),
    [
        (
            torch.zeros(1, 1, 3, 4),
            torch.ones(3, 3).bool(),
            1,
            r"known is \[3, 3\]; the images ask for \[3, 4\]",
        ),
        (torch.zeros(1, 1, 3, 4), torch.ones(3, 4), 1, "expected bool, True = keep"),
        (torch.zeros(1, 1, 3, 4), torch.ones(3, 4).bool(), 0, "`num` is 0"),
        (torch.zeros(1, 3, 4), torch.ones(3, 4).bool(), 1, r"images are \[1, 3, 4\]"),
        (torch.zeros(1, 3, 3, 4), torch.ones(3, 4).bool(), 1, "have 3 channels"),
        (torch.full((1, 1, 3, 4), 2), torch.ones(3, 4).bool(), 1, "the model has 2 levels"),
    ],
    ids=["mask-size", "mask-type", "num", "rank", "channels", "levels"],
)
def test_arguments_out_of_range(images: torch.Tensor, known: torch.Tensor, num: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        complete(small_model(), images.long(), known, num=num)
