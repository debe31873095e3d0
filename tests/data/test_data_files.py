"""Which files of a folder are read, what is said of the others, and what is meant by a name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelseq.data import DataOptions, Dataset, Images, load
from pixelseq.data.files import files_below


def save(path: Path, shade: int, kind: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 2), shade).save(path, kind)


def shades(data: Dataset) -> list[int]:
    assert isinstance(data.train, Images)
    return sorted(int(image[0, 0, 0]) for images in (data.train, data.validation, data.test) for image in images)


def names(folder: Path, files: list[Path]) -> list[str]:
    return [str(file.relative_to(folder)) for file in files]


def test_folders_and_files_behind_links_are_read(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"data/cats/{k}.png", k)
        save(tmp_path / f"store/dogs/{k}.png", 100 + k)
    (tmp_path / "data/dogs").symlink_to(Path("../store/dogs"))
    (tmp_path / "data/cats/4.png").symlink_to(tmp_path / "data/cats/0.png")
    (tmp_path / "link").symlink_to("data")
    for folder in ("data", "link"):
        data = load(str(tmp_path / folder))
        assert shades(data) == [0, 0, 1, 2, 3, 100, 101, 102, 103]
        assert data.class_names == ("cats", "dogs")


def test_links_in_a_loop_end_and_no_folder_is_read_twice(tmp_path: Path) -> None:
    save(tmp_path / "b/0.png", 0)
    save(tmp_path / "outside/1.png", 1)
    for name, target in {
        "data/a": "../b",  # comes before the folder that it is another name of
        "data/again": "../b",
        "data/c/up": "../..",
        "data/self": "self",
        "data/gone": "nowhere",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(target)
    found = files_below(tmp_path / "data")
    assert names(tmp_path / "data", found.files) == ["a/0.png", "c/up/outside/1.png"]
    again, nowhere = found.notes
    assert again.startswith("folders that links lead to again are read once: 3, such as ")
    assert nowhere.startswith("links that lead to no file are left out: 2, such as ")


def test_a_folder_keeps_its_own_name_whatever_leads_to_it(tmp_path: Path) -> None:
    save(tmp_path / "z/0.png", 0)
    (tmp_path / "a").symlink_to("z")
    assert names(tmp_path, files_below(tmp_path).files) == ["z/0.png"]


@pytest.mark.parametrize("hidden", [".cache/9.png", "__MACOSX/9.png", "._0.png", "Thumbs.db", "sub/Desktop.ini"])
def test_hidden_files_are_ignored_without_a_word(tmp_path: Path, hidden: str) -> None:
    for k in range(4):
        save(tmp_path / f"{k}.png", k)
    (tmp_path / hidden).parent.mkdir(exist_ok=True)
    (tmp_path / hidden).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    data = load(str(tmp_path))
    assert shades(data) == [0, 1, 2, 3]
    assert [note for note in data.notes if "left out" in note] == []


def test_pictures_are_known_by_their_content_where_their_names_do_not_tell(tmp_path: Path) -> None:
    for k, (name, kind) in enumerate(
        {"0.jfif": "JPEG", "1.jpe": "JPEG", "2.pnm": "PPM", "3": "PNG", "4.PNG": "PNG", "5.scan": "TIFF"}.items()
    ):
        save(tmp_path / name, 40 * k, kind)
    for name in ("a.csv", "b.csv", "notes.txt", "README", "legend.json"):
        (tmp_path / name).write_text("no picture")
    Image.new("RGB", (3, 2)).save(tmp_path / "drawing", "EPS")
    found = load(str(tmp_path)).notes[0]
    assert found.startswith("left out what is no picture: 2 ")
    assert {"2 .csv", "2 without an ending", "1 .txt"} <= set(found.partition(": ")[2].split(", "))
    assert shades(load(str(tmp_path))) == [0, 40, 80, 120, 160, 200]
    assert set(shades(load(DataOptions(str(tmp_path / "5.scan"), crop="1x1")))) == {200}


def test_what_is_beside_tables_is_counted_too(tmp_path: Path) -> None:
    (tmp_path / "maps.jsonl").write_text('{"tiles": [[0, 1]]}\n' * 4)
    (tmp_path / "legend.json").write_text('{"maps": {"tiles": ["-", "#"]}}')
    (tmp_path / "README.md").write_text("maps")
    assert load(str(tmp_path)).notes[0] == "left out what is no JSON file: 1 .md"


def test_a_folder_without_permission_ends_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "0.png", 0)

    def forbidden(_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr("os.scandir", forbidden)
    with pytest.raises(PermissionError, match="Permission denied"):
        load(str(tmp_path))


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for k in range(3):
        save(tmp_path / f"own/{k}.png", k)
    assert shades(load("~/own")) == [0, 1, 2]
    (tmp_path / "maps.jsonl").write_text('{"tiles": [[0, 1]]}\n' * 4)
    (tmp_path / "legend.json").write_text('{"maps": {"tiles": ["-", "#"]}}')
    assert load("~/maps.jsonl").pixel_format.legend == "-#"
    with pytest.raises(ValueError, match="no data set '~no-such-user/own'"):
        load("~no-such-user/own")


def test_a_bundled_name_and_a_folder_of_that_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = DataOptions("digits")
    for k in range(3):
        save(tmp_path / f"digits/{k}.png", k)
    with pytest.raises(ValueError, match=r"digits comes with pixelseq and is a path here.*bundled:digits or \./digits"):
        load("digits")
    assert shades(load("./digits")) == [0, 1, 2]
    for options in (begun, DataOptions(), DataOptions("bundled:digits")):
        data = load(options)
        assert (data.name, len(data.test)) == ("digits", 250)
    with pytest.raises(ValueError, match=r"bundled:letters does not come with pixelseq; choose from digit_columns"):
        load("bundled:letters")


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def encoded() -> list[bytes]:
    """Encoded pictures, each of the shade that is its index."""
    files = [io.BytesIO() for _ in range(8)]
    for k, file in enumerate(files):
        Image.new("L", (3, 2), k).save(file, "PNG")
    return [file.getvalue() for file in files]


@pytest.mark.parametrize("top", ["", "pictures/", "deep/er/"])
def test_a_zip_is_read_as_a_folder_is(tmp_path: Path, encoded: list[bytes], top: str) -> None:
    files = {f"{top}{'cats' if k < 4 else 'dogs'}/{k}{'' if k == 0 else '.png'}": encoded[k] for k in range(8)}
    files |= {f"__MACOSX/{top}cats/._1.png": b"\0", f"{top}notes.txt": b"notes", f"{top}.DS_Store": b"\0"}
    data = load(str(packed(tmp_path / "pictures.zip", files)))
    assert shades(data) == list(range(8))
    assert data.class_names == ("cats", "dogs")
    assert isinstance(data.train, Images)
    assert data.train.labels is not None
    assert all((int(image[0, 0, 0]) >= 4) == label for image, label in zip(data.train, data.train.labels, strict=True))
    assert data.notes[0] == "left out what is no picture: 1 .txt"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []  # nothing is unpacked


def test_folders_of_splits_in_a_zip(tmp_path: Path, encoded: list[bytes]) -> None:
    split = {0: "train", 1: "train", 2: "val", 3: "test"}
    data = load(str(packed(tmp_path / "a.zip", {f"{split[k]}\\{k}.png": encoded[k] for k in split})))
    assert [int(images[0][0, 0, 0]) for images in (data.train, data.validation, data.test)] == [0, 2, 3]


def test_a_bad_picture_in_a_zip_is_named_and_can_be_left_out(tmp_path: Path, encoded: list[bytes]) -> None:
    path = packed(tmp_path / "a.zip", {f"cats/{k}.png": encoded[k] for k in range(8)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(encoded[3]) + len(encoded[3]) - 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"1 of 8 images of .*a.zip are bad; .*3.png: it is damaged: Bad CRC-32"):
        load(str(path))
    assert shades(load(DataOptions(str(path), skip_bad=True))) == [0, 1, 2, 4, 5, 6, 7]


def encrypted(path: Path, content: bytes) -> Path:
    packed(path, {"1.png": content})
    changed = bytearray(path.read_bytes())
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        changed[changed.index(header) + flags] |= 1
    path.write_bytes(changed)
    return path


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b"notes"}, "holds no pictures; unpack it"),
        ({"../1.png": b"1"}, r"it names '../1.png', which leads out of it"),
        ({"/1.png": b"1"}, r"it names '/1.png', which leads out of it"),
        ({"a\\..\\..\\1.png": b"1"}, "which leads out of it"),
        ({"1.png": bytes(3000)}, r"1.png has 3000 bytes; a picture may have 2000"),
        ({f"{k}.png": b"" for k in range(31)}, "it holds 31 files; at most 30 are read"),
    ],
)
def test_a_zip_that_may_do_harm_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], message: str
) -> None:
    monkeypatch.setattr("pixelseq.data.archives.MOST_BYTES", 2000)
    monkeypatch.setattr("pixelseq.data.archives.MOST_FILES", 30)
    with pytest.raises(ValueError, match=message):
        load(str(packed(tmp_path / "a.zip", files)))


def test_encrypted_and_unusual_zips_are_refused_in_a_line(tmp_path: Path, encoded: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"a.zip cannot be read: 1.png is encrypted; unpack it"):
        load(str(encrypted(tmp_path / "a.zip", encoded[1])))
    with pytest.raises(ValueError, match=r"1.png is compressed by method 12; only deflate is read"):
        load(str(packed(tmp_path / "b.zip", {"1.png": encoded[1]}, zipfile.ZIP_BZIP2)))
    (tmp_path / "c.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"c.zip cannot be read: File is not a zip file"):
        load(str(tmp_path / "c.zip"))


def test_a_picture_never_becomes_more_than_the_zip_says(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"1.png": bytes(2**26)})  # 64 MiB of zeros in 64 KiB
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\1\2") + 24
    assert int.from_bytes(content[at : at + 4], "little") == 2**26
    content[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="it is damaged: Bad CRC-32"):
        load(str(path))


def test_a_zip_of_which_a_byte_was_changed_is_refused_in_a_line_or_harmless(
    tmp_path: Path, encoded: list[bytes]
) -> None:
    content = packed(tmp_path / "a.zip", {f"{k}.png": encoded[k] for k in range(3)}).read_bytes()
    random = np.random.Generator(np.random.Philox(0))
    for k in range(100):
        changed = bytearray(content)
        changed[random.integers(len(changed))] = random.integers(256)
        path = tmp_path / f"changed-{k}.zip"
        path.write_bytes(changed)
        try:
            load(DataOptions(str(path), crop="1x1"))
        except ValueError as error:
            assert "\n" not in str(error), str(error)  # noqa: PT017
