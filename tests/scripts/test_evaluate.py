"""Evaluation: which images are scored, how they are prepared, and the table of each image's likelihood."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import TORCHRUN, Outcome, in_own_process, in_process

from pixelseq import Condition, PixelFormat, PixelRNN, evaluate
from pixelseq.data import load
from pixelseq.imaging.pictures import read_image, save_png
from pixelseq.model.classifier import calibration_error


def test_evaluation_gives_the_result_of_the_run(trained: Path) -> None:
    done = in_process(trained, "train/evaluate.py", "--checkpoint", "runs/digits")
    assert done.returncode == 0, done.stderr
    found, result = (
        json.loads(line) for line in (done.stdout.splitlines()[-1], (trained / "last_line.json").read_text())
    )
    assert round(found["bits_per_dim"], 4) == result["test_bits_per_dim"]
    assert round(found["nats_standard_error"], 3) == result["test_nats_standard_error"] > 0
    assert found["images"] == 250


def test_evaluation_takes_the_data_of_the_run(tmp_path: Path, few_steps: list[str]) -> None:
    for k in range(12):
        save_png(Image.new("L", (5, 4), 20 * k), tmp_path / "pictures" / f"{k}.png")
    done = in_process(tmp_path, "train/run.py", *few_steps, "--data", "pictures", "--levels", 8, "--out", "runs/own")
    assert done.returncode == 0, done.stderr
    found = in_process(tmp_path, "train/evaluate.py")
    assert found.returncode == 0, found.stderr
    result, run = (json.loads(text.splitlines()[-1]) for text in (found.stdout, done.stdout))
    assert result["data"] == "pictures"
    assert round(result["bits_per_dim"], 4) == run["test_bits_per_dim"]
    inside = in_process(tmp_path, "train/evaluate.py", "--checkpoint", "runs/own/checkpoint")
    assert inside.stdout == found.stdout
    other = in_process(tmp_path, "train/evaluate.py", "--data", "digits", "--levels", 8)
    assert json.loads(other.stdout.splitlines()[-1])["data"] == "digits"
    settings = tmp_path / "runs/own/training.json"
    settings.write_text(settings.read_text().replace('"format_version": 8', '"format_version": 3'))
    for checkpoint, message in [
        ("runs/own", "it is of format_version 3; this pixelseq goes on with 8; name the data by --data"),
        ("mnist-binary", "mnist-binary was trained on binarized_mnist; name the data by --data"),
    ]:
        done = in_process(tmp_path, "train/evaluate.py", "--checkpoint", checkpoint)
        assert done.returncode == 2
        assert done.stderr.endswith(f"{message}\n")


LEVELS = 8


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, few_steps: list[str]) -> Path:
    """A folder with a run of a few steps on 12 gray pictures of 5 columns and 4 rows, resized and of 8 levels."""
    folder = tmp_path_factory.mktemp("run")
    for k in range(12):
        save_png(Image.new("L", (10, 8), 20 * k), folder / "pictures" / f"{k}.png")
    flags = ["--data", "pictures", "--levels", LEVELS, "--resize", "4x5", "--out", "runs/own"]
    done = in_process(folder, "train/run.py", *few_steps, *flags)
    assert done.returncode == 0, done.stderr
    return folder


def pictures(folder: Path, *names: str, size: tuple[int, int] = (5, 4)) -> str:
    for k, name in enumerate(names):
        save_png(Image.new("L", size, 60 * k % 256), folder / name)
    return str(folder)


def score(run: Path, *flags: object, launcher: tuple[str, ...] | None = None) -> Outcome:
    arguments = ["--checkpoint", "runs/own", *flags]
    if launcher is None:
        done = in_process(run, "train/evaluate.py", *arguments)
    else:
        done = in_own_process(run, "train/evaluate.py", *arguments, launcher=launcher)
    return done


def result(done: Outcome) -> dict[str, float | str]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("names", "flags", "split", "said"),
    [
        ([f"{k}.png" for k in range(10)], [], "all", "scores 10 of 10 images of {}: all, since it names no split"),
        ([f"test/{k}.png" for k in range(10)], [], "test", "scores 10 of 10 images of {}: those that it names test"),
        ([f"dev/{k}.png" for k in range(3)], [], "validation", "scores 3 of 3 images of {}: those that it names valid"),
        ([f"train/{k}.png" for k in range(3)], [], "train", "scores 3 of 3 images of {}: those that it names train"),
        (
            ["train/a.png", "test/b.png", "test/c.png"],
            [],
            "test",
            "scores 2 of 3 images of {}: those that it names test",
        ),
        (["train/a.png", "test/b.png", "test/c.png"], ["--on", "all"], "all", "scores 3 of 3 images of {}: all"),
        (["test/b.png", "test/c.png"], ["--on", "test"], "test", "scores 2 of 2 images of {}: test"),
        ([f"{k}.png" for k in range(10)], ["--on", "test"], "test", "scores 1 of 10 images of {}: test"),
        ([f"{k}.png" for k in range(10)], ["--on", "train"], "train", "scores 8 of 10 images of {}: train"),
    ],
)
def test_what_is_scored_is_said(
    run: Path, tmp_path: Path, names: list[str], flags: list[str], split: str, said: str
) -> None:
    source = pictures(tmp_path, *names)
    done = score(run, "--data", source, *flags)
    found = result(done)
    line = next(line for line in done.stderr.splitlines() if line.startswith("scores "))
    assert line.startswith(said.format(source))
    assert (found["split"], found["images"]) == (split, int(line.split()[1]))


def test_all_images_are_those_of_the_folder(run: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path, "train/a.png", "test/b.png", "val/c.png", "d.png")
    done = score(run, "--data", source, "--on", "all")
    assert "left out beside train, validation, test: 1 image (the top folder)" in done.stderr
    model = PixelRNN.from_pretrained(run / "runs/own")
    shades = sorted(60 * k for k in range(4))[:3]
    images = [torch.full((1, 4, 5), round(shade / 255 * (LEVELS - 1))) for shade in shades]
    assert result(done)["nats_per_image"] == pytest.approx(evaluate(model, images).nats_per_image, rel=1e-6)


def test_other_data_are_prepared_as_the_run_s_own(run: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path, "a.png", "b.png", size=(10, 8))
    done = score(run, "--data", source)
    assert (
        f"{source}: prepared as what the model was trained on: --levels 8, --channels 1, --resize 4x5\n" in done.stderr
    )
    by_hand = score(run, "--data", source, "--levels", LEVELS, "--resize", "4x5")
    assert result(by_hand) == result(done)
    larger = score(run, "--data", source, "--resize", "8x10")
    assert f"{source}: prepared as what the model was trained on: --levels 8, --channels 1\n" in larger.stderr
    assert result(larger)["nats_per_image"] > result(done)["nats_per_image"]
    own = score(run)
    assert "prepared" not in own.stderr
    assert "pictures: no validation or test images: 1 of 12 training images are held out for each" in own.stderr
    assert "scores 1 of 12 images of pictures: test" in own.stderr


def test_a_model_without_a_run_gives_its_levels(tmp_path: Path) -> None:
    source = pictures(tmp_path / "own", "a.png", "b.png")
    done = in_process(tmp_path, "train/evaluate.py", "--checkpoint", "mnist-binary", "--data", source)
    assert f"{source}: prepared as what the model was trained on: --levels 2, --channels 1\n" in done.stderr
    assert result(done)["images"] == 2


def test_the_likelihood_of_each_image(run: Path, tmp_path: Path) -> None:
    source = pictures(tmp_path / "own", "a/1.png", "a/\u00e9, 2.png", "b.png", size=(7, 3))
    done = score(run, "--data", source, "--resize", "3x7", "--per-image", tmp_path / "new/table.csv")
    with (tmp_path / "new/table.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["name", "nats", "bits_per_dim"]
    assert [name for name, _, _ in rows] == ["a/1.png", "a/\u00e9, 2.png", "b.png"]
    found = result(done)
    assert np.mean([float(nats) for _, nats, _ in rows]) == pytest.approx(found["nats_per_image"], rel=1e-12)
    model = PixelRNN.from_pretrained(run / "runs/own")
    for (_, nats, bits), shade in zip(rows, (0, 60, 120), strict=True):
        alone = evaluate(model, [torch.full((1, 3, 7), round(shade / 255 * (LEVELS - 1)))])
        assert float(nats) == pytest.approx(alone.nll_nats, rel=1e-5)
        assert float(bits) == pytest.approx(alone.bits_per_dim, rel=1e-5)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.csv"]


def test_names_of_images_of_tables_and_of_splits_that_were_made(run: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"grid": [[k, 0]]}) for k in range(3)]
    (tmp_path / "maps.jsonl").write_text("\n".join(lines))
    unsized = ["--resize", "None"]
    for data, flags, names in [
        (tmp_path / "maps.jsonl", unsized, ["row 0", "row 1", "row 2"]),
        ("digits", ["--on", "test", *unsized], None),
        ("digit_columns", ["--on", "test", *unsized], [f"test image {k}" for k in range(250)]),
    ]:
        result(score(run, "--data", data, *flags, "--per-image", tmp_path / "table.csv"))
        with (tmp_path / "table.csv").open(newline="") as file:
            found = [row["name"] for row in csv.DictReader(file)]
        if names is None:  # the number of each in scikit-learn's file
            names = [f"test image {k}" for k in load("digits").test.indices.tolist()]
        assert found == names


def animals(told: Path) -> tuple[list[torch.Tensor], list[int]]:
    """The test images of the classes, and their labels."""
    found = [
        (read_image(path, PixelFormat(1, 4)), label)
        for label, name in enumerate(("7", "cat", "dog"))
        for path in sorted((told / "animals/test" / name).iterdir())
    ]
    return [image for image, _ in found], [label for _, label in found]


def classify(told: Path, *flags: object) -> Outcome:
    arguments = ["--checkpoint", told / "runs/told", "--data", told / "animals", *flags]
    return in_process(told, "train/evaluate.py", *arguments)


def test_nats_of_each_order(told: Path) -> None:
    model = PixelRNN.from_pretrained(told / "runs/told")
    images, labels = animals(told)
    found = result(classify(told))
    with torch.no_grad():
        nats = [
            [model.nll(image[None], Condition(label=torch.tensor([label])), order).sum() for order in range(8)]
            for image, label in zip(images, labels, strict=True)
        ]
    nats = torch.tensor(nats).double()  # [8 images, 8 orders]
    assert found["nats_by_order"] == pytest.approx(nats.mean(0).tolist(), rel=1e-6)
    assert found["nats_per_image"] == pytest.approx(-(-nats).exp().mean(1).log().mean().item(), rel=1e-6)
    assert "nats_by_order" not in result(
        in_process(told, "train/evaluate.py", "--checkpoint", "runs/plain", "--data", "animals")
    )


@pytest.mark.parametrize(("kind", "prior"), [("uniform", [1 / 3] * 3), ("counted", [3 / 6, 2 / 6, 1 / 6])])
def test_images_are_classified_by_bayes_rule(told: Path, tmp_path: Path, kind: str, prior: list[float]) -> None:
    model = PixelRNN.from_pretrained(told / "runs/told")
    images, labels = animals(told)
    with torch.no_grad():
        p = [
            [prior[k] * model.log_prob(image[None], Condition(label=torch.tensor([k]))).exp().item() for k in range(3)]
            for image in images
        ]
    p = torch.tensor(p).double()
    p /= p.sum(1, keepdim=True)
    said, names = p.argmax(1), ("7", "cat", "dog")
    done = classify(told, "--classify", kind, "--per-image", tmp_path / "table.csv")
    found = result(done)
    assert found["prior"] == kind
    assert found["accuracy"] == (said == torch.tensor(labels)).double().mean()
    assert found["calibration_error"] == pytest.approx(
        calibration_error(p.amax(1), said == torch.tensor(labels)), rel=1e-4
    )
    assert found["nats_per_image"] == result(classify(told))["nats_per_image"]
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [names[label] for label in labels]
    assert [row["said"] for row in rows] == [names[label] for label in said.tolist()]
    assert [float(row["p"]) for row in rows] == pytest.approx(p.amax(1).tolist(), rel=1e-4)
    counts = [
        [sum(a == i and b == j for a, b in zip(labels, said.tolist(), strict=True)) for j in range(3)] for i in range(3)
    ]
    table = done.stderr.splitlines()[-4:]
    assert [line.split() for line in table] == [
        list(names),
        *([name, *map(str, row)] for name, row in zip(names, counts, strict=True)),
    ]


def test_a_table_of_many_classes_is_left_to_the_file(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelseq.training.classification.MOST_CLASSES", 2)
    done = classify(told, "--classify", "uniform")
    assert (
        done.stderr.splitlines()[-1]
        == "3 classes are too many for a table to read; --per-image writes what is said of each image"
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("new.txt", "--per-image is new.txt; give a .csv"),
        ("new", "--per-image is new; give a .csv"),
        ("folder.csv", "--per-image is folder.csv, which is a folder"),
        ("file/new.csv", "--per-image is file/new.csv, but file is a file"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.iterdir())
    done = in_process(tmp_path, "train/evaluate.py", "--checkpoint", "none", "--per-image", path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: {message}")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--on", "validation"], "has no validation images at hand; choose from test by --on"),
        (["--channels", "3"], "3 channels of 8 ordinal levels, the model 1 channel of 8 ordinal levels: choose"),
        (["--levels", "9"], "1 channel of 9 ordinal levels, the model 1 channel of 8"),
    ],
)
def test_what_cannot_be_scored_is_said_and_no_table_is_left(
    run: Path, tmp_path: Path, flags: list[str], message: str
) -> None:
    source = pictures(tmp_path / "own", "test/a.png", "test/b.png")
    done = score(run, "--data", source, *flags, "--per-image", tmp_path / "table.csv")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "table.csv").exists()


@pytest.mark.slow
def test_the_table_is_the_same_on_two_processes(run: Path, tmp_path: Path) -> None:
    for k in range(150):
        save_png(Image.new("L", (5 + k % 2, 4), k), tmp_path / "own" / f"{k}.png")
    flags = ["--data", tmp_path / "own", "--resize", "None", "--per-image"]
    one = score(run, *flags, tmp_path / "one.csv", launcher=())
    two = score(run, *flags, tmp_path / "two.csv", launcher=TORCHRUN)
    assert result(one) == result(two)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.slow
def test_what_is_said_is_the_same_on_two_processes(told: Path, tmp_path: Path) -> None:
    arguments = ["--checkpoint", "runs/told", "--data", "animals", "--classify", "counted", "--per-image"]
    one = in_own_process(told, "train/evaluate.py", *arguments, tmp_path / "one.csv")
    two = in_own_process(told, "train/evaluate.py", *arguments, tmp_path / "two.csv", launcher=TORCHRUN)
    assert result(one) == result(two)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
