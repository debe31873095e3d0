"""sample/redraw.py: images are drawn given pictures as they are, or what training would leave of them."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import shows
from PIL import Image
from running import ENVIRONMENT, ROOT, Outcome, in_own_process, in_process
from torch import Tensor

from pixelseq import Condition, ModelConfig, PixelFormat, PixelRNN, SamplingOptions, complete, sample
from pixelseq.data.degradations import Degradation
from pixelseq.data.plain_methods import plainly_restored
from pixelseq.data.store import DEGRADED_ONCE, generator
from pixelseq.imaging.levels import shades
from pixelseq.imaging.measures import ssim
from pixelseq.imaging.pictures import read_image, redrawn_sheet, save_png, to_picture
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.condition import spread
from pixelseq.model.config import ContextConfig
from pixelseq.model.trained_on import TrainedOn

RGB = PixelFormat(3, 4)
DEGRADATIONS = [
    "lowres:2",
    "gray",
    "edges",
    "noise:0.2",
    "posterize:2",
    "gray+posterize:2",
    "lowres:3+noise:0.1",
    "mask",
]
SIZES = [(6, 8), (9, 5), (9, 5)]
"""Rows and columns of the pictures in `originals`."""


def net(degradation: str, pixel_format: PixelFormat = RGB, **fields: object) -> PixelRNN:
    """An untrained net whose condition images have an influence."""
    given = Degradation.parse(degradation).format_of(pixel_format) if degradation else pixel_format
    context = ContextConfig(given, 4, 1, degradation)
    config = ModelConfig(pixel_format, hidden=3, blocks=("diagonal",), context_blocks=0, head_features=6)
    torch.manual_seed(0)
    model = PixelRNN(replace(config, context=context, **fields))  # type: ignore[arg-type]
    assert model.conditioning is not None
    for parameter in model.conditioning.parameters():
        torch.nn.init.normal_(parameter)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a net of each degradation in nets, and pictures of its levels in originals."""
    folder = tmp_path_factory.mktemp("redrawn")
    for degradation in DEGRADATIONS:
        dropout = 0.1 if degradation in ("posterize:2", "mask") else 0.0
        net(degradation, condition_dropout=dropout).save_pretrained(folder / "nets" / degradation)
    net("lowres:2", classes=2, class_names=("cat", "dog"), orders=2).save_pretrained(folder / "nets/told")
    net("").save_pretrained(folder / "nets/elsewhere")
    net("noise:0.2", PixelFormat(1, 3, "categorical")).save_pretrained(folder / "nets/tiles")
    resizing = net("lowres:2", PixelFormat(1, 2))
    resized = Preprocessing(resize=(4, 6), binarize=True)
    resizing.trained_on = TrainedOn("pictures", (4, 6), (4, 6), (4, 6), resized)
    resizing.save_pretrained(folder / "nets/resizing")
    PixelRNN(ModelConfig(RGB, hidden=3, blocks=("diagonal",))).save_pretrained(folder / "nets/plain")
    random = torch.Generator().manual_seed(1)
    for k, size in enumerate(SIZES):
        image = torch.randint(4, (3, *size), generator=random)
        save_png(to_picture(image, RGB), folder / f"originals/{k}.png")
    save_png(Image.new("RGB", (4, 2), (1, 2, 3)), folder / "one/a.png")
    (folder / "one/notes.txt").write_text("notes")
    (folder / "empty").mkdir()
    (folder / "broken.png").write_text("no picture")
    return folder


def redraw(folder: Path, model: str, *arguments: object) -> Outcome:
    done = in_process(folder, "sample/redraw.py", "--checkpoint", f"nets/{model}", "--image", *arguments)
    assert done.returncode == 0, done.stderr
    return done


def model_of(folder: Path, name: str) -> tuple[PixelRNN, ContextConfig]:
    model = PixelRNN.from_pretrained(folder / "nets" / name)
    assert model.config.context is not None
    return model, model.config.context


