"""One line for each mistake, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from running import Outcome, in_own_process, in_process

COMPLETE = ["sample/complete.py", "--out", "new", "--known-rows", "4", "--image"]
SAMPLE = ["sample/run.py", "--out", "new", "--height", "8", "--width", "8"]
MISTAKES = {
    "unknown-preset": (
        ["train/run.py", "digit", "--out", "new"],
        "no preset 'digit'; choose from digits, digit_columns",
    ),
    "empty-data": (["train/run.py", "--data", "no_pictures", "--out", "new"], "no_pictures holds no images"),
    "corrupt-data": (
        ["train/run.py", "--data", "text.png", "--out", "new"],
        "no image of the 1 of text.png can be decoded: text.png: no picture that can be read: none of PNG, JPEG",
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
        "maps.jsonl, row 1: its rows are of unlike widths",
    ),
    "unknown-start": (["train/run.py", "--init-from", "runs/digit", "--out", "new"], "no checkpoint folder runs/digit"),
    "other-settings": (
        ["train/run.py", "--batch-size", "4"],
        "run with other settings: --batch-size is 4, the run has 8",
    ),
    "other-preset": (["train/run.py", "photos", "--out", "runs/digits"], "holds a run of preset digits, not photos"),
    "checkpoint-exists": (["train/run.py", "--out", "shared"], "shared already holds checkpoint, of no run"),
    "no-checkpoint": ([*SAMPLE, "--checkpoint", "runs/digit"], "no checkpoint folder runs/digit"),
    "no-size": (
        ["sample/run.py", "--checkpoint", "sizeless", "--out", "new", "--height", "8"],
        "the model does not say which size it was trained on; give --height and --width",
    ),
    "num-0": ([*SAMPLE, "--num", "0"], "--num is 0"),
    "height-0": (["sample/run.py", "--height", "0", "--width", "8", "--out", "new"], "height is 0"),
    "width-0": (["sample/run.py", "--height", "8", "--width", "0", "--out", "new"], "width is 0"),
    "width-huge": (
        ["sample/run.py", "--height", "8", "--width", f"{10**12}", "--out", "new"],
        "--width is 1000000000000",
    ),
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
        "--out is pictures/new.png, where the pictures or masks are",
    ),
    "animate-size": ([*SAMPLE, "--num", "5000", "--animate", "new.webp"], "a WebP has at most 16383 per side"),
    "no-legend": ([*SAMPLE, "--format", "txt"], "the model has no legend"),
    "no-picture": ([*COMPLETE, "text.png"], "text.png is no picture that can be read"),
    "no-file": ([*COMPLETE, "none.png"], "no file none.png"),
    "rows": ([*COMPLETE[:3], "--known-rows", "9", "--image", "pictures"], "--known-rows is 9"),
    "completions-0": ([*COMPLETE, "pictures", "--num", "0"], "num is 0"),
    "empty-folder": ([*COMPLETE, "no_pictures"], "the folder no_pictures holds no pictures"),
    "nothing-known": ([*COMPLETE[:3], "--image", "pictures"], "say what is known: one of --known-rows"),
    "nothing-unknown": (
        [*COMPLETE[:3], "--mask", "all_known.png", "--image", "pictures"],
        "pictures/0.png: nothing of it is unknown, so there is nothing to draw",
    ),
    "cut-picture": ([*COMPLETE, "pictures", "cut.tif"], "cut.tif is no picture that can be read"),
    "cut-mask": ([*COMPLETE[:3], "--mask", "cut.tif", "--image", "pictures"], "cut.tif is no picture"),
    "cut-tile": ([*SAMPLE, "--tileset", "cut_tiles"], "cut_tiles/3.tif: no picture that can be read"),
    "cut-data": (
        ["train/evaluate.py", "--data", "cut_set"],
        "1 of 2 images of cut_set are bad; leave them out with --skip-bad: a.tif: no picture that can be read",
    ),
    "mark-without-mask": ([*COMPLETE, "pictures", "--mask-unknown", "white"], "--mask-unknown is white, of masks"),
    "mask-of-none": (
        [*COMPLETE[:3], "--mask", "pictures", "--image", "rgb.png"],
        "no mask of the same name for rgb.png",
    ),
    "grow": ([*COMPLETE, "pictures", "--grow", "-1"], "--grow is -1; it must be at least 0"),
    "out-is-masks": (
        [*COMPLETE[:1], "--out", "pictures/new.png", "--mask", "pictures", "--image", "rgb.png"],
        "--out is pictures/new.png, where the pictures or masks are",
    ),
    "two-ways": ([*COMPLETE, "pictures", "--known-cols", "4"], "not --known-rows and --known-cols"),
    "columns": ([*COMPLETE[:3], "--known-cols", "9", "--image", "pictures"], "--known-cols is 9; an image has 8"),
    "box-text": ([*COMPLETE[:3], "--box", "1,2,3", "--image", "pictures"], "--box is 1,2,3; expected four whole"),
    "box-outside": ([*COMPLETE[:3], "--box", "1,2,3,7", "--image", "pictures"], "columns 2 to 8; an image is 8x8"),
    "no-alpha": ([*COMPLETE[:3], "--alpha", "--image", "pictures"], "mode L has no alpha channel"),
    "empty-mask": ([*COMPLETE[:3], "--mask", "empty.png", "--image", "pictures"], "empty.png is no picture"),
    "particles-0": ([*COMPLETE, "pictures", "--particles", "0"], "particles is 0; it must be a whole number of at"),
    "particles-tempered": (
        [*COMPLETE, "pictures", "--particles", "2", "--temperature", "0.5"],
        "particles is 2 with temperature 0.5",
    ),
    "no-images": (["sample/complete.py", "--out", "new", "--known-rows", "4", "--image"], "--image names no pictures"),
    "same-names": ([*COMPLETE, "pictures/0.png", "pictures"], "these have one name: pictures/0.png, pictures/0.png"),
    "out-is-in": (["sample/complete.py", "--out", "pictures", "--known-rows", "4", "--image", "pictures"], "--out is"),
    "sheet-is-folder": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "folder.png"], "--out is folder.png, which is a folder"),
    "out-below-file": ([*SAMPLE[:1], *SAMPLE[3:], "--out", "text.png/new"], "but text.png is a file"),
    "mask-size": (
        [*COMPLETE[:3], "--mask", "other_size.png", "--image", "pictures"],
        "the mask is 7x8 (rows x columns), an image 8x8",
    ),
}


COMPLETE_TOLD = ["sample/complete.py", "--out", "new", "--known-rows", "2", "--image", "pictures"]
TOLD = [*COMPLETE_TOLD, "--checkpoint", "runs/told"]
PLAIN = [*COMPLETE_TOLD, "--checkpoint", "runs/plain"]
CLASSIFY = ["train/evaluate.py", "--checkpoint", "runs/told", "--per-image", "new.csv", "--classify"]
MISTAKES_OF_TELLING = {
    "label-out-of-range": ([*TOLD, "--label", "3"], "--label is '3'; the model knows 7, cat, dog"),
    "label-unknown": ([*TOLD, "--label", "dog", "cow"], "--label is 'cow'; the model knows 7, cat, dog"),
    "label-for-none": ([*PLAIN, "--label", "dog"], "--label is given, and the model knows no labels"),
    "labels-too-many": (
        [*TOLD, "--label", *4 * ["dog"]],
        "--label names 4 classes for 3 images; name one, or one for each image",
    ),
    "order-beyond": ([*TOLD, "--order", "8"], "--order is 8; the model knows orders 0 to 7"),
    "order-below": ([*TOLD, "--order", "-1"], "--order is -1; the model knows orders 0 to 7"),
    "extend-text": ([*TOLD, "--extend", "above=3"], "--extend is 'above=3'; expected sides and pixels such as top=8"),
    "extend-nothing": ([*TOLD, "--extend", "top=0"], "--extend is 'top=0'; expected sides and pixels such as top=8"),
    "extend-negative": ([*TOLD, "--extend", "top=-4"], "--extend is 'top=-4'; expected sides and pixels such as"),
    "extend-huge": (
        [*TOLD, "--extend", f"left={10**12}"],
        "pictures/0.png: --extend makes 4x1000000000006 pixels (rows x columns) of 4x6; --max-pixels allows 178956970",
    ),
    "classify-without-classes": (
        ["train/evaluate.py", "--checkpoint", "runs/plain", "--data", "animals", "--classify", "uniform"],
        "--classify is uniform, and the model knows no labels; train one with --condition label",
    ),
    "classify-without-labels": (
        [*CLASSIFY, "uniform", "--data", "pictures"],
        "--classify needs labels, and the images have none",
    ),
    "classify-other-classes": (
        [*CLASSIFY, "uniform", "--data", "others"],
        "--classify needs the labels of the model, and others is scored without labels: the images are of classes a 7",
    ),
    "classify-nothing-to-count": (
        [*CLASSIFY, "counted", "--data", "untrained"],
        "--classify is counted, and there are no training images whose labels to count; take uniform",
    ),
    "order-of-one": ([*PLAIN, "--order", "1"], "--order is 1; the model has learned order 0 alone"),
}


@pytest.mark.parametrize("name", MISTAKES_OF_TELLING)
def test_a_mistake_of_telling_gives_one_line_and_writes_nothing(told: Path, name: str) -> None:
    gives_one_line(told, *MISTAKES_OF_TELLING[name], in_process)


IN_OWN_PROCESSES = ("other-settings", "num-0", "no-file")
"""One of each script; the others are called in the process of the tests, which starts none."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line_and_writes_nothing(trained: Path, name: str) -> None:
    gives_one_line(trained, *MISTAKES[name], in_own_process if name in IN_OWN_PROCESSES else in_process)


def gives_one_line(folder: Path, command: list[str], message: str, run: Callable[..., Outcome]) -> None:
    script, *arguments = command
    before = contents(folder)
    done = run(folder, script, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert contents(folder) == before


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
        ("--temperature", "-1", "--temperature is -1.0; it must be at least 0"),
        ("--top-p", "0", "--top-p is 0.0"),
        ("--stepz", "3", "Perhaps you meant"),
        ("--model.levels", "9", "Unrecognized options: --model.levels"),
    ],
)
def test_a_wrong_flag_is_explained(tmp_path: Path, flag: str, value: str, message: str) -> None:
    of_samples = flag in ("--temperature", "--top-p")
    script, sizes = ("sample/run.py", ["--height", 8, "--width", 8]) if of_samples else ("train/run.py", [])
    done = in_process(tmp_path, script, *sizes, flag, value)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
