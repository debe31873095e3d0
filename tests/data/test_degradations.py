"""What is left of degraded images: by hand, at odd sizes, and the same again from an equal generator."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelseq import PixelFormat
from pixelseq.data.degradations import CHOICES, EDGE_LEVELS, Degradation, shrunk
from pixelseq.data.store import generator
from pixelseq.imaging.levels import quantise, shades
from pixelseq.model.condition import spread

SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (28, 28)]
TILES = PixelFormat(1, 3, "categorical", "#-o")
OF_CHANNELS = {
    1: ["mask", "lowres:2", "lowres:64", "edges", "noise:0.3", "posterize:4", "lowres:3+edges", "noise:0.2+mask"],
    3: ["mask", "lowres:3", "gray", "edges", "noise:0.3", "posterize:2", "gray+posterize:4", "gray+lowres:2+mask"],
    4: ["mask", "lowres:2", "gray", "edges", "noise:0.3", "posterize:5", "posterize:9+gray+edges", "edges+noise:0.5"],
}
"""Degradations that suit images of so many channels and 10 levels."""
ALL = [(C, name, size) for C, names in OF_CHANNELS.items() for name in names for size in SIZES]


def random_of(k: int) -> np.random.Generator:
    return generator(0, 0, k, 0)


def image_of(C: int, H: int, W: int, levels: int = 256) -> Tensor:
    return torch.randint(levels, (C, H, W), dtype=torch.uint8)


def degraded(name: str, image: Tensor, levels: int = 256, k: int = 0) -> Tensor:
    """What is left of an image of ordinal levels, all of which is known."""
    left, known = Degradation.parse(name)(image, PixelFormat(len(image), levels), random_of(k))
    assert known.all()
    return left


def gray_image(*rows: list[int]) -> Tensor:
    return torch.tensor([rows], dtype=torch.uint8)


def test_a_box_mean_is_the_mean_of_its_box() -> None:
    image = gray_image([0, 1, 10, 20], [2, 4, 30, 40], [255, 255, 0, 0], [255, 254, 0, 1])
    assert shrunk(image, 2).tolist() == [[[2, 25], [255, 0]]]  # 1.75, 25, 254.75, 0.25
    assert degraded("lowres:2", image).tolist() == [[[2, 2, 25, 25]] * 2 + [[255, 255, 0, 0]] * 2]
    assert shrunk(image, 3).tolist() == [[[62, 20], [170, 1]]]  # 557 / 9, 60 / 3; 509 / 3, 1
    assert degraded("lowres:3", image).tolist() == [[[62, 62, 62, 20]] * 3 + [[170, 170, 170, 1]]]
    assert degraded("lowres:64", image).unique().tolist() == [70]  # 1127 / 16 = 70.4


def test_a_half_is_rounded_up() -> None:
    assert shrunk(gray_image([0, 1, 1, 2, 254, 255, 0]), 2).tolist() == [[[1, 2, 255, 0]]]
    assert shrunk(gray_image([0, 0], [1, 1]), 2).tolist() == [[[1]]]
    assert shrunk(gray_image([0, 0], [0, 1]), 2).tolist() == [[[0]]]


@pytest.mark.parametrize("factor", [2, 3, 5, 64])
@pytest.mark.parametrize("C", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_means_are_those_of_exact_fractions(size: tuple[int, int], C: int, factor: int) -> None:
    H, W = size
    image = image_of(C, H, W)
    small = shrunk(image, factor)
    assert small.shape == (C, -(-H // factor), -(-W // factor))
    assert small.dtype == torch.uint8
    for c, y, x in np.ndindex(*small.shape):
        box = image[c, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        assert small[c, y, x] == (Fraction(int(box.sum()), box.numel()) + Fraction(1, 2)) // 1
    assert torch.equal(degraded(f"lowres:{factor}", image), spread(small, factor)[..., :H, :W])


def test_a_pixel_is_spread_to_a_box() -> None:
    assert spread(torch.tensor([[[1, 2]], [[3, 4]]]), 2).tolist() == [[[1, 1, 2, 2]] * 2, [[3, 3, 4, 4]] * 2]
    image = image_of(3, 5, 7)
    assert torch.equal(shrunk(spread(image, 4), 4), image)
    assert torch.equal(spread(torch.stack([image, image]), 3)[1], spread(image, 3))


def test_gray_is_the_luma_of_the_colours() -> None:
    colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [10, 20, 30]]
    luma = [76, 150, 29, 226, 179, 105, 18]  # 76.245, 149.685, 29.07, 225.93, 178.755, 105.315, 18.15
    image = torch.tensor(colours, dtype=torch.uint8).T[:, None]
    assert degraded("gray", image).tolist() == [[luma]]
    assert degraded("gray", torch.cat([image, image_of(1, 1, 7)])).tolist() == [[luma]]  # whatever the transparency
    halves = torch.tensor([[0, 0], [12, 36], [4, 12]], dtype=torch.uint8)[:, None]
    assert degraded("gray", halves).tolist() == [[[8, 23]]]  # 7.5, 22.5: half up


def test_gray_of_few_levels_and_of_grays() -> None:
    binary = torch.tensor([[1, 0, 0, 1, 1], [0, 1, 0, 0, 1], [0, 0, 1, 1, 1]], dtype=torch.uint8)[:, None]
    assert degraded("gray", binary, levels=2).tolist() == [[[0, 1, 0, 0, 1]]]  # 0.299, 0.587, 0.114, 0.413, 1
    grays = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert torch.equal(degraded("gray", grays.expand(3, -1, -1)), grays)


@pytest.mark.parametrize("levels", [2, 3, 10, 256])
def test_a_step_of_the_full_range_is_the_highest_edge(levels: int) -> None:
    step = gray_image(*[[0, 0, levels - 1, levels - 1]] * 4)
    expected = torch.tensor([[[0, 3, 3, 0]] * 4], dtype=torch.uint8)
    assert EDGE_LEVELS == 4
    assert torch.equal(degraded("edges", step, levels), expected)
    assert torch.equal(degraded("edges", levels - 1 - step, levels), expected)
    assert torch.equal(degraded("edges", step.mT, levels), expected.mT)
    assert torch.equal(degraded("edges", step[:, :1], levels), expected[:, :1])  # one row


def test_edges_around_one_pixel_are_as_by_hand() -> None:
    image = torch.zeros(1, 5, 5, dtype=torch.uint8)
    image[0, 2, 2] = 1
    # Magnitudes 2 beside it and the root of 2 at its corners; 4 is level 3, so these are 1.5 and 1.06.
    rows = [[0, 0, 0, 0, 0], [0, 1, 2, 1, 0], [0, 2, 0, 2, 0], [0, 1, 2, 1, 0], [0, 0, 0, 0, 0]]
    assert degraded("edges", image, levels=2).tolist() == [rows]


def test_lower_steps_are_lower_edges() -> None:
    found = {high: int(degraded("edges", gray_image([0, high])).max()) for high in range(256)}
    # 3 * high / 255, rounded: a half lies at 42.5, 127.5 and 212.5.
    assert found == {high: (high > 42) + (high > 127) + (high > 212) for high in range(256)}
    assert degraded("edges", gray_image([0, 1]), levels=3).tolist() == [[[2, 2]]]  # 1.5: half up


@pytest.mark.parametrize("C", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_an_even_image_has_no_edges(size: tuple[int, int], C: int) -> None:
    assert not degraded("edges", torch.full((C, *size), 200, dtype=torch.uint8)).any()


@pytest.mark.parametrize("C", [3, 4])
def test_edges_of_colours_are_those_of_their_gray(C: int) -> None:
    image = image_of(C, 5, 3)
    assert torch.equal(degraded("edges", image), degraded("edges", degraded("gray", image)))
    assert degraded("edges", image).any()


@pytest.mark.parametrize("levels", [3, 10, 255, 256])
def test_posterize_gives_the_nearest_level(levels: int) -> None:
    ramp = torch.arange(levels, dtype=torch.uint8)[None, None]
    for V in range(2, levels):
        left = degraded(f"posterize:{V}", ramp, levels)
        assert np.array_equal(left, quantise(ramp.numpy(), V, levels - 1))
        top = shades(V, levels - 1).to(torch.uint8)[None, None]  # what the levels look like is of those levels again
        assert torch.equal(degraded(f"posterize:{V}", top, levels), torch.arange(V, dtype=torch.uint8)[None, None])
    assert degraded("posterize:2", gray_image([0, 127, 128, 255])).tolist() == [[[0, 0, 1, 1]]]


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.95])
def test_noise_draws_the_share_of_values_that_it_names(probability: float) -> None:
    V, image = 8, torch.zeros(3, 100, 200, dtype=torch.uint8)
    left = degraded(f"noise:{probability}", image, V)
    n = image.numel()
    for level in range(V):
        expected = probability / V + (1 - probability) * (level == 0)
        count = int((left == level).sum())
        assert abs(count - n * expected) < 5 * (n * expected * (1 - expected)) ** 0.5, level
    share = (probability * (1 - 1 / V)) ** 2  # each colour by itself
    both, n = int(left[:2].all(0).sum()), 100 * 200
    assert abs(both - n * share) < 5 * (n * share * (1 - share)) ** 0.5


def test_noise_draws_any_of_256_levels_and_of_tiles() -> None:
    assert len(degraded("noise:0.9", torch.zeros(1, 100, 100, dtype=torch.uint8)).unique()) == 256
    tiles = torch.ones(1, 20, 20, dtype=torch.uint8)
    left, _ = Degradation.parse("noise:0.5")(tiles, TILES, random_of(0))
    assert left.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("C", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masks_leave_the_image_where_it_is_known(size: tuple[int, int], C: int) -> None:
    image, mask = 1 + image_of(C, *size, 255), Degradation.parse("mask")
    for k in range(200):
        left, known = mask(image, PixelFormat(C), random_of(k))
        assert torch.equal(left, torch.where(known, image, 0))
        assert not known.all()
        assert known.dtype == torch.bool


@pytest.mark.parametrize(("C", "name", "size"), ALL, ids=str)
def test_what_is_left_is_of_its_format_and_the_same_again(C: int, name: str, size: tuple[int, int]) -> None:
    image, pixel_format = image_of(C, *size, 10), PixelFormat(C, 10)
    before, degradation = image.clone(), Degradation.parse(name)
    left, known = degradation(image, pixel_format, random_of(0))
    assert torch.equal(image, before)
    made = degradation.format_of(pixel_format)
    assert left.dtype == torch.uint8
    assert left.shape == (made.channels, *size)
    assert left.is_contiguous()
    assert known.shape == size
    assert int(left.max()) < made.levels
    assert known.all() == (not degradation.masks)
    left.fill_(0)  # what is left shares no memory with the image
    assert torch.equal(image, before)
    again = [
        torch.cat([left.flatten(), known.flatten()])
        for left, known in (degradation(image, pixel_format, random_of(k)) for k in (0, 0, *range(1, 30)))
    ]
    assert torch.equal(again[0], again[1])
    drawn = "mask" in name or "noise" in name
    differ = any(not torch.equal(again[0], other) for other in again)
    if size == (28, 28) or not drawn:
        assert differ == drawn


def test_a_part_of_a_larger_tensor_is_degraded_like_a_copy() -> None:
    batch = image_of(3, 12, 14)
    part = batch[:, 2:7, 3:12].mT
    for name in OF_CHANNELS[3]:
        one, other = (Degradation.parse(name)(image, PixelFormat(3), random_of(1)) for image in (part, part.clone()))
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_steps_are_applied_from_left_to_right(size: tuple[int, int]) -> None:
    image = image_of(3, *size)
    gray = degraded("gray", image)
    assert torch.equal(degraded("gray+posterize:4", image), degraded("posterize:4", gray))
    few = degraded("posterize:4", image)
    assert torch.equal(degraded("posterize:4+gray", image), degraded("gray", few, levels=4))
    four = degraded("lowres:2", degraded("posterize:4", gray), levels=4)
    masked, known = Degradation.parse("gray+posterize:4+lowres:2+mask")(image, PixelFormat(3), random_of(5))
    alone, same = Degradation.parse("mask")(four, PixelFormat(1, 4), random_of(5))
    assert torch.equal(known, same)
    assert torch.equal(masked, alone)


@pytest.mark.parametrize(
    ("name", "pixel_format", "expected"),
    [
        ("mask", TILES, TILES),
        ("noise:0.5", TILES, TILES),
        ("noise:0.5+mask", PixelFormat(2, 7), PixelFormat(2, 7)),
        ("lowres:2", PixelFormat(4, 2), PixelFormat(4, 2)),
        ("lowres:2", PixelFormat(1, 3, legend="abc"), PixelFormat(1, 3)),
        ("gray", PixelFormat(3, 16), PixelFormat(1, 16)),
        ("gray", PixelFormat(4), PixelFormat(1)),
        ("edges", PixelFormat(1, 2), PixelFormat(1, 4)),
        ("edges", PixelFormat(4), PixelFormat(1, 4)),
        ("posterize:4", PixelFormat(3), PixelFormat(3, 4)),
        ("posterize:2", PixelFormat(1, 3, legend="abc"), PixelFormat(1, 2)),
        ("gray+posterize:4+lowres:2+mask", PixelFormat(3), PixelFormat(1, 4)),
    ],
    ids=str,
)
def test_the_format_of_what_is_left(name: str, pixel_format: PixelFormat, expected: PixelFormat) -> None:
    assert Degradation.parse(name).format_of(pixel_format) == expected


@pytest.mark.parametrize(
    ("name", "pixel_format", "line"),
    [
        (
            "lowres:2",
            TILES,
            "the mean of tiles, or of other levels without an order, means nothing; use mask or noise:P",
        ),
        ("gray", TILES, "the gray of tiles, or of other levels without an order, means nothing; use mask or noise:P"),
        ("edges", TILES, "the edges of tiles, or of other levels without an order, means nothing; use mask or noise:P"),
        (
            "noise:0.1+posterize:2",
            TILES,
            "a coarser scale of tiles, or of other levels without an order, means nothing; use mask or noise:P",
        ),
        ("gray", PixelFormat(), "gray is for images of colours; those of 1 channel are gray already"),
        ("gray+lowres:2+gray", PixelFormat(3), "gray is for images of colours; those of 1 channel are gray already"),
        ("gray", PixelFormat(2), "gray is for images of 3 or 4 channels; it gets 2 channels of 256 ordinal levels"),
        (
            "edges",
            PixelFormat(5),
            "edges is for images of 1, 3 or 4 channels; it gets 5 channels of 256 ordinal levels",
        ),
        (
            "posterize:4",
            PixelFormat(3, 4),
            "posterize:4 is for more levels than it leaves; it gets 3 channels of 4 ordinal levels",
        ),
        (
            "edges+posterize:9",
            PixelFormat(),
            "posterize:9 is for more levels than it leaves; it gets 1 channel of 4 ordinal levels",
        ),
        ("mask", PixelFormat(1, 257), "the images have 257 levels; those of at most 256 are degraded"),
    ],
)
def test_images_that_do_not_suit_are_refused(name: str, pixel_format: PixelFormat, line: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Degradation.parse(name).format_of(pixel_format)
    assert str(error.value) == line


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("blur", "blur"),
        ("Mask", "Mask"),
        ("gray+", ""),
        ("gray + edges", "gray "),
        ("gray+blur:3", "blur:3"),
        ("gray:3", "gray:3"),
        ("gray:", "gray:"),
        ("mask:0.5", "mask:0.5"),
        ("edges:2", "edges:2"),
        ("lowres", "lowres"),
        ("lowres:", "lowres:"),
        ("lowres:1", "lowres:1"),
        ("lowres:65", "lowres:65"),
        ("lowres:2.0", "lowres:2.0"),
        ("lowres:-2", "lowres:-2"),
        ("lowres:²", "lowres:²"),
        pytest.param("lowres:" + 9999 * "9", "lowres:" + 9999 * "9", id="many-digits"),
        pytest.param("noise:0." + 99999 * "9" + "x", "noise:0." + 99999 * "9" + "x", id="many-decimals"),
        ("lowres:2:3", "lowres:2:3"),
        ("noise", "noise"),
        ("noise:0", "noise:0"),
        ("noise:1", "noise:1"),
        ("noise:1e-999", "noise:1e-999"),
        ("noise:nan", "noise:nan"),
        ("noise:-0.1", "noise:-0.1"),
        ("noise:half", "noise:half"),
        ("posterize", "posterize"),
        ("posterize:1", "posterize:1"),
        ("posterize:256", "posterize:256"),
    ],
)
def test_what_is_no_degradation_is_named_with_the_choices(text: str, part: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Degradation.parse(text)
    assert str(error.value) == f"there is no degradation {part!r}; choose from {CHOICES}, or several joined by +"
    assert CHOICES == "mask, lowres:F (F from 2 to 64), gray, edges, noise:P (0 < P < 1), posterize:V (V from 2 to 255)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mask+gray", "the degradation is 'mask+gray'; mask comes last"),
        ("mask+mask", "the degradation is 'mask+mask'; mask comes last"),
        ("lowres:2+gray+lowres:3", "the degradation is 'lowres:2+gray+lowres:3'; lowres is expected once"),
    ],
)
def test_steps_at_the_wrong_place_are_refused(text: str, line: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Degradation.parse(text)
    assert str(error.value) == line


@pytest.mark.parametrize(
    ("text", "factor", "masks"),
    [
        ("mask", 1, True),
        ("lowres:2", 2, False),
        ("lowres:64+mask", 1, True),
        ("gray+lowres:4+posterize:3", 4, False),
        ("lowres:4+gray", 4, False),
        ("edges+lowres:3", 3, False),
        ("lowres:3+edges", 1, False),
        ("lowres:3+noise:.5", 1, False),
        ("noise:1e-3+lowres:3", 3, False),
        ("gray", 1, False),
        ("posterize:255", 1, False),
    ],
)
def test_what_a_degradation_says_of_itself(text: str, factor: int, masks: bool) -> None:
    degradation = Degradation.parse(text)
    assert degradation.name == text
    assert (degradation.factor, degradation.masks) == (factor, masks)
    assert degradation == Degradation.parse(text)
    assert degradation != Degradation.parse("noise:0.25")


@pytest.mark.parametrize("name", ["lowres:3", "lowres:3+gray", "gray+lowres:3+posterize:4", "noise:0.5+lowres:3"])
def test_a_smaller_picture_holds_all_that_a_factor_leaves(name: str) -> None:
    left = degraded(name, image_of(3, 11, 7))
    small = left[:, ::3, ::3]
    assert Degradation.parse(name).factor == 3
    assert torch.equal(spread(small, 3)[:, :11, :7], left)
