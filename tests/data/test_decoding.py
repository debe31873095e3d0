"""Depths, frames, limits and formats of the pictures of a data set: one rule for all, and a line that says it."""

from __future__ import annotations

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from pixelseq.data import DataOptions, load
from pixelseq.data.options import parse_range


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """datasets sleeps for 5 s at the end of each shuffled epoch."""
    monkeypatch.setattr("datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN", 0)


def folder(path: Path, *values: list[int] | np.ndarray, kind: type = np.uint16, ending: str = "tif") -> Path:
    """A folder of pictures of one row each."""
    path.mkdir(exist_ok=True)
    for k, row in enumerate(values):
        Image.fromarray(np.array([row], kind)).save(path / f"{len(list(path.iterdir()))}-{k}.{ending}")
    return path


def table(path: Path, pictures: list[bytes]) -> Path:
    rows = [{"bytes": content, "path": None} for content in pictures]
    features = datasets.Features({"image": datasets.Image(decode=False)})
    table = datasets.Dataset.from_dict({"image": rows}, features=features)
    table.cast_column("image", datasets.Image()).to_parquet(path)
    return path


def loaded(path: Path, **options: object) -> tuple[list[list[int]], list[str]]:
    """The rows of all images, sorted, and the notes but that of made splits."""
    for _ in range(2):  # the second time from the cache
        data = load(DataOptions(str(path), **options))  # type: ignore[arg-type]
        images = [image[0, 0].tolist() for part in (data.train, data.validation, data.test) for image in part]
        notes = [note for note in data.notes if "are held out" not in note]
    return sorted(images), notes


def test_few_bits_in_16_are_said(tmp_path: Path) -> None:
    dark = folder(tmp_path / "dark", [0, 2570], [257, 4095], [514, 771])
    assert loaded(dark) == (
        [[0, 10], [1, 16], [2, 3]],
        ["pictures of 16 bits (3) have values up to 4095 and are dark, for 65535 is white; "
         "`range` 0,4095 makes 4095 white"],
    )  # fmt: skip
    assert loaded(dark, range="0,4095") == ([[0, 160], [16, 255], [32, 48]], [])
    bright = folder(tmp_path / "bright", [0, 1], [2, 3], [0, 16384])
    assert loaded(bright)[1] == []  # one of the set is bright: a dark picture is a dark picture
    assert loaded(folder(tmp_path / "bytes", [0, 200], [0, 0], [1, 1]))[1][0].endswith("`range` 0,255 makes 255 white")


