"""Text maps: files, folders and columns of them, and the legends of their characters."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from PIL import Image

from pixelseq.data import DataOptions, Dataset, Images, load, load_as_named

THREE = ["-#", "##", "-o"]
"""The lines of a map of three kinds of tiles."""
FOUND = "no legend: levels are the characters found, by code point: '#-o'"


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def write_maps(folder: Path, count: int = 4, lines: list[str] = THREE) -> Path:
    """Maps that tell their number by their height."""
    for k in range(count):
        write(folder / f"{k}.txt", "".join(line + "\n" for line in lines + lines[:1] * k))
    return folder


def texts(data: Dataset) -> list[str]:
    """All images as text, shortest first."""
    assert isinstance(data.train, Images)
    legend = data.pixel_format.legend
    assert legend is not None
    images = [*data.train, *data.validation, *data.test]
    return sorted(
        ("\n".join("".join(legend[v] for v in row) for row in image[0].tolist()) for image in images), key=len
    )


def rows(count: int) -> list[list[str]]:
    return [THREE + THREE[:1] * k for k in range(count)]


EXPECTED = ["\n".join(lines) for lines in rows(4)]


def test_a_folder_of_maps_at_any_depth(tmp_path: Path) -> None:
    write_maps(tmp_path)
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "3.txt").rename(tmp_path / "a/b/3.TXT")
    write(tmp_path / ".hidden.txt", "hidden\n")
    data = load(str(tmp_path))
    assert texts(data) == EXPECTED
    assert (data.pixel_format.levels, data.pixel_format.kind, data.pixel_format.legend) == (3, "categorical", "#-o")
    assert FOUND in data.notes


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_one_file_of_several_maps(tmp_path: Path, end: str) -> None:
    write(tmp_path / "all.txt", "\ufeff" + f"{end}{end}".join(end.join(lines) for lines in rows(4)) + end)
    assert texts(load(str(tmp_path / "all.txt"))) == EXPECTED


def test_one_map_alone_is_cropped_to_what_it_has(tmp_path: Path) -> None:
    write(tmp_path / "wide.txt", "#--o" * 40 + "\n" + "o-##" * 40 + "\n")
    data = load(str(tmp_path / "wide.txt"))
    assert data.test[0].shape == (1, 2, 32)
    assert "one image alone: training on crops of 2x32; choose others with `crop`" in data.notes


@pytest.mark.parametrize("name", ["maps.jsonl", "maps.json", "maps.parquet", "saved"])
@pytest.mark.parametrize("joined", [False, True])
def test_a_column_of_lines_or_of_texts(tmp_path: Path, name: str, joined: bool) -> None:
    found = ["\n".join(lines) + "\n" if joined else lines for lines in rows(4)]
    path = tmp_path / name
    if name.startswith("maps.json"):
        lines = [json.dumps({"map": one}) for one in found]
        path.write_text("\n".join(lines) if name.endswith("l") else f"[{', '.join(lines)}]")
    else:
        table = datasets.Dataset.from_dict({"map": found})
        table.to_parquet(path) if path.suffix else table.save_to_disk(path)
    (tmp_path / "legend.json").write_text('{"other": {"tiles": ["a", "b"]}}')
    data = load(str(path))
    assert texts(data) == EXPECTED
    assert data.pixel_format.kind == "categorical"
    assert FOUND in data.notes
    assert any(f"legend.json has no legend for {path.stem}, only for other" in note for note in data.notes)


def test_lines_are_found_beside_names(tmp_path: Path) -> None:
    lines = [json.dumps({"name": "map", "map": lines, "author": None}) for lines in rows(4)]
    (tmp_path / "maps.jsonl").write_text("\n".join(lines))
    assert texts(load(str(tmp_path / "maps.jsonl"))) == EXPECTED
    (tmp_path / "two.jsonl").write_text("\n".join(json.dumps({"name": "map", "map": "-#\n##"}) for _ in range(4)))
    with pytest.raises(ValueError, match="2 columns hold pictures, grids or text maps; name one by `image_column`"):
        load(str(tmp_path / "two.jsonl"))
    assert len(texts(load(DataOptions(str(tmp_path / "two.jsonl"), image_column="map")))) == 4
    with pytest.raises(ValueError, match="`streaming` reads pictures and integer grids; column map holds text"):
        load(DataOptions(str(tmp_path / "maps.jsonl"), streaming=True))


def test_splits_and_classes(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        write_maps(tmp_path / "folders" / split, count)
        text = "\n\n".join("\n".join(lines) for lines in rows(count))
        write(tmp_path / "files" / f"{split}.txt", text)
    for name in ("folders", "files"):
        data = load(str(tmp_path / name))
        assert [len(part) for part in (data.train, data.validation, data.test)] == [4, 2, 3]
    write_maps(tmp_path / "classes/cave")
    write_maps(tmp_path / "classes/town")
    data = load(str(tmp_path / "classes"))
    assert data.class_names == ("cave", "town")
    assert isinstance(data.train, Images)
    assert data.train.labels is not None


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("form", ["named", "for-all"])
def test_a_legend_orders_the_levels(tmp_path: Path, form: str, beside: bool) -> None:
    folder = write_maps(tmp_path / "maps")
    tiles = {"tiles": ["o", "-", "#", "x"]}
    legend = (tmp_path if beside else folder) / "legend.json"
    legend.write_text(json.dumps({"maps": tiles} if form == "named" else tiles))
    data = load(str(folder))
    assert data.pixel_format.legend == "o-#x"
    assert texts(data) == EXPECTED
    assert f"levels are the characters of {legend}: 'o-#x'" in data.notes
    legend.write_text(legend.read_text().replace('"x"', '"y"'))
    assert load(str(folder)).pixel_format.legend == "o-#y"  # nothing old is used
    legend.write_text(legend.read_text().replace('"#"', '"="'))
    with pytest.raises(ValueError, match=r"0.txt: line 1, column 2: '#' is no tile of the legend 'o-=y'"):
        load(str(folder))


def test_a_model_s_legend_comes_first(tmp_path: Path) -> None:
    write_maps(tmp_path)
    data = load(str(tmp_path), legend="ox#-")
    assert (data.pixel_format.legend, texts(data)) == ("ox#-", EXPECTED)
    with pytest.raises(ValueError, match="'#' is no tile of the legend '-o'"):
        load(str(tmp_path), legend="-o")


def vglc(folder: Path, tiles: str = '{"tiles": {"o": ["solid"], "-": ["passable"]}}') -> Path:
    """A game as The VGLC has it: maps, the same maps with paths, and pictures, under a legend that lacks a tile."""
    write_maps(folder / "Processed")
    write_maps(folder / "Paths", lines=["x-", "##"])
    write(folder / "Processed/README.txt", "The corpus of\nmaps\n")
    write(folder / "game.json", tiles)
    write(folder / "Paths/game_specs.json", '{"solid": ["#"]}')
    (folder / "Original").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "Original/0.png")
    return folder


def test_the_folders_of_the_vglc(tmp_path: Path) -> None:
    game = vglc(tmp_path / "A Game")
    whole, part = load(str(game)), load(str(game / "Processed"))
    for data in (whole, part):
        assert texts(data) == EXPECTED
        assert data.pixel_format.legend == "o-#"
        assert f"levels are the characters of {game / 'game.json'}: 'o-#'" in data.notes
        assert any("game.json lacks characters of the maps, which are added as the last" in n for n in data.notes)
    assert "the maps are those of Processed; not used: Original, Paths" in whole.notes
    assert "there are text maps and 1 pictures: the text is used" in whole.notes
    assert "no maps by their names: Processed/README.txt" in whole.notes
    assert load(DataOptions(str(game / "Processed/0.txt"), crop="1x1")).pixel_format.legend == "o-#"
    write(game / "second.json", '{"tiles": {"o": [], "-": []}}')
    with pytest.raises(ValueError, match=r"game.json and .*second.json are both legends; name one legend.json"):
        load(str(game))


def test_captions_and_notes_are_no_maps(tmp_path: Path) -> None:
    for k in range(4):
        Image.new("L", (3, 2), k).save(tmp_path / f"{k}.png")
        write(tmp_path / f"{k}.txt", "a picture of\na wall\n")
    write(tmp_path / "notes.txt", "one line")
    assert load(str(tmp_path)).pixel_format.kind == "ordinal"
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/a.jsonl").write_text("\n".join(json.dumps({"tiles": [[0, k]]}) for k in range(4)))
    write(tmp_path / "tables/about.txt", "one line")
    assert load(str(tmp_path / "tables")).pixel_format.levels == 4
    write_maps(tmp_path / "tables/maps")
    with pytest.raises(ValueError, match=r"holds both text maps and tables such as .*a.jsonl; name one of them"):
        load(str(tmp_path / "tables"))


def test_a_legend_is_never_data(tmp_path: Path) -> None:
    tiles = json.dumps({"maps": {"tiles": ["#", "-", "o"]}})
    (tmp_path / "legend.json").write_text(tiles)
    (tmp_path / "maps.jsonl").write_text("\n".join(json.dumps({"tiles": [[0, 1, k % 2]]}) for k in range(4)))
    assert load(str(tmp_path / "maps.jsonl")).pixel_format.legend == "#-o"
    folder = load(str(tmp_path))
    assert folder.pixel_format.legend is None
    assert any("legend.json has no legend for" in note for note in folder.notes)
    (tmp_path / "maps.jsonl").rename(tmp_path / "maps.json")
    assert load(str(tmp_path)).pixel_format.levels == 2
    with pytest.raises(ValueError, match=r"legend.json is a legend; give the maps that it is for"):
        load(str(tmp_path / "legend.json"))
    (tmp_path / "maps.json").write_text("\n".join(json.dumps({"tiles": [[0, 1, k]]}) for k in range(4)))
    data = load(str(tmp_path / "maps.json"))
    assert data.pixel_format.legend is None
    assert "the legend '#-o' is left out: there are 4 levels" in data.notes


def test_spaces(tmp_path: Path) -> None:
    """They are tiles, but those at the ends of lines where the legend has no space."""
    write_maps(tmp_path, lines=["# ", "- "])
    assert load(str(tmp_path)).pixel_format.legend == " #-"
    assert load(str(tmp_path), legend="#-").train[0].shape[2] == 1
    with pytest.raises(ValueError, match="line 1, column 1: ' ' is no tile of the legend"):
        load(str(write_maps(tmp_path / "before", lines=[" #"])), legend="#-")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--\n---\n", "bad.txt: line 2 has 3 characters and line 1 has 2; the lines of a map are of one width"),
        ("--\n\n--\n-\n", "bad.txt, map 2: line 4 has 1 characters and line 3 has 2"),
        ("--\n-\t\n", "bad.txt: line 2, column 2 is U\\+0009, which is not printable; tiles are printable"),
        (b"--\n-\xe4\n", "bad.txt: line 2, column 2 is not UTF-8"),
        ("--\n".encode("utf-16"), "bad.txt: line 1, column 1 is not UTF-8"),
        ("\n\n", "bad.txt: it has no characters"),
    ],
)
def test_a_bad_map_is_named_or_left_out(tmp_path: Path, text: str | bytes, message: str) -> None:
    write_maps(tmp_path)
    write(tmp_path / "bad.txt", text)
    with pytest.raises(
        ValueError, match=f"1 images of .* are bad; leave them out with `skip_bad`: .*{message}"
    ) as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)
    data = load(DataOptions(str(tmp_path), skip_bad=True))
    assert set(EXPECTED) <= set(texts(data))
    assert data.pixel_format.legend == "#-o"
    assert any("left out 1 bad images" in note for note in data.notes)


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["##"], {}, "the text has 1 characters; 2 to 256 different ones can be levels"),
        (["".join(map(chr, range(0x4E00, 0x4F01)))], {}, "the text has 257 characters; 2 to 256 different ones"),
        (THREE, {"levels": 4}, "`levels` is 4; the text has 3 characters: '#-o'"),
        (THREE, {"binarize": "stochastic"}, "`binarize` draws pixels from their shades"),
        (THREE, {"resize": "4x4"}, "`resize` is for pictures"),
        (THREE, {"label_column": "kind"}, "`label_column` is 'kind', but .* is no table"),
    ],
)
def test_what_text_cannot_be(tmp_path: Path, lines: list[str], options: dict[str, str], message: str) -> None:
    write_maps(tmp_path, lines=lines)
    with pytest.raises(ValueError, match=message) as caught:
        load(DataOptions(str(tmp_path), **options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_names_of_files_do_not_matter_in_folders_of_splits(tmp_path: Path) -> None:
    for k in range(4):
        for name in (f"training{k}", f"test{k}"):
            write(tmp_path / f"train/{name}.txt", "ab\nba\n")
    assert {split: len(images) for split, images in load_as_named(str(tmp_path)).splits.items()} == {"train": 8}


def test_the_legend_is_made_of_the_maps_that_are_used(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        write(tmp_path / f"{split}/0.txt", "ab\nba\n")
    write(tmp_path / "notes/0.txt", "xy\nzz\n")
    data = load(str(tmp_path))
    assert data.pixel_format.legend == "ab"
    assert any("(notes)" in note for note in data.notes)


@pytest.mark.parametrize("text", ["img/3.png", "a cat on a mat"])
def test_paths_and_captions_in_a_table_are_no_maps(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"image": text}) for _ in range(9)))
    with pytest.raises(
        ValueError, match=r"column image holds texts of one line, such as '.*'; expected maps of several"
    ):
        load(str(tmp_path / "a.jsonl"))