@pytest.mark.parametrize("degradation", [*DEGRADATIONS[:-1], "elsewhere"])
def test_pictures_are_given_as_they_are(folder: Path, degradation: str) -> None:
    model, context = model_of(folder, degradation)
    factor = 2 if degradation == "lowres:2" else 1
    done = redraw(folder, degradation, "originals", "--num", 2, "--seed", 3, "--out", f"given/{degradation}")
    assert done.stdout == f"wrote 2 images of each of 3 pictures to given/{degradation}\n"
    given = [spread(read_image(folder / f"originals/{k}.png", context.pixel_format), factor) for k in range(3)]
    assert [tuple(image.shape[1:]) for image in given] == [(factor * height, factor * width) for height, width in SIZES]
    drawn = [sample_given(model, image, 2 * k) for k, image in enumerate(given)]
    assert not torch.equal(drawn[0], sample_given(model, torch.zeros_like(given[0]), 0))
    for k, images in enumerate(drawn):
        for n, image in enumerate(images):
            assert shows(folder / f"given/{degradation}/{k}-{n}.png", image, RGB)
    known = [torch.ones_like(image[0], dtype=torch.bool) for image in given]
    sheet = redrawn_sheet(given, known, context.pixel_format, drawn, [None] * 3, RGB)
    with Image.open(folder / f"given/{degradation}/sheet.png") as picture:
        assert np.array_equal(np.array(picture), np.array(sheet))


def sample_given(model: PixelRNN, given: Tensor, first_index: int) -> Tensor:
    told = Condition(image=given[None])
    return sample(model, 2, *given.shape[1:], seed=3, condition=told, first_index=first_index)


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_pictures_are_degraded_and_measured_as_by_hand(folder: Path, degradation: str) -> None:
    model, context = model_of(folder, degradation)
    out = f"like/{degradation}"
    done = redraw(folder, degradation, "originals", "--num", 2, "--seed", 3, "--like-training", "--out", out)
    wrote, *lines, mean, last = done.stdout.splitlines()
    result = json.loads(last)
    assert wrote == f"wrote 2 images of each of 3 pictures to {out}"
    assert [line.partition(": ")[0] for line in lines] == [f"originals/{k}.png" for k in range(3)]
    assert mean.startswith(f"mean of 3: {result['nats']:.2f} nats, {result['bits_per_dim']:.4f} bits/dim; ")
    nats, untold, values, own, means, plain = [], 0.0, 0, [], [], []
    for k in range(3):
        original = read_image(folder / f"originals/{k}.png", RGB)
        image, known = Degradation.parse(degradation)(original, RGB, generator(3, 0, k, DEGRADED_ONCE))
        told = Condition(image=image[None], image_known=known[None])
        if degradation == "mask":
            drawn = complete(model, original[None], known, 2, seed=3, first_index=2 * k)[0]
        else:
            drawn = sample(model, 2, *SIZES[k], seed=3, condition=told, first_index=2 * k)
        for n, one in enumerate(drawn):
            assert shows(folder / out / f"{k}-{n}.png", one, RGB)
        nats.append(-model.log_prob(original[None], told).item())
        if model.config.condition_dropout:
            untold -= model.log_prob(original[None]).item()
        values += original.numel()
        target = shades(4)[original.long()].numpy()
        own += [likeness_of(shades(4)[one.long()].numpy(), target) for one in drawn]
        means.append(likeness_of(shades(4)[drawn].float().mean(0).round().numpy().astype(np.uint8), target))
        made = plainly_restored(degradation, image, known, context.pixel_format, original, RGB)
        if made is not None:
            plain.append(likeness_of(made[1], target))
            assert f"; {made[0]}: PSNR {psnr(plain[-1:]):.2f} dB, SSIM {plain[-1][1]:.4f}" in lines[k]
            assert result["plain"] == made[0]
    assert result["nats"] == pytest.approx(sum(nats) / 3, rel=1e-5)
    assert result["bits_per_dim"] == pytest.approx(sum(nats) / math.log(2) / values, rel=1e-5)
    expected = pytest.approx(untold / math.log(2) / values, rel=1e-5) if untold else None
    assert result["untold_bits_per_dim"] == expected
    assert (
        f"; untold {result['untold_bits_per_dim']:.4f} bits/dim; drawn: PSNR" in mean
        if untold
        else "untold" not in mean
    )
    assert result["mean_psnr"] == pytest.approx(psnr(means))
    assert result["mean_ssim"] == pytest.approx(np.mean([one for _, one in means]))
    assert result["psnr"] == pytest.approx(psnr(own))
    assert result["ssim"] == pytest.approx(np.mean([one for _, one in own]))
    if plain:
        assert result["plain_psnr"] == pytest.approx(psnr(plain))
        assert result["plain_ssim"] == pytest.approx(np.mean([one for _, one in plain]))
    else:
        assert result["plain_psnr"] is result["plain_ssim"] is None
    assert (result["plain"] is None) == (degradation == "edges")
    assert result["images"] == 3
    assert result["seconds"] > 0


