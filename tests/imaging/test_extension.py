"""What is beyond the borders of an image."""

from __future__ import annotations

import pytest
import torch

from pixelseq.imaging.extension import Extension


def test_sides_are_read() -> None:
    assert Extension.parse("left=8,top=03") == Extension(top=3, left=8)
    assert Extension.parse("bottom=1, right=2") == Extension(bottom=1, right=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8",
        "top",
        "top=",
        "top=0",
        "top=-1",
        "top=1.5",
        "above=3",
        "top=1,",
        "top=1,top=2",
        "xtop=1",
        "top=1 left=2",
    ],
)
def test_what_names_no_sides(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected sides and pixels such as top=8,left=8") as raised:
        Extension.parse(text)
    assert str(raised.value).startswith(f"`extend` is {text!r}; ")


def test_what_is_beyond_is_unknown() -> None:
    known = torch.tensor([[True, False]])
    assert Extension(top=1, left=2).around(known).tolist() == [[False] * 4, [False, False, True, False]]
    assert Extension(bottom=1, right=1).around(torch.tensor([[[5, 6]]])).tolist() == [[[5, 6, 0], [0, 0, 0]]]


def test_an_extension_has_a_limit() -> None:
    assert Extension(top=2).around(torch.ones(2, 3), max_pixels=12).shape == (4, 3)
    with pytest.raises(
        ValueError, match=r"`extend` makes 5x3 pixels \(rows x columns\) of 2x3; `max_pixels` allows 12"
    ):
        Extension(top=3).around(torch.ones(2, 3), max_pixels=12)
    with pytest.raises(ValueError, match="`max_pixels` allows 178956970"):
        Extension(left=10**30).around(torch.ones(2, 3))


@pytest.mark.parametrize(("pixels", "known"), [(0, ["1111"] * 3), (1, ["0111", "0111", "0000"]), (9, ["0000"] * 3)])
def test_what_is_unknown_reaches_in_from_beyond(pixels: int, known: list[str]) -> None:
    found = Extension(left=5, bottom=10**30).grown(torch.ones(3, 4).bool(), pixels)
    assert found.tolist() == [[one == "1" for one in row] for row in known]


def test_without_an_extension_masks_of_any_size_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extension, "around", None)  # which has a limit
    known = torch.ones(3, 4).bool()
    assert Extension().grown(known, 1).equal(known)
