"""Partly known pictures: what the model sees of them, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import without_hidden_colours
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelseq.imaging.extension import Extension
from pixelseq.imaging.levels import quantise
from pixelseq.imaging.masks import opaque
from pixelseq.imaging.partial import read_partial
from pixelseq.imaging.pictures import save_png, to_picture
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.imaging.read import as_seen, open_picture
from pixelseq.pixel_format import PixelFormat

TILES = PixelFormat(levels=6, kind="categorical")


def left(picture: Image.Image) -> torch.Tensor:
    """The first column is known."""
    return (torch.arange(picture.width) < 1).expand(picture.height, -1)


@pytest.mark.parametrize("levels", [2, 3, 7, 17, 256])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_the_models_levels_are_read_and_filled_exactly(tmp_path: Path, channels: int, levels: int) -> None:
    pixel_format = PixelFormat(channels, levels)
    image, completion = map(without_hidden_colours, torch.randint(levels, (2, channels, 5, 3)))
    to_picture(image, pixel_format).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", pixel_format, left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0].long(), image[:, :, 0])
    completion[:, :, 0] = image[:, :, 0]
    filled = partial.filled(completion)
    assert filled.tobytes() == to_picture(completion, pixel_format).tobytes()
    assert filled.mode == to_picture(image, pixel_format).mode


def test_finer_shades_are_quantised_for_the_model_and_kept_in_the_picture(tmp_path: Path) -> None:
    values = np.array([[100, 7], [101, 7]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(levels=2), left)
    assert partial.note is not None
    assert "more shades than the model's 2 levels" in partial.note
    assert partial.levels[0, :, 0].tolist() == [0, 0]
    assert np.array(partial.filled(torch.tensor([[[0, 1], [0, 0]]]))).tolist() == [[100, 255], [101, 0]]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_alpha_channel_says_what_is_known_of_a_colour_picture(tmp_path: Path, channels: int) -> None:
    values = np.array([[[1, 2, 3, 255], [4, 5, 6, 0]]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(channels, 256), opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels[:, 0, 0].tolist() == {1: [2], 3: [1, 2, 3], 4: [1, 2, 3, 255]}[channels]
    filled = partial.filled(torch.tensor([[[1, 9]], [[2, 8]], [[3, 7]], [[4, 50]]])[:channels])
    drawn = {1: [9, 9, 9, 255], 3: [9, 8, 7, 255], 4: [9, 8, 7, 50]}[channels]
    assert np.array(filled).tolist() == [[[1, 2, 3, 255], drawn]]


def test_an_alpha_channel_says_what_is_known_of_a_tile_map(tmp_path: Path) -> None:
    picture = to_picture(torch.tensor([[[1, 3]]]), TILES).convert("RGBA")
    picture.putpixel((1, 0), (1, 2, 3, 0))  # of no tile
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", TILES, opaque)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels.tolist() == [[[1, 0]]]


def test_tiles_are_filled_in_the_colours_of_the_palette(tmp_path: Path) -> None:
    image, completion = torch.randint(6, (2, 1, 4, 3))
    to_picture(image, TILES).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", TILES, left)
    assert partial.note is None
    assert torch.equal(partial.levels[:, :, 0].long(), image[:, :, 0])
    completion[:, :, 0] = image[:, :, 0]
    filled = partial.filled(completion)
    assert (filled.mode, filled.tobytes()) == ("P", to_picture(completion, TILES).tobytes())
    assert filled.getpalette() == to_picture(completion, TILES).getpalette()
    to_picture(image, TILES).convert("RGB").save(tmp_path / "a.png")
    filled = read_partial(tmp_path / "a.png", TILES, left).filled(completion)
    assert (filled.mode, filled.tobytes()) == ("RGB", to_picture(completion, TILES).convert("RGB").tobytes())


@pytest.mark.parametrize("mode", ["1", "I;16", "P", "L", "LA", "RGB", "RGBA"])
def test_an_extended_picture_is_filled_in_its_own_mode(tmp_path: Path, mode: str) -> None:
    pixel_format = TILES if mode == "P" else PixelFormat({"RGB": 3, "RGBA": 4}.get(mode, 1), 2)
    C, V = pixel_format.channels, pixel_format.levels
    image, completion = without_hidden_colours(torch.randint(V, (C, 3, 5))), torch.randint(V, (C, 6, 8))
    if mode == "RGBA":
        completion = without_hidden_colours(completion)
        completion[3, 0, 0] = 0  # so that a picture without transparency cannot hold it
    picture = to_picture(image, pixel_format)
    if mode == "I;16":
        picture = Image.fromarray(np.array(picture).astype(np.uint16) * 257)
    picture = picture if mode in ("I;16", "P") else picture.convert(mode)
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", pixel_format, lambda _: torch.ones(3, 5).bool())
    wide = partial.extended(Extension(top=2, bottom=1, left=3))
    inside = torch.zeros(6, 8).bool()
    inside[2:5, 3:] = True
    assert torch.equal(wide.known, inside)
    assert torch.equal(wide.levels[:, 2:5, 3:].long(), image)
    filled = wide.filled(completion)
    assert (filled.mode, filled.size) == (picture.mode, (8, 6))
    assert filled.getpalette() == picture.getpalette()
    assert np.array_equal(np.array(filled)[2:5, 3:], np.array(picture))
    completion[:, 2:5, 3:] = image
    seen = 3 if mode == "P" else C
    assert np.array_equal(as_seen(filled, seen), as_seen(to_picture(completion, pixel_format), seen))
    with pytest.raises(ValueError, match=r"a\.png: `extend` makes 3x6 pixels .* `max_pixels` allows 17"):
        partial.extended(Extension(right=1), max_pixels=17)


@pytest.mark.parametrize(
    ("values", "known", "levels", "filled", "note"),
    [
        (np.array([[10_000, 65535]], np.uint16), left, [2, 16], [10_000, 28672], "more shades than the model's 17"),
        (np.array([[[100, 255], [8, 0]]], np.uint8), opaque, [6, 16], [[100, 255], [112, 255]], "more shades than"),
    ],
    ids=["I;16", "LA"],
)
def test_gray_pictures_of_any_depth_are_filled_in_their_own_values(
    tmp_path: Path,
    values: np.ndarray,
    known: Callable[[Image.Image], torch.Tensor],
    levels: list[int],
    filled: list[object],
    note: str,
) -> None:
    picture = Image.fromarray(values)
    picture.save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(levels=17), known)
    assert partial.known.tolist() == [[True, False]]
    assert partial.levels.tolist() == [[levels]]
    assert partial.note is not None
    assert note in partial.note
    found = partial.filled(torch.tensor([[[9, 7]]]))
    assert found.mode == picture.mode
    assert np.array(found).tolist() == [filled]


def test_a_colour_that_stands_for_transparent_is_seen_white_as_in_training(tmp_path: Path) -> None:
    Image.fromarray(np.array([[7, 8, 7]], dtype=np.uint8)).save(tmp_path / "a.png", transparency=7)
    partial = read_partial(tmp_path / "a.png", PixelFormat(), left)
    assert partial.levels.tolist() == [[[255, 8, 255]]]
    assert partial.note is not None
    assert "the model sees its transparent pixels over white" in partial.note
    filled = partial.filled(torch.tensor([[[1, 2, 3]]]))
    assert (np.array(filled).tolist(), filled.info) == ([[7, 2, 3]], {"transparency": 7})
    opaque_seven = partial.filled(torch.tensor([[[1, 2, 7]]]))
    assert opaque_seven.mode == "LA"
    assert np.array(opaque_seven)[0, :, 1].tolist() == [0, 255, 255]
    known = torch.tensor([[False, True, False]])
    assert read_partial(tmp_path / "a.png", PixelFormat(), lambda _: known).note is None


def test_colours_are_seen_gray_by_a_gray_model_and_kept(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0], [9, 9, 9]]], dtype=np.uint8)).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(), left)
    assert partial.levels[0, 0, 0] == 76  # the luma of pure red
    assert partial.note == "the model sees its colours as grays"
    assert np.array(partial.filled(torch.tensor([[[1, 2]]]))).tolist() == [[[255, 0, 0], [2, 2, 2]]]
    assert read_partial(tmp_path / "a.png", PixelFormat(), lambda _: torch.tensor([[False, True]])).note is None


@pytest.mark.parametrize("channels", [1, 3])
def test_cmyk_is_completed_in_rgb(tmp_path: Path, channels: int) -> None:
    Image.new("CMYK", (2, 1), (0, 0, 0, 55)).save(tmp_path / "a.tif")
    partial = read_partial(tmp_path / "a.tif", PixelFormat(channels), left)
    assert partial.note == "it is of mode CMYK, and its completions are RGB"
    filled = partial.filled(torch.full((channels, 1, 2), 9))
    assert (filled.mode, np.array(filled).tolist()) == ("RGB", [[[200] * 3, [9] * 3]])


def test_a_palette_is_kept_where_it_has_the_drawn_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[3, 0]], dtype=np.uint8))
    picture.putpalette([9, 9, 9, 1, 2, 3, 0, 0, 0, 200, 0, 0])
    picture.save(tmp_path / "a.png", transparency=b"\xff\x80")
    partial = read_partial(tmp_path / "a.png", PixelFormat(3), left)
    filled = partial.filled(torch.zeros(3, 1, 2))
    assert (filled.mode, np.array(filled).tolist()) == ("P", [[3, 2]])
    assert filled.getpalette() == picture.getpalette()
    for drawn in ([1, 2, 3], [1, 2, 4]):  # half transparent in the palette; not in the palette
        filled = partial.filled(torch.tensor(drawn)[:, None, None].expand(3, 1, 2))
        assert (filled.mode, np.array(filled).tolist()) == ("RGB", [[[200, 0, 0], drawn]])


@pytest.mark.parametrize(("levels", "drawn", "mode"), [(2, 1, "1"), (17, 16, "1"), (17, 8, "L")])
def test_one_bit_stays_one_bit_where_nothing_gray_is_drawn(tmp_path: Path, levels: int, drawn: int, mode: str) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    partial = read_partial(tmp_path / "a.png", PixelFormat(levels=levels), left)
    assert partial.levels.tolist() == [[[levels - 1, 0]]]
    assert partial.note is None
    filled = partial.filled(torch.full((1, 1, 2), drawn))
    assert filled.mode == mode
    assert np.array(filled.convert("L")).tolist() == [[255, 128 if mode == "L" else 255]]


@pytest.mark.parametrize("mode", ["1", "I;16", "P", "L", "RGB"])
def test_pictures_are_resized_as_in_training(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).integers(256, size=(8, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    picture.save(tmp_path / "a.png")
    hole = torch.ones(8, 6).bool()
    hole[4, 1] = False
    partial = read_partial(tmp_path / "a.png", PixelFormat(3), lambda _: hole, Preprocessing(resize=(4, 4)))
    assert np.array_equal(partial.levels, as_seen(picture, 3, (4, 4)))
    assert (~partial.known).nonzero().tolist() == [[2, 0], [2, 1]]  # columns of one and a half pixels
    assert partial.note is not None
    assert "it is resized to 4x4 as in training" in partial.note
    filled = np.array(partial.filled(torch.full((3, 4, 4), 9)).convert("RGB"))
    assert (filled[~partial.known] == 9).all()
    assert np.abs(filled[partial.known] - partial.levels.permute(1, 2, 0).numpy()[partial.known].astype(int)).max() <= 1


def test_colours_that_cannot_be_converted_are_one_line(tmp_path: Path) -> None:
    Image.new("LAB", (2, 1)).save(tmp_path / "a.tif")
    for known in (left, opaque):
        with pytest.raises(ValueError, match=r"a\.tif: "):
            read_partial(tmp_path / "a.tif", PixelFormat(), known)


KINDS = ("1", "L", "L, one transparent", "LA", "P", "P, some transparent", "RGB", "RGBA", "I;16", "CMYK")
ALWAYS_KEPT = {1: {"L", "LA", "RGB", "RGBA", "I;16"}, 3: {"RGB", "RGBA"}, 4: {"RGBA"}}
"""What holds anything that a model of so many channels draws."""


def made(kind: str, random: np.random.Generator, shape: tuple[int, int]) -> Image.Image:
    """A picture of any values, often few."""
    few = random.choice([1, 60, 127, 255])  # steps between values
    noise = (random.integers(256, size=(*shape, 4)) // few * few).astype(np.uint8)
    match kind.partition(",")[0]:
        case "1":
            return Image.fromarray(noise[..., 0] > 127)
        case "I;16":
            return Image.fromarray(random.integers(65536, size=shape).astype(np.uint16))
        case "P":
            picture = Image.fromarray(noise[..., 0] % 16)
            picture.putpalette((random.integers(3, size=48) * 127.5).astype(np.uint8).tobytes())
            return picture
        case "CMYK":
            return Image.fromarray(noise, mode="CMYK")
        case mode:
            bands = {"L": 0, "LA": [0, 3], "RGB": [0, 1, 2], "RGBA": [0, 1, 2, 3]}[mode]
            return Image.fromarray(np.ascontiguousarray(noise[..., bands]))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(
    channels=st.sampled_from([1, 3, 4]),
    levels=st.sampled_from([2, 16, 256]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
    stripes=st.booleans(),
)
def test_known_pixels_keep_their_values_and_the_others_are_as_drawn(
    tmp_path: Path,
    kind: str,
    channels: int,
    levels: int,
    shape: tuple[int, int],
    seed: int,
    stripes: bool,
) -> None:
    random = np.random.default_rng(seed)
    path = tmp_path / ("a.tif" if kind == "CMYK" else "a.png")
    clear = {"L, one transparent": 60, "P, some transparent": bytes(random.choice([0, 200, 255], size=16).tolist())}
    made(kind, random, shape).save(path, **({"transparency": clear[kind]} if kind in clear else {}))
    original = open_picture(path)
    known = random.random(shape) < 0.5
    completion = torch.from_numpy(random.integers(levels, size=(channels, *shape)))
    if stripes:  # of one gray: what more modes hold
        completion = completion[:1].expand(channels, -1, -1) // (levels - 1) * (levels - 1)

    partial = read_partial(path, PixelFormat(channels, levels), lambda _: torch.from_numpy(known))
    save_png(partial.filled(completion), tmp_path / "filled.png")
    filled = open_picture(tmp_path / "filled.png")

    expected = quantise(as_seen(original, channels), levels)
    assert np.array_equal(partial.levels.numpy()[:, known], expected[:, known])
    drawn = as_seen(to_picture(completion, PixelFormat(channels, levels)), 4)
    assert np.array_equal(as_seen(filled, 4)[:, ~known], drawn[:, ~known])
    assert np.array_equal(as_seen(filled, 4)[:, known], as_seen(original, 4)[:, known])
    if filled.mode == original.mode:
        assert np.array_equal(np.array(filled)[known], np.array(original)[known])
        assert filled.getpalette() == original.getpalette()
        assert filled.info.get("transparency") == original.info.get("transparency")
    else:
        assert kind not in ALWAYS_KEPT[channels]
        assert kind != "1" or not np.isin(drawn, [0, 255]).all() or (drawn[:3] != drawn[0]).any() or drawn[3].min() == 0
