"""Text maps from a folder to a completed map: what is known keeps its characters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import in_process

LEGEND = "#-DHMT"
"""Of the untrained model in `tiles`."""
MAP = ["#-DH", "MT#-", "DHMT"]


@pytest.fixture(scope="module")
def trained_on_text(tmp_path_factory: pytest.TempPathFactory, few_steps: list[str]) -> Path:
    """A folder with maps of text, two columns of which never change, and a run of a few steps on them."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "maps").mkdir()
    for k in range(6):
        rows = ["#" + "-o"[k % 2] * 3 + "#"] * (3 + k)
        (folder / f"maps/{k}.txt").write_text("\n".join(rows) + "\n")
    done = in_process(folder, "train/run.py", "--data", "maps", *few_steps, "--out", "runs/maps")
    assert done.returncode == 0, done.stderr
    assert "maps: no legend: levels are the characters found, by code point: '#-o'" in done.stderr
    return folder


def test_a_map_is_completed_and_read_back(trained_on_text: Path) -> None:
    partial = ["#--??", "#?-o#"]
    (trained_on_text / "level.txt").write_text("\n".join(partial) + "\n")
    arguments = ["sample/complete.py", "--image", "level.txt", "--num", 2]
    for out in ("done", "done.txt"):
        done = in_process(trained_on_text, *arguments, "--out", out)
        assert done.returncode == 0, done.stderr
    assert {path.name for path in (trained_on_text / "done").iterdir()} == {"level-0.txt", "level-1.txt", "sheet.png"}
    written = [(trained_on_text / f"done/level-{n}.txt").read_text() for n in range(2)]
    assert (trained_on_text / "done.txt").read_text() == "\n".join(written)
    for text in written:
        lines = text.splitlines()
        assert [len(line) for line in lines] == [5, 5]
        for line, given in zip(lines, partial, strict=True):
            assert all(one == known or (known == "?" and one in "#-o") for one, known in zip(line, given, strict=True))


def test_other_maps_are_evaluated_in_the_model_s_characters(trained_on_text: Path) -> None:
    """They have fewer characters, whose levels would be others by themselves."""
    (trained_on_text / "others").mkdir()
    for k in range(4):
        (trained_on_text / f"others/{k}.txt").write_text("-o\n--\n")
    arguments = ["train/evaluate.py", "--checkpoint", "runs/maps", "--data", "others"]
    done = in_process(trained_on_text, *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["nats_per_image"] > 0
    (trained_on_text / "others/0.txt").write_text("-x\n--\n")
    done = in_process(trained_on_text, *arguments)
    assert "0.txt: line 1, column 2: 'x' is no tile of the legend '#-o'" in done.stderr


def level(folder: Path, lines: list[str] = MAP) -> Path:
    (folder / "level.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("flags", "known"),
    [
        (["--known-rows", 1], ["1111", "0000", "0000"]),
        (["--known-cols", 1], ["1000", "1000", "1000"]),
        (["--box", "1,1,1,2"], ["1111", "1001", "1111"]),
        (["--mask", "mask.txt"], ["1010", "1111", "0001"]),
        (["--mask", "marks.txt"], ["1010", "1111", "0001"]),
        (["--mask", "mask.png"], ["1010", "1111", "0001"]),
    ],
)
def test_what_is_known_keeps_its_characters(tiles: Path, flags: list[object], known: list[str]) -> None:
    mask = ["1010", "1111", "0001"]
    (tiles / "mask.txt").write_text("\n".join(mask))
    (tiles / "marks.txt").write_text("\n".join(mask).replace("0", "?").replace("1", "#"))
    Image.fromarray(np.array([[255 * int(c) for c in line] for line in mask], np.uint8)).save(tiles / "mask.png")
    arguments = ["--image", "level.txt", *flags, "--num", 3, "--particles", 2, "--out", "known"]
    done = in_process(level(tiles), "sample/complete.py", *arguments)
    assert done.returncode == 0, done.stderr
    for n in range(3):
        lines = (tiles / f"known/level-{n}.txt").read_text().splitlines()
        for line, given, mask_line in zip(lines, MAP, known, strict=True):
            assert len(line) == 4
            assert all(c in LEGEND and (m == "0" or c == g) for c, g, m in zip(line, given, mask_line, strict=True))


def test_completions_in_other_formats_and_in_tiles(tiles: Path) -> None:
    (level(tiles) / "several").mkdir()
    (tiles / "several/all.txt").write_text("\n\n".join(["\n".join(MAP)] * 2))
    Image.new("L", (4, 3)).save(tiles / "several/picture.png")
    arguments = ["sample/complete.py", "--image", "several", "--known-rows", 2, "--num", 1, "--tileset", "tileset"]
    for name in ("txt", "npy", "png"):
        done = in_process(tiles, *arguments, "--format", name, "--out", f"as-{name}")
        assert done.returncode == 0, done.stderr
        assert "several: there are text maps and 1 pictures: the text is used" in done.stdout
    for k in (1, 2):
        lines = (tiles / f"as-txt/all-{k}-0.txt").read_text().splitlines()
        levels = np.load(tiles / f"as-npy/all-{k}-0.npy")
        assert levels.tolist() == [[[LEGEND.index(c) for c in line] for line in lines]]
        with Image.open(tiles / f"as-png/all-{k}-0.png") as picture:
            red = np.array(picture)[:, :, 0]
        assert np.array_equal(red, levels[0].repeat(2, 0).repeat(3, 1) * 40)


def test_mistakes_of_text_give_one_line(tiles: Path, trained: Path) -> None:
    level(tiles)
    (tiles / "wide_mask.txt").write_text("?11111\n")
    (tiles / "unlike.txt").write_text("#-\n#?x\n")
    (tiles / "foreign.txt").write_text("#x?\n")
    complete = ["sample/complete.py", "--out", "never", "--image"]
    rows = ["--known-rows", 1]
    for folder, arguments, message in (
        (tiles, [*complete, "level.txt"], "level.txt: no ? marks what is unknown; put some there"),
        (tiles, [*complete, "level.txt", "--mask", "wide_mask.txt"], "the mask is 1x6 (rows x columns), an image 3x4"),
        (tiles, [*complete, "level.txt", "--alpha"], "--alpha is for pictures; level.txt is text"),
        (tiles, [*complete, "level.txt", "--known-rows", 4], "--known-rows is 4; an image has 3 rows"),
        (tiles, [*complete, "unlike.txt"], "unlike.txt: line 2 has 3 characters and line 1 has 2"),
        (tiles, [*complete, "foreign.txt"], f"foreign.txt: line 1, column 2: 'x' is no tile of the legend '{LEGEND}'"),
        (tiles, [*complete, "none.txt"], "no file none.txt"),
        (tiles, [*complete[:1], *rows, "--out", "never.txt", "--format", "png", "--image", "level.txt"], "--format is"),
        (tiles, [*complete[:1], *rows, "--out", "level.txt", "--image", "level.txt"], "level.txt, which is read"),
        (tiles, [*complete, "level.txt", *rows, "--tileset", "few_tiles"], "has no tile for 5 of 6 levels"),
        (trained, [*complete, "pictures", *rows, "--format", "txt"], "the model has no legend"),
        (trained, [*complete[:1], "--out", "never.txt", "--image", "pictures", *rows], "the model has no legend"),
    ):
        done = in_process(folder, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), arguments
        assert message in done.stderr
        assert not list(folder.glob("never*"))
