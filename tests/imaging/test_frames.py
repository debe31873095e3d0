"""Stacks, animations, and what else lies beside a picture in its file."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixelseq.imaging.read import Decoded, Reading, decode_frames, decode_picture, open_picture

ANIMATED = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "TIFF": {}, "AVIF": {"quality": 100}}
"""Formats of several frames, and options that keep their values."""
SHADES = (0, 51, 102, 153)
NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
THUMBNAIL, PAGE, MASK = 1, 2, 4
PREVIEW, DISPARITY = 0x010001, 0x020002
"""Kinds of pictures in a camera's file."""


def flat(shade: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new("L", size, shade)


def encoded(frames: list[Image.Image], kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def pages(*frames: tuple[Image.Image, dict[int, int]]) -> bytes:
    """A TIFF of pictures with tags."""
    from PIL.TiffImagePlugin import AppendingTiffWriter

    file = io.BytesIO()
    with AppendingTiffWriter(file) as writer:
        for frame, tags in frames:
            frame.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
        return file.getvalue()


def read(content: bytes, **reading: object) -> list[Decoded]:
    return list(decode_frames(content, Reading(**reading)))  # type: ignore[arg-type]


def shades(frames: list[Decoded]) -> list[int]:
    """The shade of each frame, which has no other."""
    assert all(len(np.unique(frame.pixels)) == 1 for frame in frames)
    return [int(frame.pixels[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize("kind", ANIMATED)
def test_the_first_frame_or_all_are_read(kind: str) -> None:
    content = encoded([flat(shade) for shade in SHADES], kind, **ANIMATED[kind])
    (first,) = read(content)
    assert first.frames == 4
    assert shades([first]) == [0]
    every = read(content, every_frame=True)
    assert shades(every) == pytest.approx(SHADES, abs=1 if kind == "AVIF" else 0)
    assert {frame.frames for frame in every} == {4}
    assert {len(frame.pixels) for frame in every} == {3 if kind == "WEBP" else 1}  # WebP has no gray pictures
    assert np.asarray(open_picture(content)).max() == 0
    (single,) = read(encoded([flat(7)], kind, **ANIMATED[kind]), every_frame=True)
    assert single.frames == 1


def test_colours_of_later_frames_stay() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "red", "gray")]
    every = read(encoded(frames, "GIF"), every_frame=True)
    assert [frame.pixels[:, 0, 0].tolist() for frame in every] == [[255], [255, 0, 0], [128]]


def test_frames_of_16_bits() -> None:
    frames = [Image.fromarray(np.full((2, 2), 257 * shade, np.uint16)) for shade in SHADES]
    every = read(encoded(frames, "TIFF"), every_frame=True)
    assert shades(every) == list(SHADES)
    assert [frame.depth.largest for frame in every if frame.depth] == [257 * shade for shade in SHADES]


def test_thumbnails_and_masks_and_the_levels_of_a_pyramid_are_no_frames() -> None:
    pyramid = [(flat(9, (8, 8)), {}), *((flat(9, (s, s)), {NEW_SUBFILE_TYPE: THUMBNAIL}) for s in (4, 2, 1))]
    assert [frame.frames for frame in read(pages(*pyramid), every_frame=True)] == [1]
    parts = [
        (flat(1), {NEW_SUBFILE_TYPE: THUMBNAIL}),  # before its picture
        (flat(2), {NEW_SUBFILE_TYPE: PAGE}),
        (flat(3), {NEW_SUBFILE_TYPE: MASK}),
        (flat(4), {SUBFILE_TYPE: 2}),
        (flat(5), {SUBFILE_TYPE: 1}),
        (flat(6), {}),
    ]
    assert shades(read(pages(*parts), every_frame=True)) == [2, 5, 6]
    assert shades(read(pages(*parts))) == [2]
    assert shades(read(pages(*parts[:1] * 2), every_frame=True)) == [1]  # nothing but thumbnails


def test_previews_in_a_camera_s_file_are_no_frames() -> None:
    content = encoded([flat(shade) for shade in (0, 100, 200)], "MPO")
    assert [frame.frames for frame in read(content, every_frame=True)] == [1]  # of kinds that are not said
    for kinds, expected in (((PREVIEW, DISPARITY), [0, 200]), ((DISPARITY, DISPARITY), [0, 100, 200])):
        of_kinds = bytearray(content)
        with Image.open(io.BytesIO(content)) as picture:
            entries = picture.mpinfo[0xB002][1:]  # type: ignore[attr-defined]
        for kind, entry in zip(kinds, entries, strict=True):
            place = content.index(struct.pack("<3L", 0, entry["Size"], entry["DataOffset"]))
            of_kinds[place : place + 4] = struct.pack("<L", kind)
        assert shades(read(bytes(of_kinds), every_frame=True)) == expected
        assert [frame.frames for frame in read(bytes(of_kinds))] == [len(expected)]


@pytest.mark.parametrize("kind", ANIMATED)
def test_the_frames_of_a_file_share_its_limit(kind: str) -> None:
    content = encoded([flat(shade) for shade in SHADES], kind, **ANIMATED[kind])
    assert len(read(content, every_frame=True, max_pixels=4 * 256)) == 4
    assert len(read(content, max_pixels=256)) == 1
    with pytest.raises(ValueError, match="it has more than 1023 pixels; raise the limit with `max_pixels`"):
        read(content, every_frame=True, max_pixels=4 * 256 - 1)


@pytest.mark.parametrize(
    ("tag", "count_type", "counted", "reason"), [(258, 3, 1, "unknown pixel mode"), (256, 4, 3, "it has no pixels")]
)
def test_damage_behind_the_first_frame_matters_where_all_are_read(
    tag: int, count_type: int, counted: int, reason: str
) -> None:
    whole = [Image.fromarray(np.random.default_rng(k).integers(256, size=(9, 9), dtype=np.uint8)) for k in range(3)]
    content = encoded(whole, "TIFF")
    with Image.open(io.BytesIO(content)) as picture:
        picture.seek(1)
        place = content.index(struct.pack("<HHI", tag, count_type, 1), picture._frame_pos[1])  # type: ignore[attr-defined]
    damaged = bytearray(content)
    damaged[place + 8] = 0
    assert [frame.frames for frame in read(bytes(damaged))] == [counted]
    np.testing.assert_array_equal(decode_picture(bytes(damaged))[0][0], np.asarray(whole[0]))
    with pytest.raises(ValueError, match=f"no picture that can be read: {reason}"):
        read(bytes(damaged), every_frame=True)


def test_a_huge_frame_behind_the_first_does_not_matter() -> None:
    for content in (encoded([flat(7), flat(8, (60, 60))], "MPO"), pages((flat(7), {}), (flat(8, (60, 60)), {}))):
        assert shades(read(content, max_pixels=256)) == [7]
    with pytest.raises(ValueError, match="it has more than 256 pixels"):
        read(content, every_frame=True, max_pixels=256)


SAMPLES = {kind: encoded([flat(shade) for shade in SHADES], kind, **options) for kind, options in ANIMATED.items()}


@pytest.mark.parametrize("every_frame", [False, True], ids=["first", "all"])
@pytest.mark.parametrize("kind", ANIMATED)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8))
def test_a_damaged_file_of_frames_is_read_or_refused_in_one_line(
    kind: str, every_frame: bool, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(SAMPLES[kind])
    for place, value in changes:
        content[int(place * len(content))] = value
    try:
        frames = read(bytes(content), every_frame=every_frame, max_pixels=10**5)
    except ValueError as error:
        reason = str(error)
    else:
        assert all(frame.pixels.ndim == 3 for frame in frames)
        return
    assert re.fullmatch(r"(frame \d+: )?no picture that can be read: .+", reason)  # a dot is no line break


def test_a_frame_that_cannot_be_decoded_is_named() -> None:
    frames = [Image.fromarray(np.random.default_rng(k).integers(256, size=(64, 64), dtype=np.uint8)) for k in range(3)]
    content = bytearray(encoded(frames, "PNG"))
    last = content.rindex(b"fdAT")
    content[last + 8 : last + 40] = bytes(32)
    found = decode_frames(bytes(content), Reading(every_frame=True))
    for frame in frames[:2]:
        np.testing.assert_array_equal(next(found).pixels[0], np.asarray(frame))
    with pytest.raises(ValueError, match=r"^frame 3: no picture that can be read: "):
        next(found)