def likeness_of(picture: np.ndarray, original: np.ndarray) -> tuple[float, float | None]:
    """The mean squared error, and SSIM."""
    return float(((picture.astype(float) - original) ** 2).mean()), ssim(picture, original)


def psnr(several: list[tuple[float, float | None]]) -> float:
    """The PSNR of the mean error."""
    return 10 * math.log10(255**2 / np.mean([error for error, _ in several]))


def test_a_net_of_masks_completes_pictures(folder: Path) -> None:
    arguments = ["--checkpoint", "nets/mask", "--image", "originals", "--known-rows", 3, "--num", 2, "--out", "whole"]
    done = in_process(folder, "sample/complete.py", *arguments)
    assert done.returncode == 0, done.stderr
    model, _ = model_of(folder, "mask")
    original = read_image(folder / "originals/0.png", RGB)
    known = (torch.arange(6) < 3)[:, None].expand(6, 8)
    for n, image in enumerate(complete(model, original[None], known, num=2)[0]):
        assert torch.equal(read_image(folder / f"whole/0-{n}.png", RGB).long(), image.long())


def test_one_image_of_one_picture_is_written_in_its_own_size(folder: Path) -> None:
    model, _ = model_of(folder, "lowres:2")
    given = spread(read_image(folder / "originals/0.png", RGB), 2)[None]
    done = redraw(folder, "lowres:2", "originals/0.png", "--num", 1, "--as-given", "--out", "one.png")
    assert done.stdout == "wrote an image of 12 rows to one.png\n"
    assert shows(folder / "one.png", sample(model, 1, 12, 16, condition=Condition(image=given))[0], RGB)
    redraw(folder, "lowres:2", "originals/0.png", "--num", 1, "--like-training", "--out", "sheet.png")
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (3 * (8 * 16 + 8) + 8, 6 * 16 + 16)  # given, drawn, original


def test_labels_orders_and_how_levels_are_drawn(folder: Path) -> None:
    model, _ = model_of(folder, "told")
    given = spread(read_image(folder / "originals/0.png", RGB), 2)[None]
    flags = ["--order", 1, "--temperature", 0.5, "--label", "dog", "--out", "dog.png"]
    done = redraw(folder, "told", "originals/0.png", "--num", 1, *flags)
    assert done.stdout == "wrote 1 images of each of 1 pictures to dog.png\n"
    told = Condition(torch.tensor([1]), image=given)
    options = SamplingOptions(temperature=0.5)
    assert shows(folder / "dog.png", sample(model, 1, 12, 16, 0, options, condition=told, order=1)[0], RGB)
    redraw(folder, "told", "originals", "--num", 1, "--label", "dog", "cat", "--out", "labels")
    given = spread(read_image(folder / "originals/1.png", RGB), 2)[None]
    told = Condition(torch.tensor([0]), image=given)
    assert shows(folder / "labels/1-0.png", sample(model, 1, 18, 10, condition=told, first_index=1)[0], RGB)


def test_levels_without_an_order_have_likelihoods_alone(folder: Path) -> None:
    tiles = PixelFormat(1, 3, "categorical")
    save_png(to_picture(torch.tensor([[[0, 1, 2], [2, 1, 0]]]), tiles), folder / "tiles.png")
    done = redraw(folder, "tiles", "tiles.png", "--like-training", "--out", "tiles")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["bits_per_dim"] == pytest.approx(result["nats"] / math.log(2) / 6)
    assert [result[name] for name in ("psnr", "ssim", "plain_psnr", "plain_ssim", "plain")] == [None] * 5
    assert "PSNR" not in done.stdout


def test_pictures_are_prepared_as_in_training(folder: Path) -> None:
    done = redraw(folder, "resizing", "originals/1.png", "--num", 2, "--like-training", "--out", "resized")
    assert done.stdout.splitlines()[:2] == [
        "pictures are resized to 4x6, as in training",
        "in training shades were drawn as black or white; here each is the nearer one",
    ]
    with Image.open(folder / "resized/1-0.png") as picture:
        assert picture.size == (6, 4)
    done = redraw(folder, "resizing", "originals/1.png", "--num", 2, "--out", "resized")
    assert "originals/1.png: 18x10 (rows x columns) is quite another size than the model was trained on: 4x6" in (
        done.stdout.splitlines()
    )
    with Image.open(folder / "resized/1-0.png") as picture:
        assert picture.size == (10, 18)


