"""The scripts as users run them: a few steps of training, samples, completions, and one line for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelseq import ModelConfig, PixelRNN, sample
from pixelseq.images import read_image, save_png, to_picture

ROOT = Path(__file__).parents[1]
FEW_STEPS = [
    "--steps",
    "3",
    "--batch-size",
    "8",
    "--model.hidden",
    "4",
    "--model.context-blocks",
    "0",
    "--model.dropout",
    "0",
]


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Runs a script of the project with this Python, in `folder`."""
    script, *arguments = map(str, command)
    return subprocess.run(
        [sys.executable, ROOT / script, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of a few steps in runs/digits, and pictures of digits."""
    folder = tmp_path_factory.mktemp("trained")
    done = run(folder, "train/run.py", *FEW_STEPS)
    assert done.returncode == 0, done.stderr
    (folder / "last_line.json").write_text(done.stdout.splitlines()[-1])
    model = PixelRNN.from_pretrained(folder / "runs/digits")
    for k, image in enumerate(sample(model, 2, 8, 8)):
        save_png(to_picture(image, 17), folder / "pictures" / f"{k}.png")
    save_png(Image.new("L", (8, 8), 255), folder / "all_known.png")
    save_png(Image.new("L", (8, 7), 255), folder / "other_size.png")
    save_png(Image.new("RGB", (8, 8)), folder / "rgb.png")
    save_png(Image.new("L", (8, 8), 7), folder / "shade.png")
    (folder / "text.png").write_text("no picture")
    (folder / "folder.png").mkdir()
    return folder


def test_training_leaves_its_files_and_one_json_line(trained: Path) -> None:
    result = json.loads((trained / "last_line.json").read_text())
    assert result["data"] == "digits"
    assert 3 < result["test_bits_per_dim"] < 6  # log2(17) = 4.09 is chance
    assert result["parameters"] > 1000
    assert result["seconds"] > 0
    assert result["images_per_s"] > 0
    files = {str(path.relative_to(trained / "runs/digits")) for path in (trained / "runs/digits").rglob("*.*")}
    assert files == {
        "checkpoint/README.md",
        "checkpoint/config.json",
        "checkpoint/model.safetensors",
        "completions.png",
        "metrics.jsonl",
        "samples.png",
        "tall.png",
    }
    lines = [json.loads(line) for line in (trained / "runs/digits/metrics.jsonl").read_text().splitlines()]
    assert [(line["split"], line["step"]) for line in lines] == [("train", 3), ("validation", 3)]
    assert str(result["test_bits_per_dim"]) in (trained / "runs/digits/checkpoint/README.md").read_text()
    with Image.open(trained / "runs/digits/samples.png") as picture:
        assert picture.size == (8 * 68 + 4, 8 * 68 + 4)
    with Image.open(trained / "runs/digits/tall.png") as picture:
        assert picture.height == 40 * 8 + 8


def test_columns_train_in_mixed_heights(tmp_path: Path) -> None:
    done = run(tmp_path, "train/run.py", "digit_columns", *FEW_STEPS, "--model.blocks", "conv")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {"columns_of_6_bits_per_dim", "columns_of_12_bits_per_dim"} <= result.keys()
    with Image.open(tmp_path / "runs/digit_columns/tall.png") as picture:
        assert picture.height == 96 * 8 + 8


def test_the_launcher_runs_it(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", ROOT / "train/run.py", *FEW_STEPS]
    done = subprocess.run(launch, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 3


def test_two_processes_write_one_run(tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", ROOT / "train/run.py"]
    done = subprocess.run(
        [sys.executable, *torchrun, *FEW_STEPS],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (result,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert result["steps"] == 3
    assert len((tmp_path / "runs/digits/metrics.jsonl").read_text().splitlines()) == 2


def test_samples_as_a_sheet_and_as_files(trained: Path) -> None:
    arguments = ["--num", 3, "--height", 20, "--width", 8, "--seed", 0, "--temperature", 1.0]
    done = run(trained, "sample/run.py", "--checkpoint", "runs/digits", *arguments, "--out", "sheet.png")
    assert done.returncode == 0, done.stderr
    with Image.open(trained / "sheet.png") as picture:
        assert picture.size == (3 * 68 + 4, 164 + 4)
    done = run(trained, "sample/run.py", *arguments, "--out", "files")  # the newest run
    assert done.returncode == 0, done.stderr
    model = PixelRNN.from_pretrained(trained / "runs/digits")
    expected = sample(model, 3, 20, 8, seed=0)
    for k in range(3):
        assert torch.equal(read_image(trained / f"files/{k:05}.png", 1, 17).long(), expected[k])


def test_completions_of_a_file_a_folder_and_a_mask(trained: Path) -> None:
    rows = ["--known-rows", 4, "--num", 2, "--seed", 0]
    done = run(trained, "sample/complete.py", "--checkpoint", "runs/digits", "--image", "pictures/0.png", *rows)
    assert done.returncode == 0, done.stderr
    with Image.open(trained / "completions.png") as picture:
        assert picture.size == (4 * 68 + 4, 68 + 4)
    both = run(trained, "sample/complete.py", "--image", "pictures", *rows, "--out", "done")
    assert both.returncode == 0, both.stderr
    assert {path.name for path in (trained / "done").iterdir()} == {"0-0.png", "0-1.png", "1-0.png", "1-1.png"}
    for k in range(2):
        original = read_image(trained / f"pictures/{k}.png", 1, 17)
        for n in range(2):
            assert torch.equal(read_image(trained / f"done/{k}-{n}.png", 1, 17)[:, :4], original[:, :4])
    files = ["pictures/1.png", "pictures/0.png"]
    masked = run(
        trained, "sample/complete.py", "--image", *files, "--mask", "all_known.png", "--num", 1, "--out", "same"
    )
    assert masked.returncode == 0, masked.stderr
    for k in range(2):
        assert (trained / f"same/{k}-0.png").read_bytes() == (trained / f"pictures/{k}.png").read_bytes()


LEGEND = "#-DHMT"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model of tile maps in runs/tiles."""
    folder = tmp_path_factory.mktemp("tiles")
    config = ModelConfig(levels=6, pixels="categorical", hidden=4, blocks=("diagonal",), legend=LEGEND)
    PixelRNN(config).save_pretrained(folder / "runs/tiles/checkpoint")
    return folder


@pytest.mark.parametrize("suffix", ["png", "npy", "txt"])
def test_tile_maps_in_each_format(tiles: Path, suffix: str) -> None:
    arguments = ["sample/run.py", "--num", 3, "--height", 9, "--width", 7, "--format", suffix]
    for out in ([], ["--out", suffix]):
        done = run(tiles, *arguments, *out)
        assert done.returncode == 0, done.stderr
    expected = sample(PixelRNN.from_pretrained(tiles / "runs/tiles"), 3, 9, 7)
    texts = ["".join("".join(LEGEND[v] for v in row) + "\n" for row in image[0]) for image in expected.tolist()]
    together = tiles / f"samples.{suffix}"
    for k in range(3):
        alone = tiles / suffix / f"{k:05}.{suffix}"
        if suffix == "png":
            assert torch.equal(read_image(alone, 1, 6, pixels="categorical").long(), expected[k])
        elif suffix == "npy":
            assert np.array_equal(np.load(alone), expected[k])
            assert np.load(together).shape == (3, 1, 9, 7)
        else:
            assert alone.read_text() == texts[k]
            assert together.read_text() == "\n".join(texts)


def test_tile_maps_are_completed(tiles: Path) -> None:
    image = torch.randint(6, (1, 8, 5))
    save_png(to_picture(image, 6, "categorical"), tiles / "map.png")
    arguments = ["sample/complete.py", "--image", "map.png", "--known-rows", 3, "--num", 2]
    for out in ("sheet.png", "completed"):
        done = run(tiles, *arguments, "--out", out)
        assert done.returncode == 0, done.stderr
    for n in range(2):
        completed = read_image(tiles / f"completed/map-{n}.png", 1, 6, pixels="categorical")
        assert torch.equal(completed[:, :3].long(), image[:, :3])


COMPLETE = ["sample/complete.py", "--out", "new", "--known-rows", "4", "--image"]
SAMPLE = ["sample/run.py", "--out", "new", "--height", "8", "--width", "8"]
MISTAKES = {
    "unknown-preset": (
        ["train/run.py", "digit", "--out", "new"],
        "no preset 'digit'; choose from digits, digit_columns",
    ),
    "other-levels": (["train/run.py", "--model.levels", "9", "--out", "new"], "digits has 1 channels of 17 levels"),
    "run-exists": (["train/run.py"], "runs/digits already holds a trained model"),
    "no-checkpoint": ([*SAMPLE, "--checkpoint", "runs/digit"], "no checkpoint folder runs/digit"),
    "num-0": ([*SAMPLE, "--num", "0"], "--num is 0"),
    "height-0": (["sample/run.py", "--height", "0", "--width", "8", "--out", "new"], "height is 0"),
    "width-0": (["sample/run.py", "--height", "8", "--width", "0", "--out", "new"], "width is 0"),
    "temperature": ([*SAMPLE, "--temperature", "-1"], "temperature is -1.0"),
    "out": (["sample/run.py", "--height", "8", "--width", "8", "--out", "new.jpg"], "--out is new.jpg"),
    "format-suffix": ([*SAMPLE[:1], *SAMPLE[3:], "--format", "npy", "--out", "new.png"], "give a .npy for all images"),
    "animate-suffix": ([*SAMPLE, "--animate", "new.gif"], "--animate is new.gif; give a .webp"),
    "animate-size": ([*SAMPLE, "--num", "5000", "--animate", "new.webp"], "a WebP has at most 16383 a side"),
    "no-legend": ([*SAMPLE, "--format", "txt"], "the model has no legend"),
    "channels": ([*COMPLETE, "rgb.png"], "rgb.png is a picture of mode RGB; the model has 1 channels"),
    "levels": ([*COMPLETE, "shade.png"], "shade.png has more shades than the model's 17 levels"),
    "no-picture": ([*COMPLETE, "text.png"], "text.png is no picture that can be read"),
    "no-file": ([*COMPLETE, "none.png"], "no file none.png"),
    "rows": ([*COMPLETE[:3], "--known-rows", "9", "--image", "pictures"], "--known-rows is 9"),
    "completions-0": ([*COMPLETE, "pictures", "--num", "0"], "num is 0"),
    "empty-folder": ([*COMPLETE, "runs"], "the folder runs holds no pictures"),
    "nothing-known": ([*COMPLETE[:3], "--image", "pictures"], "either --known-rows or --mask"),
    "no-images": (["sample/complete.py", "--out", "new", "--known-rows", "4", "--image"], "--image names no pictures"),
    "same-names": ([*COMPLETE, "pictures/0.png", "pictures"], "two pictures have one name"),
    "out-is-in": (["sample/complete.py", "--out", "pictures", "--known-rows", "4", "--image", "pictures"], "--out is"),
    "sheet-is-folder": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "folder.png"], "--out is folder.png, which is a folder"),
    "out-below-file": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "text.png/new"], "but text.png is a file"),
    "mask-size": (
        [*COMPLETE[:3], "--mask", "other_size.png", "--image", "pictures"],
        "the mask is 8x7 pixels, the image pictures/0.png 8x8",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line_and_writes_nothing(trained: Path, name: str) -> None:
    command, message = MISTAKES[name]
    before = sorted(trained.rglob("*"))
    done = run(trained, *command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--steps", "0", "--steps is 0; it must be at least 1"),
        ("--learning-rate", "-1", "--learning-rate is -1.0; it must be above 0"),
        ("--ema-decay", "1", "--ema-decay is 1.0"),
        ("--seed", "-1", "--seed is -1"),
        ("--model.hidden", "0", "ModelConfig.hidden is 0"),
        ("--stepz", "3", "Perhaps you meant"),
    ],
)
def test_a_wrong_flag_is_explained(tmp_path: Path, flag: str, value: str, message: str) -> None:
    done = run(tmp_path, "train/run.py", flag, value)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_presets_build() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from presets import PRESETS\n"
        "from pixelseq import PixelRNN\n"
        "from pixelseq.data import load\n"
        "for preset in PRESETS.values():\n"
        "    data, model = load(preset.data), PixelRNN(preset.model)\n"
        "    assert (data.channels, data.levels) == (preset.model.channels, preset.model.levels)\n"
        "    model.nll(data.test[0][None])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ROOT / "train"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
