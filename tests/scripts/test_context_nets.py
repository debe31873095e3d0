"""Training, evaluation, samples and completions of nets that are told images."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import Outcome, in_process

from pixelseq import Condition, PixelFormat, PixelRNN, complete
from pixelseq.data import DataOptions, load
from pixelseq.imaging.pictures import read_image
from pixelseq.model.config import ContextConfig
from pixelseq.training.conditions import told_as_learned

SMALL = ["--condition-features", "6", "--condition-blocks", "1"]
NETS = {
    "masked": ["--condition-image", "mask", "--condition-dropout", "0"],
    "both": ["--condition-image", "posterize:3+mask", "--condition", "label", "--orders", "2"],
    "strict": ["--condition-image", "posterize:3", "--condition-dropout", "0"],
}


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory, few_steps: list[str]) -> Path:
    """A folder with runs of a few steps that are told images."""
    folder = tmp_path_factory.mktemp("context")
    for out, flags in NETS.items():
        done = in_process(folder, "train/run.py", *few_steps, *SMALL, *flags, "--out", f"runs/{out}")
        assert done.returncode == 0, done.stderr
    for k, image in enumerate(list(load(DataOptions("digits")).test)[:2]):
        Image.fromarray((image[0].numpy() * 255.0 / 16).round().astype(np.uint8)).save(folder / f"{k}.png")
    return folder


def refused(done: Outcome) -> str:
    """The one line that a script says."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


def test_checkpoints_say_what_makes_condition_images(nets: Path) -> None:
    masked, both = (PixelRNN.from_pretrained(nets / "runs" / name).config for name in ("masked", "both"))
    assert masked.context == ContextConfig(PixelFormat(levels=17), 6, 1, "mask")
    assert (masked.classes, masked.condition_dropout) == (0, 0)
    assert both.context == ContextConfig(PixelFormat(levels=3), 6, 1, "posterize:3+mask")
    assert (both.classes, both.orders, both.condition_dropout) == (10, 2, 0.1)


def test_a_run_draws_what_its_net_has_learned_to_draw(nets: Path) -> None:
    drawn = {name: {path.stem for path in (nets / "runs" / name).glob("*.png")} - {"curve"} for name in NETS}
    assert drawn == {
        "masked": {"completions", "redrawn"},
        "both": {"samples", "tall", "redrawn"},
        "strict": {"redrawn"},
    }
    with Image.open(nets / "runs/strict/redrawn.png") as sheet:  # given, six drawn, the original; eight rows
        assert sheet.size == (8 * 96 + 9 * 6, 8 * 96 + 9 * 6)


@pytest.mark.parametrize("name", NETS)
def test_evaluation_degrades_as_the_run_did(name: str, nets: Path) -> None:
    done = in_process(nets, "train/evaluate.py", "--checkpoint", f"runs/{name}")
    assert done.returncode == 0, done.stderr
    expected = json.loads((nets / "runs" / name / "result.json").read_text())["test_nats_per_image"]
    assert json.loads(done.stdout.splitlines()[-1])["nats_per_image"] == pytest.approx(expected, abs=1e-3)


def test_classification_sees_condition_images(nets: Path) -> None:
    model = PixelRNN.from_pretrained(nets / "runs/both")
    assert model.conditioning is not None
    for parameter in model.conditioning.parameters():
        torch.nn.init.normal_(parameter)  # more than a few steps have learned
    model.save_pretrained(nets / "loud")
    flags = ["--data", "digits", "--on", "test", "--classify", "uniform", "--per-image", "said.csv"]
    done = in_process(nets, "train/evaluate.py", "--checkpoint", "loud", *flags)
    assert done.returncode == 0, done.stderr
    with (nets / "said.csv").open() as file:
        said = list(csv.DictReader(file))
    data = load(DataOptions("digits"))
    test, _ = told_as_learned(data.test, data.class_names, model.config, DataOptions("digits"))
    for k in (0, 100, 249):
        image, known = (part.expand(10, *part.shape) for part in test.degraded(k))
        told = Condition(label=torch.arange(10), image=image, image_known=known)
        p = model.log_prob(test[k].expand(10, 1, 8, 8), told).softmax(0)
        assert float(said[k]["p"]) == pytest.approx(p.max().item(), abs=1e-5)
        untold = model.log_prob(test[k].expand(10, 1, 8, 8), Condition(label=torch.arange(10))).softmax(0)
        assert untold.max().item() != pytest.approx(p.max().item(), abs=1e-5)


def test_a_net_of_masks_completes_by_what_is_known(nets: Path) -> None:
    box, out = ["--box", "1,2,4,3"], ["--num", "3", "--out", "done"]
    done = in_process(
        nets, "sample/complete.py", "--checkpoint", "runs/masked", "--image", "0.png", "1.png", *box, *out
    )
    assert done.returncode == 0, done.stderr
    assert "the model is told all that is known, on all sides, before it draws" in done.stdout
    assert "have no influence" not in done.stdout
    model = PixelRNN.from_pretrained(nets / "runs/masked")
    known = torch.ones(8, 8, dtype=torch.bool)
    known[1:5, 2:5] = False
    images = torch.stack([read_image(nets / f"{k}.png", model.config.pixel_format) for k in range(2)])
    told = Condition(image=images, image_known=known.expand(2, -1, -1))
    expected = complete(model, images, known, 3, condition=told)
    for k in range(2):
        for n in range(3):
            found = read_image(nets / f"done/{k}-{n}.png", model.config.pixel_format)
            assert torch.equal(found.long(), expected[k, n])
    nothing = ["--known-rows", "0", "--num", "1", "--out", "all.png"]  # as now and then in training
    done = in_process(nets, "sample/complete.py", "--checkpoint", "runs/masked", "--image", "0.png", *nothing)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("sample/run.py", ["strict"]),
        ("sample/run.py", ["masked"]),
        ("sample/complete.py", ["strict", "--image", "0.png", "--known-rows", "4"]),
    ],
)
def test_a_net_that_must_be_told_images_draws_nothing_without(script: str, flags: list[str], nets: Path) -> None:
    done = in_process(nets, script, "--checkpoint", f"runs/{flags[0]}", *flags[1:], "--out", "never.png")
    assert (
        "the model must be told a condition image of every image, by Condition(image=...) or sample/redraw.py: it"
        in (done.stderr)
    )
    assert done.returncode == 2
    assert not (nets / "never.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--condition-image", "blur"],
            "--condition-image: there is no degradation 'blur'; choose from mask, lowres:F",
        ),
        (["--condition-image", "noise:1"], "--condition-image: there is no degradation 'noise:1'; choose from mask"),
        (
            ["--condition-image", "gray"],
            "--condition-image is gray: gray is for images of colours; those of 1 channel are gray already",
        ),
        (["--condition-image", "mask", "--condition-features", "0"], "--condition-features is 0; it must be from 1 to"),
        (
            ["--condition-image", "mask", "--condition-blocks", "9999"],
            "--condition-blocks is 9999; it must be from 0 to",
        ),
        (["--condition-blocks", "2"], "--condition-blocks is 2; it needs --condition-image"),
    ],
)
def test_what_a_run_cannot_be_conditioned_on(flags: list[str], message: str, nets: Path) -> None:
    assert refused(in_process(nets, "train/run.py", *flags, "--out", "never")).startswith(message)
    assert not (nets / "never").exists()
