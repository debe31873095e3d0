"""What a user does in the first hour with data of their own, from one command to the next."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from PIL import Image
from running import Outcome, in_own_process

from pixelseq import PixelRNN, evaluate
from pixelseq.data import DataOptions, load

pytestmark = pytest.mark.slow

SMALL = ["--model.hidden", 16, "--model.blocks", "diagonal", "--model.context-blocks", 1, "--model.dropout", 0]


def run(folder: Path, script: str, *arguments: object) -> Outcome:
    done = in_own_process(folder, script, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def result(done: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_pictures_are_trained_on_completed_evaluated_and_trained_on_further(tmp_path: Path) -> None:
    digits = load("digits")
    for split, images in (("mine", digits.train[:1000]), ("others", digits.test[:40])):
        (tmp_path / split).mkdir()
        for k, image in enumerate(images):
            shades = (image[0].numpy() * (255 / 16)).round().astype(np.uint8)
            Image.fromarray(np.dstack([shades] * 3)).save(tmp_path / split / f"{k}.png")  # gray, saved as RGB
    train = ["train/run.py", "--data", "mine", "--levels", 17, "--channels", 1, *SMALL, "--out", "runs/mine"]

    done = run(tmp_path, *train, "--steps", 100)
    assert "no validation or test images: 100 of 1000 training images are held out for each" in done.stderr
    model = PixelRNN.from_pretrained(tmp_path / "runs/mine")
    validation = load(DataOptions(str(tmp_path / "mine"), levels=17, channels=1)).validation
    averaged = evaluate(model, validation).nats_per_image
    weights = safetensors.torch.load_file(tmp_path / "runs/mine/state/step_00000100/model.safetensors")
    model.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    raw = evaluate(model, validation).nats_per_image
    # Chance has 181 nats; a net that has learned no more than how often each level occurs has about 150.
    assert averaged < min(raw + 0.5, 110)
    run(tmp_path, "sample/run.py", "--num", 8, "--out", "drawn")
    drawn = np.stack([np.array(Image.open(path)) for path in sorted((tmp_path / "drawn").iterdir())])
    assert drawn.shape == (8, 8, 8)
    assert abs(drawn.mean() - 255 / 16 * np.mean([image.float().mean() for image in digits.train])) < 25

    damaged = np.dstack([np.array(Image.open(tmp_path / "others/0.png")), np.full((8, 8), 255, np.uint8)])
    damaged[4:, :, 3] = 0
    Image.fromarray(damaged).save(tmp_path / "damaged.png")
    done = run(tmp_path, "sample/complete.py", "--image", "damaged.png", "--alpha", "--num", 2, "--out", "whole")
    for k in range(2):
        with Image.open(tmp_path / f"whole/damaged-{k}.png") as picture:
            assert picture.mode == "RGBA"
            completed = np.array(picture)
        assert np.array_equal(completed[:4], damaged[:4])
        assert (completed[4:, :, 3] == 255).all()
        assert (completed[..., 0] == completed[..., 2]).all()

    done = run(tmp_path, "train/evaluate.py", "--data", "others", "--per-image", "scores.csv")
    assert "scores 40 of 40 images of others: all, since it names no split" in done.stderr
    found = result(done)
    assert (found["split"], found["images"]) == ("all", 40)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {f"{k}.png" for k in range(40)}
    assert sum(float(row["nats"]) for row in rows) / 40 == pytest.approx(found["nats_per_image"])

    done = run(tmp_path, *train, "--steps", 200)
    assert "going on after step 100" in done.stderr
    assert "now is for 200 steps" in done.stderr
    assert result(done)["steps"] == 200
    better = result(run(tmp_path, "train/evaluate.py", "--data", "others"))
    assert better["nats_per_image"] < found["nats_per_image"]


def test_text_maps_are_trained_on_and_a_map_is_completed_as_text(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "maps").mkdir()
    for k in range(12):
        sky = ["".join(random.choice(list("-o"), 16, p=[0.9, 0.1])) for _ in range(6 + k % 3)]
        (tmp_path / f"maps/{k}.txt").write_text("\n".join([*sky, "#" * 16, "#" * 16]) + "\n")
    done = run(tmp_path, "train/run.py", "tiles", "--data", "maps", *SMALL, "--steps", 150, "--out", "runs/maps")
    assert "no legend: levels are the characters found, by code point: '#-o'" in done.stderr

    (tmp_path / "mine.txt").write_text("----------------\n--oo------------\n" + "?" * 16 + "\n" + "?" * 16 + "\n")
    run(tmp_path, "sample/complete.py", "--image", "mine.txt", "--num", 3, "--out", "whole")
    for k in range(3):
        lines = (tmp_path / f"whole/mine-{k}.txt").read_text().splitlines()
        assert lines[:2] == ["----------------", "--oo------------"]
        assert [len(line) for line in lines] == [16] * 4
        assert set("".join(lines)) <= set("#-o")

    run(tmp_path, "sample/run.py", "--num", 2, "--format", "txt", "--out", "drawn.txt")
    drawn = (tmp_path / "drawn.txt").read_text().split("\n\n")
    assert [set(map(len, one.split())) for one in drawn] == [{16}, {16}]
