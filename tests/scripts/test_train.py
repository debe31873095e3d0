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
from pixelseq.imaging.pictures import read_image, save_png, to_picture
from pixelseq.training import read_metrics

ROOT = Path(__file__).parents[2]
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
    model.save_pretrained(folder / "shared/checkpoint")
    for k, image in enumerate(sample(model, 2, 8, 8)):
        save_png(to_picture(image, 17), folder / "pictures" / f"{k}.png")
    save_png(Image.new("L", (8, 8), 255), folder / "all_known.png")
    save_png(Image.new("L", (8, 7), 255), folder / "other_size.png")
    save_png(Image.new("RGB", (8, 8)), folder / "rgb.png")
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    (folder / "folder.webp").mkdir()
    (folder / "no_pictures").mkdir()
    np.save(folder / "float.npy", np.zeros((4, 2, 2)))
    lines = [json.dumps({"tiles": [[0, k]], "ragged": [[0, 1], [0] * (k + 1)]}) for k in (1, 2, 3)]
    (folder / "maps.jsonl").write_text("\n".join(lines))
    return folder


def test_training_leaves_its_files_and_one_json_line(trained: Path) -> None:
    result = json.loads((trained / "last_line.json").read_text())
    assert result["data"] == "digits"
    assert 3 < result["test_bits_per_dim"] < 6  # log2(17) = 4.09 is chance
    assert result["parameters"] > 1000
    assert result["seconds"] > 0
    assert result["images_per_s"] > 0
    found = [path for path in (trained / "runs/digits").rglob("*") if path.is_file()]
    files = {str(path.relative_to(trained / "runs/digits")) for path in found}
    assert files == {
        "checkpoint/README.md",
        "checkpoint/config.json",
        "checkpoint/model.safetensors",
        "completions.png",
        "curve.png",
        "lock",
        "metrics.jsonl",
        "result.json",
        "samples.png",
        "state/step_00000003/average.safetensors",
        "state/step_00000003/model.safetensors",
        "state/step_00000003/optimizer.safetensors",
        "state/step_00000003/progress.json",
        "tall.png",
        "training.json",
    }
    lines = [json.loads(line) for line in (trained / "runs/digits/metrics.jsonl").read_text().splitlines()]
    assert [(line["split"], line["step"]) for line in lines] == [("validation", 3), ("train", 3)]
    assert str(result["test_bits_per_dim"]) in (trained / "runs/digits/checkpoint/README.md").read_text()
    with Image.open(trained / "runs/digits/samples.png") as picture:
        assert picture.size == (8 * 68 + 4, 8 * 68 + 4)
    with Image.open(trained / "runs/digits/tall.png") as picture:
        assert picture.height == 40 * 8 + 8


