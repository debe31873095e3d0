"""sample/run.py beyond one batch of pictures: strips that are stopped, several processes, animations."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import shows
from PIL import Image
from running import in_process, load_script

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, sample
from pixelseq.generation.multiscale import stage_seed
from pixelseq.imaging.palette import UNKNOWN_COLOUR
from pixelseq.imaging.pictures import read_image, sample_sheet
from pixelseq.model.condition import spread
from pixelseq.model.config import ContextConfig
from pixelseq.model.trained_on import TrainedOn

FORMAT = PixelFormat(levels=4)
SCRIPT = Path(__file__).parents[2] / "sample/run.py"
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model of gray pictures in runs/gray."""
    folder = tmp_path_factory.mktemp("gray")
    config = ModelConfig(FORMAT, hidden=4, blocks=("diagonal",), context_blocks=0, head_features=4)
    PixelRNN(config).save_pretrained(folder / "runs/gray/checkpoint")
    larger = replace(config, context=ContextConfig(FORMAT, 4, 1, "lowres:2"))
    nets = {"twice": larger, "thrice": replace(larger, context=ContextConfig(FORMAT, 4, 1, "lowres:3"))}
    nets["labels"] = replace(larger, classes=2)
    nets["colours"] = replace(larger, pixel_format=PixelFormat(3, 4), context=ContextConfig(PixelFormat(3, 4), 4, 1))
    nets["edges"] = replace(larger, context=ContextConfig(FORMAT, 4, 1, "edges"))
    nets["noisy"] = replace(larger, context=ContextConfig(FORMAT, 4, 1, "lowres:2+noise:0.1"))
    finer = PixelFormat(levels=8)
    nets["finer"] = replace(larger, pixel_format=finer, context=ContextConfig(finer, 4, 1, "lowres:2"))
    for name, one in nets.items():
        torch.manual_seed(0)
        model = PixelRNN(one)
        assert model.conditioning is not None
        for parameter in model.conditioning.parameters():  # untrained ones add nothing
            torch.nn.init.normal_(parameter)
        model.trained_on = TrainedOn("pictures", (6, 8), (6, 8), (6, 8)) if name == "thrice" else None
        model.save_pretrained(folder / "nets" / name)
    return folder


def drawn_in_stages(folder: Path, num: int, seed: int) -> torch.Tensor:
    """Images of 3x4, of 6x8 given those, and of 18x24 given these."""
    images = sample(PixelRNN.from_pretrained(folder / "runs/gray"), num, 3, 4, seed)
    for stage, (name, factor) in enumerate((("twice", 2), ("thrice", 3)), 1):
        model, given = PixelRNN.from_pretrained(folder / "nets" / name), spread(images, factor)
        images = sample(model, num, *given.shape[2:], stage_seed(seed, stage), condition=Condition(image=given))
    return images


STAGES = ["--checkpoint", "runs/gray", "--height", 3, "--width", 4, "--then", "nets/twice"]


def test_stages_draw_larger_images_given_smaller_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_script("sample/run.py"), "BATCH", 2)
    expected = drawn_in_stages(folder, 3, seed=5)
    arguments = ["sample/run.py", *STAGES, "--then", "nets/thrice", "--num", 3, "--seed", 5]
    done = in_process(folder, *arguments, "--format", "npy", "--out", "stages.npy")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "nets/thrice: 18x24 (rows x columns) is quite another size than the model was trained on: 6x8",
        "wrote 3 images to stages.npy",
    ]
    assert np.array_equal(np.load(folder / "stages.npy"), expected.numpy())
    both = [*STAGES, "nets/thrice", "--num", 1, "--seed", 5]  # several values of one flag
    for more in (["--out", "stages"], ["--out", "stage.png", "--animate", "stage.webp"]):
        done = in_process(folder, "sample/run.py", *both, *more)
        assert done.returncode == 0, done.stderr
    for path in ("stages/00000.png", "stage.png"):
        assert shows(folder / path, expected[0], FORMAT)
    with Image.open(folder / "stage.webp") as animation:
        assert animation.n_frames == 19  # type: ignore[attr-defined]


