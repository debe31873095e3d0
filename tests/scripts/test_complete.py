"""sample/complete.py: pictures and maps are completed, and keep their own values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import Outcome, in_process

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN
from pixelseq import complete as complete_in_library
from pixelseq.imaging.pictures import read_image, save_png, to_picture
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.trained_on import TrainedOn

TILES = PixelFormat(1, 6, "categorical")


def test_completions_of_a_file_and_a_folder(trained: Path) -> None:
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
        ("1", ["--known-rows", 0], ["nothing is known", "2 completions are L, since 1 lacks what was drawn"]),
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
            values = np.stack([values, random.choice([0, 130, 239, 255], (8, 8))], axis=2).astype(np.uint8)
            known = values[:, :, 1] >= 240
    save_png(Image.fromarray(values), trained / "own" / "a.png")
    arguments = ["--image", "own/a.png", *flags, "--num", 2, "--particles", 3, "--out", f"filled-{flags[0]}"]
    done = in_process(trained, "sample/complete.py", *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[:-1]
    assert len(lines) == len(notes)
    assert all(note in line for note, line in zip(notes, lines, strict=True))
    levels = np.arange(17) * (65535 if mode == "I;16" else 255) / 16
    for n in range(2):
        with Image.open(trained / f"filled-{flags[0]}" / f"a-{n}.png") as picture:
            assert (picture.mode, picture.size) == ("L" if mode == "1" else mode, (8, 8))
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


def test_what_paint_programs_save_is_completed_by_a_gray_model(trained: Path) -> None:
    folder, digit = trained / "paint", np.full((8, 8), 0, np.uint8)
    folder.mkdir()
    digit[1:7, 3:5] = 255
    picture = Image.fromarray(digit)
    for name, mode in (("rgb.png", "RGB"), ("palette.png", "P"), ("bits.png", "1"), ("photo.jpg", "RGB")):
        picture.convert(mode).save(folder / f"{mode}-{name}")
    hole = np.dstack([digit, digit, digit, np.full_like(digit, 255)])
    hole[4:, :, 3] = 0
    Image.fromarray(hole).convert("CMYK").save(folder / "CMYK-cmyk.jpg")
    (folder / "._rgb.png").write_bytes(b"no picture")
    done = in_process(
        trained, "sample/complete.py", "--image", "paint", "--known-rows", 4, "--num", 1, "--out", "painted"
    )
    assert done.returncode == 0, done.stderr
    assert "CMYK-cmyk.jpg: it is of mode CMYK, and its completions are RGB" in done.stdout
    modes = {}
    for path in sorted((trained / "painted").glob("*-0.png")):
        with Image.open(path) as filled:
            modes[path.stem.partition("-")[0]] = filled.mode
            if path.stem not in ("RGB-photo-0", "CMYK-cmyk-0"):
                assert np.array_equal(np.array(filled.convert("L"))[:4], digit[:4])
    assert modes.keys() == {"RGB", "P", "1", "CMYK"}
    assert (modes["RGB"], modes["CMYK"]) == ("RGB", "RGB")

    Image.fromarray(hole).save(trained / "hole.png")
    done = in_process(trained, "sample/complete.py", "--image", "hole.png", "--alpha", "--num", 2, "--out", "hole")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    for n in range(2):
        with Image.open(trained / f"hole/hole-{n}.png") as picture:
            assert picture.mode == "RGBA"
            filled = np.array(picture)
        assert np.array_equal(filled[:4], hole[:4])
        assert (filled[4:, :, :3] == filled[4:, :, :1]).all()
        assert (filled[4:, :, 3] == 255).all()


@pytest.fixture
def marked(trained: Path, tmp_path: Path) -> Path:
    """A folder of two pictures, and one of masks whose upper halves are black in one and transparent in the other."""
    for k, mode in enumerate(("L", "LA")):
        mask = Image.new(mode, (8, 8), (255,) * len(mode))
        mask.paste((0,) * len(mode), (0, 0, 8, 4))
        save_png(mask, tmp_path / f"masks/{k}.png")
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / f"pictures/{k}.png").write_bytes((trained / f"pictures/{k}.png").read_bytes())
    return tmp_path


def complete(trained: Path, folder: Path, *flags: object) -> Outcome:
    checkpoint = ["--checkpoint", trained / "runs/digits", "--num", 1, "--seed", 5, "--out", "done"]
    return in_process(folder, "sample/complete.py", "--image", "pictures", *checkpoint, *flags)


def changed(folder: Path) -> np.ndarray:
    """Tells of each row whether a completion has other values there than its picture."""
    images = [
        [read_image(folder / name.format(k), PixelFormat()) for k in range(2)]
        for name in ("done/{}-0.png", "pictures/{}.png")
    ]
    completed, own = map(torch.stack, images)
    return (completed != own).any(dim=3).any(dim=0)[0].numpy()


def test_a_folder_of_masks(trained: Path, marked: Path) -> None:
    save_png(Image.new("L", (8, 8)), marked / "masks/other.png")
    done = complete(trained, marked, "--mask", "masks", "--particles", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == [
        "masks in masks that are of none of the pictures: other.png",
        "masks (1 of 2 masks): what is not white is drawn (another --mask-unknown changes that): 32 of 64 pixels",
        "masks (1 of 2 masks): what is not opaque is drawn (another --mask-unknown changes that): 32 of 64 pixels",
    ]
    assert changed(marked)[:4].any()
    assert not changed(marked)[4:].any()
    (marked / "masks/1.png").unlink()
    done = complete(trained, marked, "--mask", "masks")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: masks has no mask of the same name for 1.png; masks in masks that are")


def test_a_mask_may_say_what_is_unknown_otherwise_and_be_grown(trained: Path, marked: Path) -> None:
    done = complete(trained, marked, "--mask", "masks/0.png", "--mask-unknown", "white", "--grow", 1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == ["masks/0.png: what is not black is drawn: 32 of 64 pixels"]
    assert not changed(marked)[:3].any()
    assert changed(marked)[3]


def test_known_pixels_without_influence_are_counted(trained: Path, marked: Path) -> None:
    line = (
        "64 of 64 known pixels come after unknown ones in the order of drawing and have no influence on those; "
        "with --particles 16 they have, and in a net of 2 orders they have"
    )
    assert line in complete(trained, marked, "--mask", "masks/0.png").stdout.splitlines()
    assert "--particles" not in complete(trained, marked, "--mask", "masks/0.png", "--particles", 2).stdout
    assert "--particles" not in complete(trained, marked, "--known-rows", 4).stdout


def complete_told(told: Path, *flags: object, model: str = "told", images: str = "pictures") -> Outcome:
    arguments = ["--checkpoint", told / "runs" / model, "--image", images, "--num", 2, "--out", "done"]
    done = in_process(told, "sample/complete.py", *arguments, *flags)
    assert done.returncode == 0, done.stderr
    return done


def drawn(told: Path, *names: str) -> torch.Tensor:
    return torch.stack([read_image(told / f"done/{name}.png", PixelFormat(levels=4)) for name in names]).long()


@pytest.mark.parametrize(
    ("known", "order", "words"),
    [
        (["--box", "0,0,2,6"], 1, "from below"),
        (["--box", "0,0,4,3"], 6, "from the right, column by column"),
        (["--known-cols", "3"], 4, "from the left, column by column"),
        (["--known-rows", "2"], 0, "from above"),
    ],
)
def test_a_half_is_drawn_in_its_own_order(told: Path, known: list[str], order: int, words: str) -> None:
    done = complete_told(told, *known)
    assert done.stdout.splitlines()[0] == f"pictures/0.png and 2 more: drawn {words} (order {order})"
    assert "no influence" not in done.stdout
    found = drawn(told, *(f"{k}-{n}" for k in range(3) for n in range(2)))
    model = PixelRNN.from_pretrained(told / "runs/told")
    images = torch.arange(3)[:, None, None, None].expand(3, 1, 4, 6)
    mask = torch.ones(4, 6).bool()
    match known:
        case ["--box", box]:
            y, x, h, w = map(int, box.split(","))
            mask[y : y + h, x : x + w] = False
        case ["--known-cols", _]:
            mask[:, 3:] = False
        case _:
            mask[2:] = False
    assert torch.equal(found, complete_in_library(model, images, mask, num=2, order=order).flatten(0, 1))


@pytest.mark.parametrize(
    ("model", "flags", "expected"),
    [
        ("told", ["--box", "0,0,2,6"], None),
        ("told", ["--box", "0,0,2,6", "--order", 0], "12 of 12 {}, and with --order auto they have"),
        ("told", ["--box", "0,0,2,6", "--order", 0, "--particles", 2], None),
        ("plain", ["--box", "0,0,2,6"], "12 of 12 {}, and in a net of 2 orders they have"),
        ("plain", ["--box", "0,0,4,3"], "12 of 12 {}, and in a net of 8 orders they have"),
        ("plain", ["--box", "1,0,3,5"], "3 of 9 {}, and in a net of 4 orders all but 2 have"),
        ("told", ["--box", "1,0,3,5"], "2 of 9 {}"),
        ("plain", ["--box", "3,0,1,6"], None),
    ],
)
def test_what_would_use_known_pixels_is_said(told: Path, model: str, flags: list[object], expected: str | None) -> None:
    late = (
        "known pixels come after unknown ones in the order of drawing and have no influence on those; with "
        "--particles 16 they have"
    )
    done = complete_told(told, *flags, model=model, images="pictures/0.png")
    found = [line for line in done.stdout.splitlines() if "no influence" in line]
    assert found == ([] if expected is None else [expected.format(late)])
    assert ("(order" in done.stdout) == (model == "told")


def test_labels_of_completions(told: Path) -> None:
    model, none = PixelRNN.from_pretrained(told / "runs/told"), torch.zeros(4, 6).bool()
    for flags, labels in [
        (["--label", "dog"], [2, 2, 2]),
        (["--label", "1", "7"], [1, 0, 1]),
        (["--label", "all"], [0, 1, 2]),
        ([], [-1, -1, -1]),
    ]:
        complete_told(told, "--known-rows", 0, *flags)
        found = drawn(told, *(f"{k}-{n}" for k in range(3) for n in range(2)))
        images, condition = torch.zeros(3, 1, 4, 6).long(), Condition(label=torch.tensor(labels))
        assert torch.equal(found, complete_in_library(model, images, none, 2, condition=condition).flatten(0, 1))


def test_texts_of_completions(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = {"a dog": torch.tensor([3.0, 0.0]), "no dog": torch.tensor([0.0, -3.0])}
    monkeypatch.setattr(
        "pixelseq.model.told.load_text_encoder",
        lambda name: lambda texts: torch.stack([vectors[text] for text in texts]),
    )
    config = PixelRNN.from_pretrained(told / "runs/plain").config
    model = PixelRNN(replace(config, vector_features=2, text_encoder="own", condition_dropout=0.1))
    assert model.conditioning is not None
    torch.nn.init.normal_(model.conditioning.vector.weight)
    model.save_pretrained(tmp_path / "texts")
    flags = ["--checkpoint", tmp_path / "texts", "--known-rows", 0, "--prompt", "no dog", "a dog"]
    complete_told(told, *flags)
    found = drawn(told, *(f"{k}-{n}" for k in range(3) for n in range(2)))
    condition = Condition(vector=torch.stack([vectors[text] for text in ("no dog", "a dog", "no dog")]))
    none = torch.zeros(3, 1, 4, 6).long(), torch.zeros(4, 6).bool()
    assert torch.equal(found, complete_in_library(model, *none, 2, condition=condition).flatten(0, 1))
    assert not torch.equal(found, complete_in_library(model, *none, 2).flatten(0, 1))


def own_values(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def test_what_is_beyond_a_border_is_drawn(told: Path) -> None:
    done = complete_told(told, "--extend", "top=3,left=2", "--particles", 3)
    assert (
        done.stdout.splitlines()[0] == "pictures/0.png and 2 more: drawn from below, each row from the right (order 3)"
    )
    model = PixelRNN.from_pretrained(told / "runs/told")
    known = torch.zeros(7, 8).bool()
    known[3:, 2:] = True
    for k in range(3):
        own = own_values(told / f"pictures/{k}.png")
        for n in range(2):
            filled = own_values(told / f"done/{k}-{n}.png")
            assert filled.shape == (7, 8)
            assert np.array_equal(filled[3:, 2:], own)
    images = torch.arange(3)[:, None, None, None].expand(3, 1, 7, 8)
    found = drawn(told, *(f"{k}-{n}" for k in range(3) for n in range(2)))
    assert torch.equal(found, complete_in_library(model, images, known, num=2, particles=3).flatten(0, 1))
    with Image.open(told / "done/sheet.png") as sheet:
        assert sheet.width > sheet.height

    done = complete_told(told, "--extend", "bottom=4")
    assert "drawn from above (order 0)" in done.stdout
    assert "no influence" not in done.stdout


def test_a_mask_is_of_what_is_within_the_borders(told: Path) -> None:
    done = complete_told(told, "--extend", "right=2", "--known-cols", 5, "--order", 0, images="pictures/2.png")
    assert "15 of 20 known pixels come after unknown ones" in done.stdout
    filled = own_values(told / "done/2-0.png")
    assert filled.shape == (4, 8)
    assert (filled[:, :5] == 170).all()
    assert (filled[:, 5:] != 170).any()
    done = complete_told(told, "--extend", "right=2", "--grow", 2, "--order", 0, images="pictures/2.png")
    assert "12 of 16 known pixels come after unknown ones" in done.stdout


def test_maps_are_extended(tiles: Path) -> None:
    (tiles / "wide").mkdir()
    (tiles / "wide/a.txt").write_text("#-#\n-#-\n")
    (tiles / "wide/b.txt").write_text("#?#\n-#-\n")
    arguments = ["sample/complete.py", "--image", "wide", "--num", 1, "--extend", "left=2,bottom=1"]
    done = in_process(tiles, *arguments, "--out", "wider")
    assert done.returncode == 0, done.stderr
    for name, known in (("a", "#-#"), ("b", "#")):
        lines = (tiles / f"wider/{name}-0.txt").read_text().splitlines()
        assert [len(line) for line in lines] == [5, 5, 5]
        assert lines[0][2:].startswith(known)
        assert lines[1][2:] == "-#-"
    save_png(to_picture(torch.ones(1, 2, 3, dtype=torch.long), PixelFormat(1, 6, "categorical")), tiles / "c.png")
    arguments[2:3] = ["wide/b.txt", "c.png"]
    done = in_process(tiles, *arguments, "--format", "txt", "--out", "both")  # each is known in its own way
    assert done.returncode == 0, done.stderr
    assert [line[2:] for line in (tiles / "both/c-0.txt").read_text().splitlines()[:2]] == ["---"] * 2
    assert (tiles / "both/b-0.txt").read_text().splitlines()[1][2:] == "-#-"


def test_resized_pictures_are_extended_by_pixels_of_their_new_size(told: Path, tmp_path: Path) -> None:
    model = PixelRNN.from_pretrained(told / "runs/told")
    model.trained_on = TrainedOn("pictures", (4, 6), (4, 6), (4, 6), Preprocessing(resize=(4, 6)))
    model.save_pretrained(tmp_path / "resizing")
    save_png(Image.new("L", (18, 12)), tmp_path / "a.png")
    arguments = ["--checkpoint", tmp_path / "resizing", "--image", tmp_path / "a.png", "--num", 1]
    done = in_process(tmp_path, "sample/complete.py", *arguments, "--extend", "top=2", "--out", "done")
    assert done.returncode == 0, done.stderr
    assert "pictures are extended by pixels of the size that they are resized to, 4x6" in done.stdout.splitlines()
    assert own_values(tmp_path / "done/a-0.png").shape == (6, 6)


def test_an_rgba_model_draws_transparency(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ModelConfig(PixelFormat(4, 2), hidden=4, blocks=("diagonal",))
    PixelRNN(config).save_pretrained(tmp_path / "runs/sprites/checkpoint")
    sprite = np.zeros((6, 6, 4), np.uint8)
    sprite[1:5, 1:5] = (255, 0, 0, 255)
    save_png(Image.fromarray(sprite), tmp_path / "a.png")
    done = in_process(tmp_path, "sample/complete.py", "--image", "a.png", "--alpha", "--out", "done")
    assert done.returncode == 0, done.stderr
    assert "what is transparent on purpose is drawn anew" in done.stdout
    alphas = set()
    for path in (tmp_path / "done").glob("a-*.png"):
        with Image.open(path) as picture:
            filled = np.array(picture)
        assert np.array_equal(filled[1:5, 1:5], sprite[1:5, 1:5])
        alphas |= set(filled[..., 3].flatten().tolist())
    assert alphas == {0, 255}


def test_masks_of_text_and_grown_marks(tiles: Path) -> None:
    (tiles / "marked").mkdir()
    (tiles / "marked/a.txt").write_text("#####\n##?##\n#####\n")
    arguments = ["sample/complete.py", "--image", "marked/a.txt", "--num", 1, "--particles", 2, "--out", "grown"]
    done = in_process(tiles, *arguments, "--grow", 1)
    assert done.returncode == 0, done.stderr
    rows = (tiles / "grown/a-0.txt").read_text().splitlines()
    assert {row[side] for row in rows for side in (0, 4)} == {"#"}
    assert "".join(row[1:4] for row in rows) != "#" * 9
    (tiles / "marks").mkdir()
    (tiles / "marks/a.txt").write_text("-----\n-----\n????-\n")
    (tiles / "marked/a.txt").write_text("#-#-#\n" * 3)
    done = in_process(tiles, *arguments, "--mask", "marks")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "marks (1 of 1 masks): what is marked is drawn: 4 of 15 pixels"
    assert (tiles / "grown/a-0.txt").read_text().splitlines()[:2] == ["#-#-#"] * 2


def test_folders_in_a_folder_are_completed_in_folders(trained: Path, tmp_path: Path) -> None:
    for name in ("a/0.png", "b/deep/0.png", "b/.hidden.png", "1.png"):
        save_png(Image.open(trained / "pictures/0.png"), tmp_path / "mine" / name)
    (tmp_path / "mine/b/notes.csv").touch()
    arguments = ["--image", tmp_path / "mine", "--known-rows", 4, "--num", 2]
    done = in_process(trained, "sample/complete.py", *arguments, "--out", tmp_path / "done")
    assert done.returncode == 0, done.stderr
    found = {path.relative_to(tmp_path / "done").as_posix() for path in (tmp_path / "done").rglob("*.png")}
    names = ("a/0", "b/deep/0", "1")
    assert found == {"sheet.png", *(f"{name}-{k}.png" for name in names for k in range(2))}
    assert "left out what is no picture: 1 .csv" in done.stdout
    inside = in_process(trained, "sample/complete.py", *arguments, "--out", tmp_path / "mine/done")
    assert inside.returncode == 2
    assert "where the pictures or masks are" in inside.stderr