def test_columns_train_in_mixed_heights(tmp_path: Path) -> None:
    done = run(
        tmp_path, "train/run.py", "digit_columns", *FEW_STEPS, "--model.blocks", "conv", "--track", "tensorboard"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {"columns_of_6_bits_per_dim", "columns_of_12_bits_per_dim"} <= result.keys()
    with Image.open(tmp_path / "runs/digit_columns/tall.png") as picture:
        assert picture.height == 96 * 8 + 8
    (events,) = (tmp_path / "runs/digit_columns").rglob("events.out.tfevents.*")
    tags = tags_of(events)
    assert {"train/bits_per_dim", "validation/bits_per_dim"} <= set(tags["scalars"])
    assert set(tags["images"]) == {"samples", "tall", "completions"}


def tags_of(events: Path) -> dict[str, list[str]]:
    """Names of what a file of TensorBoard holds."""
    code = (
        "import json, sys\n"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "events = EventAccumulator(sys.argv[1]); events.Reload(); print(json.dumps(events.Tags()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, events], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_pictures_of_mixed_sizes_and_colours_train_in_processes_that_share_them(tmp_path: Path) -> None:
    for k in range(12):
        picture = Image.new("RGB" if k % 2 else "L", (5 + k % 3, 4 + k), (20 * k, 0, 0) if k % 2 else 20 * k)
        save_png(picture, tmp_path / "pictures" / f"{k}.png")
    options = ["--data", "pictures", "--levels", "8", "--flip", "--batch-pixels", "150", "--model.blocks", "row"]
    done = run(tmp_path, "train/run.py", *FEW_STEPS, *options)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert "pictures: no validation or test images: 1 of 12 training images are held out for each" in done.stderr
    config = PixelRNN.from_pretrained(tmp_path / "runs/digits").config
    assert (config.channels, config.levels) == (3, 8)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", ROOT / "train/run.py"]
    shared = subprocess.run(
        [sys.executable, *torchrun, *FEW_STEPS, *options, "--out", "shared"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert shared.returncode == 0, shared.stderr
    assert shared.stderr.count("no validation or test images") == 1
    (again,) = [json.loads(line) for line in shared.stdout.splitlines() if line.startswith("{")]
    assert again["test_bits_per_dim"] == pytest.approx(result["test_bits_per_dim"], abs=2e-3)


def test_grids_of_any_height_train_as_a_stream(tmp_path: Path) -> None:
    for split, count in (("train", 9), ("validation", 3), ("test", 3)):
        lines = [json.dumps({"tiles": [[k % 3, 1, 0]] * (1 + k)}) for k in range(count)]
        (tmp_path / f"maps/{split}.jsonl").parent.mkdir(exist_ok=True)
        (tmp_path / f"maps/{split}.jsonl").write_text("\n".join(lines))
    done = run(
        tmp_path, "train/run.py", *FEW_STEPS, "--data", "maps", "--streaming", "--levels", "3", "--tall-height", "9"
    )
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout.splitlines()[-1])["test_bits_per_dim"] < 3


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
    assert {path.name for path in (trained / "done").iterdir()} == {
        "sheet.png",
        "0-0.png",
        "0-1.png",
        "1-0.png",
        "1-1.png",
    }
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
    done = run(trained, "sample/complete.py", *arguments)
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
    "other-levels": (
        ["train/run.py", "--model.levels", "9", "--out", "new"],
        "--model.levels and --model.legend follow the data",
    ),
    "empty-data": (["train/run.py", "--data", "no_pictures", "--out", "new"], "no_pictures holds no images"),
    "corrupt-data": (
        ["train/run.py", "--data", "text.png", "--out", "new"],
        "no image of the 1 can be decoded: text.png: no picture that can be decoded: none of PNG, JPEG",
    ),
    "unknown-column": (
        ["train/run.py", "--data", "maps.jsonl", "--image-column", "map", "--out", "new"],
        "--image-column is 'map'; the columns are tiles, ragged",
    ),
    "float-data": (["train/run.py", "--data", "float.npy", "--out", "new"], "float.npy holds float64; whole numbers"),
    "large-values": (
        ["train/run.py", "--data", "maps.jsonl", "--image-column", "tiles", "--levels", "3", "--out", "new"],
        "maps.jsonl has values up to 3; --levels 3 allows 0 to 2",
    ),
    "hub-offline": (
        ["train/run.py", "--data", "nobody/nothing", "--out", "new"],
        "no file or folder nobody/nothing here, and the hub gave no data set of that name (put the data in a folder",
    ),
    "ragged-grids": (
        ["train/run.py", "--data", "maps.jsonl", "--image-column", "ragged", "--out", "new"],
        "train row 1: its rows are of unlike widths",
    ),
    "unknown-start": (["train/run.py", "--init-from", "runs/digit", "--out", "new"], "no checkpoint folder runs/digit"),
    "other-settings": (["train/run.py", "--steps", "4"], "run with other settings: --steps is 4, the run has 3"),
    "other-preset": (["train/run.py", "photos", "--out", "runs/digits"], "holds a run of preset digits, not photos"),
    "checkpoint-exists": (["train/run.py", "--out", "shared"], "shared already holds a trained model"),
    "no-checkpoint": ([*SAMPLE, "--checkpoint", "runs/digit"], "no checkpoint folder runs/digit"),
    "num-0": ([*SAMPLE, "--num", "0"], "--num is 0"),
    "height-0": (["sample/run.py", "--height", "0", "--width", "8", "--out", "new"], "height is 0"),
    "width-0": (["sample/run.py", "--height", "8", "--width", "0", "--out", "new"], "width is 0"),
    "memory": (["sample/run.py", "--height", "8", "--width", f"{10**12}", "--out", "new"], "error: out of memory: "),
    "temperature": ([*SAMPLE, "--temperature", "-1"], "temperature is -1.0"),
    "out": (["sample/run.py", "--height", "8", "--width", "8", "--out", "new.jpg"], "--out is new.jpg"),
    "format-suffix": ([*SAMPLE[:1], *SAMPLE[3:], "--format", "npy", "--out", "new.png"], "give a .npy for all images"),
    "animate-suffix": ([*SAMPLE, "--animate", "new.gif"], "--animate is new.gif; give a .webp"),
    "animate-is-folder": ([*SAMPLE, "--animate", "folder.webp"], "--animate is folder.webp, which is a folder"),
    "capital-suffix": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "new.PNG"], "--out is new.PNG; give a .png"),
    "suffix-alone": ([*SAMPLE[:1], *SAMPLE[3:], "--out", ".png"], "--out is .png; give a .png"),
    "out-is-image": ([*COMPLETE[:1], "--known-rows", "4", "--out", "rgb.png", "--image", "rgb.png"], "which is read"),
    "out-is-mask": (
        [*COMPLETE[:1], "--mask", "other_size.png", "--out", "other_size.png", "--image", "rgb.png"],
        "--out is other_size.png, which is read",
    ),
    "sheet-is-in": (
        [*COMPLETE[:1], "--known-rows", "4", "--out", "pictures/new.png", "--image", "pictures"],
        "--out is pictures/new.png, where the pictures are",
    ),
    "animate-size": ([*SAMPLE, "--num", "5000", "--animate", "new.webp"], "a WebP has at most 16383 a side"),
    "no-legend": ([*SAMPLE, "--format", "txt"], "the model has no legend"),
    "channels": ([*COMPLETE, "rgb.png"], "rgb.png is a picture of mode RGB; the model has 1 channels"),
    "no-picture": ([*COMPLETE, "text.png"], "text.png is no picture that can be read"),
    "no-file": ([*COMPLETE, "none.png"], "no file none.png"),
    "rows": ([*COMPLETE[:3], "--known-rows", "9", "--image", "pictures"], "--known-rows is 9"),
    "completions-0": ([*COMPLETE, "pictures", "--num", "0"], "num is 0"),
    "empty-folder": ([*COMPLETE, "runs"], "the folder runs holds no pictures"),
    "nothing-known": ([*COMPLETE[:3], "--image", "pictures"], "say what is known: one of --known-rows"),
    "two-ways": ([*COMPLETE, "pictures", "--known-cols", "4"], "not --known-rows and --known-cols"),
    "columns": ([*COMPLETE[:3], "--known-cols", "9", "--image", "pictures"], "--known-cols is 9; an image has 8"),
    "box-text": ([*COMPLETE[:3], "--box", "1,2,3", "--image", "pictures"], "--box is 1,2,3; expected four whole"),
    "box-outside": ([*COMPLETE[:3], "--box", "1,2,3,7", "--image", "pictures"], "columns 2 to 8; an image is 8x8"),
    "no-alpha": ([*COMPLETE[:3], "--alpha", "--image", "pictures"], "mode L has no alpha channel"),
    "empty-mask": ([*COMPLETE[:3], "--mask", "empty.png", "--image", "pictures"], "empty.png is no picture"),
    "particles-0": ([*COMPLETE, "pictures", "--particles", "0"], "particles is 0; it must be at least 1"),
    "particles-tempered": (
        [*COMPLETE, "pictures", "--particles", "2", "--temperature", "0.5"],
        "particles is 2 with temperature 0.5",
    ),
    "no-images": (["sample/complete.py", "--out", "new", "--known-rows", "4", "--image"], "--image names no pictures"),
    "same-names": ([*COMPLETE, "pictures/0.png", "pictures"], "two pictures have one name"),
    "out-is-in": (["sample/complete.py", "--out", "pictures", "--known-rows", "4", "--image", "pictures"], "--out is"),
    "sheet-is-folder": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "folder.png"], "--out is folder.png, which is a folder"),
    "out-below-file": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "text.png/new"], "but text.png is a file"),
    "mask-size": (
        [*COMPLETE[:3], "--mask", "other_size.png", "--image", "pictures"],
        "the mask is 8x7 pixels, an image 8x8",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line_and_writes_nothing(trained: Path, name: str) -> None:
    command, message = MISTAKES[name]
    before = contents(trained)
    done = run(trained, *command)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert contents(trained) == before


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Every file below a folder, and every folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--steps", "0", "--steps is 0; it must be at least 1"),
        ("--learning-rate", "-1", "--learning-rate is -1.0; it must be above 0"),
        ("--ema-decay", "1", "--ema-decay is 1.0"),
        ("--seed", "-1", "--seed is -1"),
        ("--model.hidden", "0", "ModelConfig.hidden is 0"),
        ("--crop", "32", "--crop is '32'; expected rows x columns"),
        ("--stepz", "3", "Perhaps you meant"),
    ],
)
def test_a_wrong_flag_is_explained(tmp_path: Path, flag: str, value: str, message: str) -> None:
    done = run(tmp_path, "train/run.py", flag, value)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_presets_build(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import tyro\n"
        "from pixelseq.training.presets import PRESETS, TrainConfig\n"
        "from pixelseq import PixelRNN\n"
        "from pixelseq.training import build_optimizer, fill, flatten\n"
        "for name, preset in PRESETS.items():\n"
        "    config = tyro.cli(TrainConfig, default=preset, args=['--model.hidden', '3', '--seed', '5'])\n"
        "    assert fill(TrainConfig(), flatten(config)) == config\n"
        "    model = PixelRNN(config.model)\n"
        "    build_optimizer(config.optimizer, model.parameters(), config.learning_rate, config.weight_decay)\n"
        "    print(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ROOT / "train"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"mnist_binary_diagonal", "cifar10_row", "tiles", "pixelcnn"} <= set(done.stdout.split())


def test_stages_follow_each_other(tmp_path: Path) -> None:
    stage = [*FEW_STEPS, "--stage-split"]
    done = run(tmp_path, "train/run.py", *stage, "--stage", "encoder", "--out", "first")
    assert done.returncode == 0, done.stderr
    assert PixelRNN.from_pretrained(tmp_path / "first").config.blocks == ()
    second = ["--stage", "recurrent", "--init-from", "first", "--freeze-encoder", "--out", "second"]
    done = run(tmp_path, "train/run.py", *stage, *second)
    assert done.returncode == 0, done.stderr
    model, first = PixelRNN.from_pretrained(tmp_path / "second"), PixelRNN.from_pretrained(tmp_path / "first")
    trained = sum(p.numel() for part in (model.blocks, model.head) for p in part.parameters())
    assert f"stage recurrent trains blocks and head: {trained} parameters" in done.stderr
    for name, parameter in first.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], parameter), name


def test_a_run_stops_by_its_targets(tmp_path: Path) -> None:
    for flags in (["--target-bits-per-dim", "9"], ["--target-nats", "999"], ["--minutes", "0.0001"]):
        steps = ["--steps", "1000", "--validate-every", "2", "--save-every", "1000"]
        done = run(tmp_path, "train/run.py", *FEW_STEPS[2:], *steps, *flags, "--out", flags[0].strip("-"))
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["steps"] == (1 if flags[0] == "--minutes" else 2)
        lines = read_metrics(tmp_path / flags[0].strip("-") / "metrics.jsonl")
        assert {line["split"]: line["step"] for line in lines} == dict.fromkeys(
            ("train", "validation"), result["steps"]
        )


def test_evaluation_gives_the_result_of_the_run(trained: Path) -> None:
    done = run(trained, "train/evaluate.py", "--checkpoint", "runs/digits")
    assert done.returncode == 0, done.stderr
    found, result = (
        json.loads(line) for line in (done.stdout.splitlines()[-1], (trained / "last_line.json").read_text())
    )
    assert round(found["bits_per_dim"], 4) == result["test_bits_per_dim"]
    assert round(found["nats_standard_error"], 3) == result["test_nats_standard_error"] > 0
    assert found["images"] == 250