def test_what_is_no_picture_is_said(folder: Path) -> None:
    done = redraw(folder, "gray", "one", "--num", 1, "--out", "said")
    assert done.stdout.splitlines() == [
        "one: left out what is no picture: 1 .txt",
        "wrote 1 images of each of 1 pictures to said",
    ]
    assert {path.name for path in (folder / "said").iterdir()} == {"sheet.png", "a-0.png"}


MISTAKES = {
    "both": (
        ["gray", "one/a.png", "--as-given", "--like-training"],
        "--as-given and --like-training exclude each other; give one of them",
    ),
    "no-context": (
        ["plain", "one/a.png"],
        "the model knows no condition images; train one with --condition-image",
    ),
    "no-degradation": (
        ["elsewhere", "one/a.png", "--like-training"],
        "--like-training is given, and the model's condition images came from elsewhere: no degradation makes them of "
        "originals",
    ),
    "mask": (
        ["mask", "one/a.png"],
        "the model was trained on the degradation mask, and pictures do not say what is missing of them; use "
        "sample/complete.py, or --like-training",
    ),
    "colours": (
        ["tiles", "one/a.png"],
        "one/a.png has colours that no level has, such as #010203; use those of the model's own pictures",
    ),
    "no-file": (["gray", "one/b.png"], "no file one/b.png"),
    "nothing": (["gray"], "--image names no pictures"),
    "folder-of-none": (["gray", "empty"], "the folder empty holds no pictures (.avif, .bmp, .gif, .jfif, .jp2, .jpe, "),
    "broken": (["gray", "broken.png"], "broken.png is no picture that can be read"),
    "num": (["gray", "one/a.png", "--num", "0"], "--num is 0; it must be a whole number of at least 1"),
    "max-pixels": (
        ["lowres:2", "one/a.png", "--max-pixels", "31"],
        "one/a.png: 2 times as large it has 32 pixels; --max-pixels allows 31",
    ),
    "out-is-read": (["gray", "broken.png", "--out", "broken.png"], "--out is broken.png, which is read; give another"),
    "out-is-there": (["gray", "one", "--out", "one"], "--out is one, where the pictures are; give another folder"),
    "same-names": (
        ["gray", "one/a.png", "one", "--out", "new"],
        "drawn images are named after images, and these have one name: one/a.png, one/a.png",
    ),
    "label-needed": (
        ["told", "one/a.png"],
        "the model must be told the label of every image, 0 to 1, by --label: it was trained without condition_dropout",
    ),
    "labels": (
        ["told", "one/a.png", "--label", "cat", "dog"],
        "--label gives 2 classes for 1 images; give one, or one for each image",
    ),
    "guidance": (
        ["gray", "one/a.png", "--guidance", "1"],
        "--guidance is 1.0; the model was trained without condition_dropout and does not know images that are told "
        "nothing",
    ),
    "order": (["gray", "one/a.png", "--order", "1"], "--order is 1; the model has learned order 0 alone"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_line(folder: Path, name: str) -> None:
    (model, *arguments), message = MISTAKES[name]
    run = in_own_process if name == "mask" else in_process
    before = sorted(folder.rglob("*"))
    done = run(folder, "sample/redraw.py", "--checkpoint", f"nets/{model}", "--image", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {message}")
    assert sorted(folder.rglob("*")) == before


def test_a_package_that_is_missing_is_named_before_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    arguments = ["--image", "originals/0.png", "--like-training", "--out", "never.png"]
    done = in_process(folder, "sample/redraw.py", "--checkpoint", "nets/gray", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: measures need the package scikit-image (")
    assert not (folder / "never.png").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell the memory of a process")
def test_the_memory_of_a_strip_does_not_grow_with_its_height(folder: Path) -> None:
    """But for a few bytes per value of the picture that is given, which lies in memory."""
    peaks = {}
    for rows in (1000, 20_000):
        values = np.random.default_rng(0).integers(256, size=(rows, 64, 3)).astype(np.uint8)
        Image.fromarray(values).save(folder / f"{rows}.png")
        arguments = ["--checkpoint", "nets/noise:0.2", "--image", f"{rows}.png", "--num", "1", "--out", f"s{rows}.png"]
        command = [sys.executable, str(ROOT / "sample/redraw.py"), *arguments]
        with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as run:
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        assert run.returncode == 0
        with Image.open(folder / f"s{rows}.png") as picture:
            assert picture.size == (64, rows)
        peaks[rows] = usage.ru_maxrss / 2**10  # MiB
    assert peaks[20_000] - peaks[1000] < 60
