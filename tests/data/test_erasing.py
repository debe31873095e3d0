"""What parts of images are erased: each kind of mask is what its name says, in the stated share."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pixelseq.data import erasing
from pixelseq.data.erasing import MASK_SHARES, boxes, draw_unknown, half_plane, scattered, strokes
from pixelseq.data.store import generator

SIZES = [(1, 1), (1, 7), (7, 1), (5, 3), (28, 28)]


def random_of(k: int) -> np.random.Generator:
    return generator(0, 0, k, 0)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", MASK_SHARES, ids=lambda kind: kind.__name__)
def test_each_pixel_can_be_unknown_and_known(kind: erasing.Kind, size: tuple[int, int]) -> None:
    drawn = np.stack([kind(*size, random_of(k)) for k in range(1000)])
    assert drawn.shape[1:] == size
    assert drawn.dtype == np.bool_
    assert drawn.any(axis=(1, 2)).all()
    assert drawn.any(axis=0).all()
    assert drawn.all(axis=0).any() == (size == (1, 1))


def test_masks_are_of_the_kinds_that_the_shares_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(mark: int) -> erasing.Kind:
        return lambda H, W, random: np.full((H, W), mark)

    assert sum(MASK_SHARES.values()) == pytest.approx(1)
    shares = list(MASK_SHARES.values())
    monkeypatch.setattr(erasing, "MASK_SHARES", {told(k): share for k, share in enumerate(shares)})
    n = 5000
    counts = Counter(int(draw_unknown(1, 1, random_of(k))[0, 0]) for k in range(n))
    for k, share in enumerate(shares):
        assert abs(counts[k] - n * share) < 5 * (n * share * (1 - share)) ** 0.5


def is_box(unknown: np.ndarray) -> bool:
    """Whether all that is unknown is one box."""
    y, x = np.nonzero(unknown)
    return unknown.sum() == (np.ptp(y) + 1) * (np.ptp(x) + 1)


def test_boxes_are_one_to_three() -> None:
    drawn = [boxes(9, 12, random_of(k)) for k in range(2000)]
    assert sum(is_box(unknown) for unknown in drawn) > 2000 / 3  # one, or one that hides the others
    assert any(unknown.all() for unknown in drawn)
    for unknown in drawn:  # three boxes have four corners each, and each two of them cross in at most four places
        padded = np.pad(unknown, 1).astype(int)
        corners = abs(np.diff(np.diff(padded, axis=0), axis=1)).sum()
        assert 4 <= corners <= 3 * 4 + 3 * 4
    single = [unknown for unknown in drawn if is_box(unknown)]
    assert {int(unknown.any(1).sum()) for unknown in single} == set(range(1, 10))
    assert {int(unknown.any(0).sum()) for unknown in single} == set(range(1, 13))


def test_boxes_lie_anywhere_and_their_number_is_drawn_evenly() -> None:
    H, W, n = 5, 6, 10_000
    # Of the h rows of a box, any of its H - h + 1 places alike, one is the first row of the image.
    first_row, first_column = (sum(1 / (side - k + 1) for k in range(1, side + 1)) / side for side in (H, W))
    missed = 1 - first_row * first_column
    share = 1 - (missed + missed**2 + missed**3) / 3
    count = sum(bool(boxes(H, W, random_of(k))[0, 0]) for k in range(n))
    assert abs(count - n * share) < 5 * (n * share * (1 - share)) ** 0.5


def test_a_half_plane_is_all_on_one_side_of_a_line() -> None:
    sides: Counter[str] = Counter()
    n = 2000
    for k in range(n):
        unknown = half_plane(9, 12, random_of(k))
        down, across = np.diff(unknown.astype(int), axis=0), np.diff(unknown.astype(int), axis=1)
        for steps in (down, across):  # unknown grows one way alone, along each axis
            assert (steps >= 0).all() or (steps <= 0).all()
        straight = (down == 0).all() or (across == 0).all()
        sides["straight" if straight else "oblique"] += 1
        if straight and not unknown.all():
            sides[
                "lower" if down.max() > 0 else "upper" if down.min() < 0 else "right" if across.max() > 0 else "left"
            ] += 1
        # No known pixel lies between unknown ones: the mean of two unknown pixels is unknown, and so for known ones.
        for part in (unknown, ~unknown):
            y, x = np.nonzero(part)
            middle_y, middle_x = y[:, None] + y, x[:, None] + x
            whole = (middle_y % 2 == 0) & (middle_x % 2 == 0)
            assert part[middle_y[whole] // 2, middle_x[whole] // 2].all()
    assert 0.45 * n < sides["straight"] < 0.65 * n  # half, and oblique lines that cut but a corner or nothing off
    assert min(sides[side] for side in ("lower", "upper", "left", "right")) > 0.08 * n


def test_a_stroke_hangs_together_and_is_no_wider_than_its_brush() -> None:
    expected = {1: ["#"], 2: ["##", "##"], 3: ["###", "###", "###"], 4: [".##.", "####", "####", ".##."]}
    for width, rows in expected.items():
        brush = np.zeros((width, width), dtype=bool)
        brush[tuple(erasing._brush(width) + (width - 1) // 2)] = True
        assert ["".join("#" if pixel else "." for pixel in row) for row in brush] == rows
    assert erasing._COMPASS[:, :5].tolist() == [[0, 24, 45, 59, 64], [64, 59, 45, 24, 0]]
    shares = [strokes(28, 28, random_of(k)).mean() for k in range(500)]
    assert max(shares) < 0.8
    assert 0.1 < np.mean(shares) < 0.3
    for k in range(100):
        unknown = strokes(28, 28, random_of(k))
        assert pieces(unknown) <= 4 * 4  # at most four strokes; what leaves the image can come back in
        assert unknown.sum() >= 28 // 2 or unknown[[0, -1]].any() or unknown[:, [0, -1]].any()  # cut off by a border


def test_strokes_are_one_to_four_of_all_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    brush, drawn, widths = erasing._brush, Counter[int](), list[int]()

    def noted(width: int) -> np.ndarray:
        widths.append(width)
        return brush(width)

    monkeypatch.setattr(erasing, "_brush", noted)
    for k in range(1000):
        before = len(widths)
        strokes(24, 30, random_of(k))
        drawn[len(widths) - before] += 1
    for counts, n in ((drawn, 1000), (Counter(widths), len(widths))):
        assert set(counts) == {1, 2, 3, 4}
        assert all(abs(count - n / 4) < 5 * (n * 3 / 16) ** 0.5 for count in counts.values())


def pieces(unknown: np.ndarray) -> int:
    """The number of parts that hang together, by sides or corners."""
    left, count = {(int(y), int(x)) for y, x in np.argwhere(unknown)}, 0
    while left:
        count += 1
        reached = [left.pop()]
        while reached:
            y, x = reached.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            reached += near
    return count


def test_scattered_pixels_have_any_share() -> None:
    shares = np.array([scattered(40, 40, random_of(k)).mean() for k in range(1000)])
    assert shares.min() < 0.1
    assert shares.max() > 0.9
    counts, _ = np.histogram(shares, bins=9, range=(0.05, 0.95))
    assert (abs(counts - 1000 / 9) < 50).all()  # evenly; five standard deviations