def test_shades_in_32_bits_are_shades_in_the_whole_set_or_nowhere(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", [0, 7], [9, 255], [200, 100], kind=np.int32)
    images, (note,) = loaded(path)
    assert images == [[0, 7], [9, 255], [200, 100]]
    assert note.startswith("pictures of 32 bits (3) have values up to 255: 255 is white; give what is black and white")
    assert loaded(path, range="0,510") == ([[0, 3], [4, 127], [100, 50]], [])
    folder(path, [0, 65535], kind=np.int32)
    images, (note,) = loaded(path)
    assert images == [[0, 0], [0, 1], [0, 255], [1, 0]]
    assert note.startswith("pictures of 32 bits (4) have values up to 65535: 65535 is white; give what is black and")
    assert load(str(path)).describe().preprocessing.value_range == (0, 65535)  # which completion sees them by, too


def test_a_picture_in_colour_beside_large_values(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", [0, 7], [0, 65535], kind=np.int32)
    Image.new("RGB", (2, 1), (9, 5, 5)).save(path / "x.png")
    images, _ = loaded(path)
    assert images == [[0, 0], [0, 255], [9, 9]]


def test_what_is_outside_the_range_is_said(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", [0, 100], [200, 300], [-5, 400], kind=np.float32)
    images, notes = loaded(path, range="100,300")
    assert images == [[0, 0], [0, 255], [127, 255]]
    assert notes == ["`range` 100,300 makes 50 % of the values black or white that are outside"]
    assert loaded(path, range="-5,400")[1] == []
    with pytest.raises(ValueError, match=r"no image of the 3 .* floating-point numbers; .* `range`"):
        load(str(path))
    folder(path, [7, 8], kind=np.uint8, ending="png")
    images, notes = loaded(path, range="-5,400")
    assert [7, 8] in images
    assert notes == ["`range` leaves pictures of at most 8 bits (1) as they are"]


def test_a_range_of_8_bits_changes_nothing_and_that_is_said(tmp_path: Path) -> None:
    data = str(folder(tmp_path / "a", [1], [2], [3], kind=np.uint8, ending="png"))
    assert (
        "`range` 0,100 changes nothing: no picture has more than 8 bits" in load(DataOptions(data, range="0,100")).notes
    )
    with pytest.raises(ValueError, match="`range` is 0,100, for pictures of more than 8 bits; photos has none"):
        load(DataOptions("photos", range="0,100"))


def stack(path: Path, *shades: int) -> Path:
    frames = [Image.new("L", (2, 1), shade) for shade in shades]
    path.parent.mkdir(exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def test_frames_are_counted_or_images(tmp_path: Path) -> None:
    for k in range(3):
        stack(tmp_path / "a" / f"{k}.tif", *range(100 * k, 100 * k + 12))
    Image.new("L", (2, 1), 255).save(tmp_path / "a/single.png")
    rows = [[100 * k + n] * 2 for k in range(3) for n in range(12)] + [[255, 255]]
    for path in (tmp_path / "a", table(tmp_path / "a.parquet", [f.read_bytes() for f in (tmp_path / "a").iterdir()])):
        assert loaded(path) == (
            [*rows[:-1:12], rows[-1]],
            ["3 files hold 36 frames; the first of each is used: `frames` all takes a row per frame"],
        )
        assert loaded(path, frames="all") == (
            rows,
            ["3 files hold 36 frames, each an image of its own; splits that are made can part frames of one file"],
        )


def test_one_stack_alone(tmp_path: Path) -> None:
    path = stack(tmp_path / "one.tif", *range(12))
    assert loaded(path, frames="all")[0] == [[k, k] for k in range(12)]
    with pytest.raises(ValueError, match="too small to train and test on crops"):  # of its one picture
        load(str(path))


def test_a_file_of_too_many_pixels_is_bad(tmp_path: Path) -> None:
    for k in range(4):
        stack(tmp_path / "a" / f"{k}.tif", *range(1 + k))
    with pytest.raises(ValueError, match=r"1 of 4 images .*3\.tif: no picture .*more than 6 pixels; .* `max_pixels`"):
        load(DataOptions(str(tmp_path / "a"), frames="all", max_pixels=6))
    images, notes = loaded(tmp_path / "a", frames="all", max_pixels=6, skip_bad=True)
    assert len(images) == 6
    assert notes[0].startswith("left out 1 bad images: ")
    assert len(loaded(tmp_path / "a", frames="all", max_pixels=8)[0]) == 10
    assert len(loaded(tmp_path / "a", max_pixels=2)[0]) == 4


def test_options_of_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 2, 2), np.uint8))
    for option in ({"range": "0,1"}, {"frames": "all"}, {"max_pixels": 1}):
        for data in ("digits", str(tmp_path / "a.npy")):
            bounded = "max_pixels" in option and data != "digits"  # arrays have a largest image, too
            message = "more than 1 pixels" if bounded else f"`{next(iter(option))}` is for pictures"
            with pytest.raises(ValueError, match=message):
                load(DataOptions(data, **option))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`frames` is 'last'; choose from first, all"):
        DataOptions(frames="last")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`max_pixels` is 0"):
        DataOptions(max_pixels=0)


def test_ranges() -> None:
    assert parse_range("-1.5,4e3") == (-1.5, 4000)
    for text in ("", "3", "1,1", "2,1", "0,nan", "0,inf", "1,2,3", "a,b", "-1e308,1e308"):
        with pytest.raises(ValueError, match=r"`range` is '.*'; expected LOW,HIGH, the lower number first"):
            DataOptions(range=text)


def content(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "TIFF", **options)
    return file.getvalue()


def test_a_stream_is_read_by_the_same_rules(tmp_path: Path) -> None:
    frames = [[Image.fromarray(np.full((1, 2), 257 * (3 * k + n), np.uint16)) for n in range(3)] for k in range(8)]
    contents = [content(first, save_all=True, append_images=rest) for first, *rest in frames]
    for split in ("train", "validation", "test"):
        table(tmp_path / f"{split}.parquet", contents)

    def streamed(**options: object) -> tuple[set[int], tuple[str, ...]]:
        data = load(DataOptions(str(tmp_path), streaming=True, **options))  # type: ignore[arg-type]
        epoch = next(data.train.batches(8 * (3 if options else 1), 0, 0, 1))  # type: ignore[union-attr]
        return {int(image[0, 0, 0]) for image in epoch}, data.notes

    dark = "pictures of 16 bits ({}) have values up to {} and are dark, for 65535 is white; `range` 0,{} makes {} white"
    left = "{} frames; the first of each is used: `frames` all takes a row per frame"
    assert streamed() == (
        set(range(0, 24, 3)),
        (
            dark.format(16, 5397, 8191, 8191),
            left.format("16 files hold 48"),
        ),
    )
    values, notes = streamed(frames="all", range="0,5911")
    assert values == {round(257 * k / 5911 * 255) for k in range(24)}
    assert "16 files hold 48 frames, each an image of its own" in notes[0]


def test_a_stream_does_not_guess_what_numbers_in_32_bits_mean(tmp_path: Path) -> None:
    numbers = content(Image.fromarray(np.array([[0, 255]], np.int32)))
    for split in ("train", "validation", "test"):
        table(tmp_path / f"{split}.parquet", [numbers] * 3)
    with pytest.raises(ValueError, match="whole numbers in 32 bits; say which are black and white with `range`"):
        load(DataOptions(str(tmp_path), streaming=True))
    data = load(DataOptions(str(tmp_path), streaming=True, range="0,510"))
    assert data.test[0].tolist() == [[[0, 127]]]


@pytest.mark.parametrize("source", ["folder", "single", "table", "stream"])
def test_postscript_named_as_a_picture_is_refused(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append(True))
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(path, "EPS")
    if source == "folder":
        path = tmp_path
    elif source in ("table", "stream"):
        path = table(tmp_path / "train.parquet", [path.read_bytes()])
    with pytest.raises(ValueError, match=r"no picture that can be read: none of PNG, JPEG, ") as raised:
        load(DataOptions(str(path), streaming=source == "stream"))
    assert "\n" not in str(raised.value)
    assert not started


def test_a_transparent_value_of_16_bits_is_seen_as_of_8(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    shades = np.array([[0, 200]], np.uint8)
    Image.fromarray(shades).save(tmp_path / "a/8.png", transparency=0)
    Image.fromarray(shades.astype(np.uint16) * 257).save(tmp_path / "a/16.png", transparency=0)
    Image.fromarray(shades).save(tmp_path / "a/opaque.png")
    assert loaded(tmp_path / "a")[0] == [[0, 200], [255, 200], [255, 200]]