def test_stages_that_know_labels_are_told_them(folder: Path) -> None:
    model = replace(PixelRNN.from_pretrained(folder / "runs/gray").config, classes=2)
    PixelRNN(model).save_pretrained(folder / "nets/small")
    arguments = ["sample/run.py", "--checkpoint", "nets/small", "--height", 3, "--width", 4, "--num", 2, "--label", 1]
    arguments += ["--then", "nets/labels", "nets/twice", "--format", "npy", "--out", "labels.npy"]
    done = in_process(folder, *arguments)
    assert done.returncode == 0, done.stderr
    label = torch.tensor([1, 1])
    images = sample(PixelRNN.from_pretrained(folder / "nets/small"), 2, 3, 4, condition=Condition(label))
    for stage, (name, told) in enumerate((("labels", Condition(label)), ("twice", Condition())), 1):
        given = spread(images, 2)
        one = PixelRNN.from_pretrained(folder / "nets" / name)
        told = replace(told, image=given)
        images = sample(one, 2, *given.shape[2:], stage_seed(0, stage), condition=told)
    assert np.array_equal(np.load(folder / "labels.npy"), images.numpy())


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (
            ["runs/gray"],
            "--then names runs/gray, which knows no condition images; expected a net of --condition-image lowres:2",
        ),
        (
            ["nets/twice", "nets/edges"],
            "--then names nets/edges, which knows the degradation edges; expected a net of --condition-image lowres:2",
        ),
        (["nets/noisy"], "--then names nets/noisy, which knows the degradation lowres:2+noise:0.1; expected a net of"),
        (["nets/colours"], "--then names nets/colours, which knows condition images from elsewhere; expected a net"),
        (
            ["nets/twice", "nets/finer"],
            "nets/finer is given images of 1 channel of 8 ordinal levels, and nets/twice before it draws 1 channel of "
            "4 ordinal levels",
        ),
        (
            ["nets/labels"],
            "the model must be told the label of every image, 0 to 1, by --label: it was trained without",
        ),
        (["nets/none"], "no checkpoint folder nets/none"),
    ],
)
def test_what_is_no_stage_is_said_in_a_line(folder: Path, then: list[str], message: str) -> None:
    arguments = ["--checkpoint", "runs/gray", "--height", 3, "--width", 4, "--out", "never", "--then", *then]
    done = in_process(folder, "sample/run.py", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {message}")
    assert not (folder / "never").exists()


def run(folder: Path, *arguments: object, launcher: list[str] | None = None) -> str:
    """Runs the script to its end; returns what it prints."""
    command = [sys.executable, *(launcher or []), str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_picture_is_written_row_by_row_in_its_own_size(folder: Path) -> None:
    printed = run(folder, "--height", 5000, "--width", 6, "--seed", 3, "--out", "one.png")  # tall: one by default
    assert printed == "wrote an image of 5000 rows to one.png\n"
    expected = sample(PixelRNN.from_pretrained(folder / "runs/gray"), 1, 5000, 6, seed=3)
    assert shows(folder / "one.png", expected[0], FORMAT)


def test_a_size_that_is_not_given_is_that_of_the_training_images(trained: Path) -> None:
    for arguments, size in (([], (8, 8)), (["--height", 3], (3, 8)), (["--width", 5], (8, 5))):
        done = in_process(trained, "sample/run.py", "--num", 2, *arguments, "--out", "sized.npy", "--format", "npy")
        assert done.returncode == 0, done.stderr
        assert np.load(trained / "sized.npy").shape == (2, 1, *size)


def test_other_files_of_the_folder_are_said(trained: Path) -> None:
    (trained / "many").mkdir()
    (trained / "many/00002.png").touch()
    (trained / "many/thesis.tex").touch()
    for num, others in ((3, "1 other file, too, such as thesis.tex"), (2, "2 other files, too, such as 00002.png")):
        done = in_process(trained, "sample/run.py", "--num", num, "--out", "many")
        assert f"many holds {others}" in done.stdout
    done = in_process(trained, "sample/run.py", "--num", 2, "--out", "fresh")
    assert done.stdout == "wrote 2 images to fresh\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_strip_that_is_stopped_holds_its_first_rows(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, str(SCRIPT), "--height", "10000000", "--width", "8", "--out", f"{number}/strip.png"]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        deadline = time.monotonic() + 400
        while not any(path.stat().st_size for path in (folder / str(number)).glob(".strip.png*")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        run.send_signal(number)
        printed = run.communicate(timeout=60)[0].decode()
    assert run.returncode == 128 + number
    said = re.fullmatch(rf"stopped: {number}/strip.png holds the first (\d+) of 10000000 rows\n", printed)
    assert said
    assert [path.name for path in (folder / str(number)).iterdir()] == ["strip.png"]
    rows = int(said[1])
    assert rows > 1000
    expected = sample(PixelRNN.from_pretrained(folder / "runs/gray"), 1, rows, 8)
    assert shows(folder / f"{number}/strip.png", expected[0], FORMAT)


@pytest.mark.parametrize("out", ["all.png", "all.npy", "each"])
def test_two_processes_write_the_files_of_one(folder: Path, out: str) -> None:
    arguments = ["--num", 5, "--height", 6, "--width", 7, "--format", "npy" if out == "all.npy" else "png"]
    for place, launcher in (("alone", None), ("shared", TORCHRUN)):
        assert run(folder, *arguments, "--out", f"{place}/{out}", launcher=launcher).count("wrote 5 images") == 1
    alone = {path.name: path.read_bytes() for path in (folder / "alone").rglob("*.*")}
    assert {path.name: path.read_bytes() for path in (folder / "shared").rglob("*.*")} == alone
    assert len(alone) >= (5 if out == "each" else 1)


def test_more_processes_than_images(folder: Path) -> None:
    for place, launcher in (("alone", None), ("shared", TORCHRUN)):
        run(folder, "--num", 1, "--height", 4, "--width", 4, "--out", f"few/{place}/one", launcher=launcher)
    assert (folder / "few/shared/one/00000.png").read_bytes() == (folder / "few/alone/one/00000.png").read_bytes()


def test_an_animation_draws_the_sheet_row_by_row(folder: Path) -> None:
    arguments = ["--num", 3, "--height", 9, "--width", 4, "--out", "sheet.png", "--animate", "drawing.webp"]
    assert "in 10 frames to drawing.webp" in run(folder, *arguments)
    expected = sample_sheet(sample(PixelRNN.from_pretrained(folder / "runs/gray"), 3, 9, 4), FORMAT, 16)
    with Image.open(folder / "drawing.webp") as animation:
        assert animation.n_frames == 10  # type: ignore[attr-defined]
        for shown in range(10):
            animation.seek(shown)
            frame = np.array(animation.convert("RGB"))
            cells = frame[12:-12, 12:-12]  # without the sheet's edge; a row is 24 pixels tall
            drawn = cells[: 24 * shown]
            assert np.array_equal(drawn, np.array(expected)[12:-12, 12:-12][: 24 * shown])
            assert (cells[24 * shown :, :96] == UNKNOWN_COLOUR).all()


def test_a_tall_animation_has_few_frames(folder: Path) -> None:
    run(folder, "--num", 1, "--height", 200, "--width", 4, "--out", "tall.png", "--animate", "tall.webp")
    with Image.open(folder / "tall.webp") as animation:
        assert animation.n_frames == 61  # type: ignore[attr-defined]
    assert read_image(folder / "tall.png", FORMAT).shape == (1, 200, 4)
