"""Colours of levels without an order: distinct, fixed, readable."""

from __future__ import annotations

import numpy as np
import pytest

from pixelseq.imaging.palette import GAP_COLOUR, PAPER_COLOUR, UNKNOWN_COLOUR, oklab, palette


@pytest.mark.parametrize(("levels", "apart"), [(6, 0.15), (16, 0.11), (64, 0.05), (256, 0.03)])
def test_colours_are_far_from_one_another_and_from_paper_and_unknown_pixels(levels: int, apart: float) -> None:
    places = oklab(np.concatenate([palette(levels), [PAPER_COLOUR, UNKNOWN_COLOUR]]))
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    assert distances[~np.eye(levels + 2, dtype=bool)].min() > apart  # black to white is 1


def test_no_level_has_the_colour_of_gaps() -> None:
    assert not (palette(256) == GAP_COLOUR).all(1).any()


def test_a_levels_colour_does_not_depend_on_how_many_there_are() -> None:
    assert (palette(256)[:6] == palette(6)).all()
    assert palette(3).tolist() == [[68, 0, 34], [221, 153, 34], [102, 221, 255]]  # pictures of old must stay readable


def test_oklab_of_known_colours() -> None:
    expected = [[0, 0, 0], [1, 0, 0], [0.628, 0.225, 0.126], [0.452, -0.032, -0.312]]  # Ottosson (2020)
    found = oklab(np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]))
    np.testing.assert_allclose(found, expected, atol=1e-3)
