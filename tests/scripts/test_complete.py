"""sample/complete.py: pictures and maps are completed, and keep their own values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import in_process

from pixelseq import PixelFormat
from pixelseq.imaging.pictures import read_image, save_png, to_picture

TILES = PixelFormat(1, 6, "categorical")


def test_completions_of_a_file_a_folder_and_a_mask(trained: Path) -> None:
    rows = ["--known-rows", 4, "--num", 2, "--seed", 0]
    done = in_process(trained, "sample/complete.py", "--checkpoint", "runs/digits", "--image", "pictures/0.png", *rows)
    assert done.returncode == 0, done.stderr
    with Image.open(trained / "completions.png") as picture:
        assert picture.size == (4 * 102 + 6, 102 + 6)
    both = in_process(trained, "sample/complete.py", "--image", "pictures", *rows, "--out", "done")
    assert both.returncode == 0, both.stderr
    assert {path.name for path in (trained / "done").iterdir()} == {
        "sheet.png",
        "0-0.png",
        "0-1.png",
        "1-0.png",
        "1-1.png",
    }
    for k in range(2):
        original = read_image(trained / f"pictures/{k}.png", PixelFormat(levels=17))
        for n in range(2):
            assert torch.equal(
                read_image(trained / f"done/{k}-{n}.png", PixelFormat(levels=17))[:, :4], original[:, :4]
            )
    files = ["pictures/1.png", "pictures/0.png"]
    masked = in_process(
        trained, "sample/complete.py", "--image", *files, "--mask", "all_known.png", "--num", 1, "--out", "same"
    )
    assert masked.returncode == 0, masked.stderr
    for k in range(2):
        assert (trained / f"same/{k}-0.png").read_bytes() == (trained / f"pictures/{k}.png").read_bytes()


def test_the_pictures_of_a_folder_are_those_that_training_finds(trained: Path) -> None:
    for name in ("._0.png", "Thumbs.db"):
        save_png(Image.new("L", (8, 8)), trained / "mixed/0.png")
        (trained / "mixed" / name).write_text("hidden")
    Image.new("L", (8, 8), 255).save(trained / "mixed/scan", "PNG")
    (trained / "mixed/notes.txt").write_text("notes")
    done = in_process(
        trained, "sample/complete.py", "--image", "mixed", "--known-rows", 4, "--num", 1, "--out", "mixed-done"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "mixed: left out what is no picture: 1 .txt"
    assert {path.name for path in (trained / "mixed-done").iterdir()} == {"sheet.png", "0-0.png", "scan-0.png"}


@pytest.mark.parametrize(
    ("mode", "flags", "notes"),
    [
        ("L", ["--box", "2,3,4,5"], ["more shades"]),
        ("I;16", ["--known-cols", 3], ["more shades"]),
        ("1", ["--known-rows", 0], ["2 shades and the model 17 levels", "nothing is known"]),
        ("LA", ["--alpha"], ["more shades"]),
    ],
)
def test_completions_keep_the_files_own_values(trained: Path, mode: str, flags: list[object], notes: list[str]) -> None:
    random = np.random.default_rng(0)
    values = random.integers(2**16, size=(8, 8)).astype(np.uint16)
    known = np.zeros((8, 8), dtype=bool)
    match mode:
        case "L":
            values = values.astype(np.uint8)
            known[:] = True
            known[2:6, 3:8] = False
        case "I;16":
            known[:, :3] = True
        case "1":
            values = values > 2**15
        case "LA":
            values = np.stack([values, random.choice([0, 90, 130, 255], (8, 8))], axis=2).astype(np.uint8)
            known = values[:, :, 1] >= 128
    save_png(Image.fromarray(values), trained / "own" / "a.png")
    arguments = ["--image", "own/a.png", *flags, "--num", 2, "--particles", 3, "--out", f"filled-{flags[0]}"]
    done = in_process(trained, "sample/complete.py", *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[:-1]
    assert len(lines) == len(notes)
    assert all(note in line for note, line in zip(notes, lines, strict=True))
    levels = np.arange(17) * (65535 if mode == "I;16" else 1 if mode == "1" else 255) / 16
    for n in range(2):
        with Image.open(trained / f"filled-{flags[0]}" / f"a-{n}.png") as picture:
            assert (picture.mode, picture.size) == (mode, (8, 8))
            filled = np.array(picture)
        assert np.array_equal(filled[known], values[known])
        assert not np.array_equal(filled, values)
        drawn = filled[~known]
        assert np.isin(drawn[:, 0] if mode == "LA" else drawn, levels.round()).all()
        assert mode != "LA" or (drawn[:, 1] == 255).all()


def test_tile_maps_are_completed(tiles: Path) -> None:
    image = torch.randint(6, (1, 8, 5))
    save_png(to_picture(image, TILES), tiles / "map.png")
    arguments = ["sample/complete.py", "--image", "map.png", "--known-rows", 3, "--num", 2]
    for out in ("sheet.png", "completed"):
        done = in_process(tiles, *arguments, "--out", out)
        assert done.returncode == 0, done.stderr
    for n in range(2):
        completed = read_image(tiles / f"completed/map-{n}.png", TILES)
        assert torch.equal(completed[:, :3].long(), image[:, :3])
