"""The scripts with nets that are told labels, vectors, texts, orders and shifts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from running import Outcome, in_process
from torch import Tensor

from pixelseq import PixelRNN
from pixelseq.data import telling
from pixelseq.model import told

TEXTS = ("a dark square", "a light square", "nothing")


def encode(texts: Sequence[str]) -> Tensor:
    """A stand-in for a sentence encoder: counts of letters."""
    return torch.tensor([[text.count(letter) / 4 for letter in "adgilnt"] for text in texts])


@pytest.fixture(autouse=True)
def _encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for user in (telling, told):
        monkeypatch.setattr(user, "load_text_encoder", lambda name: encode)


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory, few_steps: list[str]) -> Path:
    """A folder with runs of a few steps that are told texts, vectors, and labels with orders."""
    folder = tmp_path_factory.mktemp("told")
    random = np.random.default_rng(0)
    rows = {
        "grid": random.integers(4, size=(24, 5, 4)).tolist(),
        "said": [TEXTS[k % 3] for k in range(24)],
        "numbers": random.normal(size=(24, 3)).tolist(),
    }
    datasets.Dataset.from_dict(rows).to_parquet(folder / "data.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "load_text_encoder", lambda name: encode)
        for out, flags in {
            "texts": [
                "--data",
                "data.parquet",
                "--condition",
                "text",
                "--text-column",
                "said",
                "--text-encoder",
                "own",
            ],
            "vectors": ["--data", "data.parquet", "--condition", "vector", "--vector-column", "numbers"],
            "labels": ["--condition", "label", "--orders", "4", "--shift", "1"],
            "strict": ["--condition", "label", "--condition-dropout", "0"],
        }.items():
            done = in_process(folder, "train/run.py", *few_steps, *flags, "--out", f"runs/{out}")
            assert done.returncode == 0, done.stderr
    return folder


def refused(done: Outcome) -> str:
    """The one line that a script says."""
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


def test_a_net_of_texts_draws_what_prompts_say(nets: Path) -> None:
    config = PixelRNN.from_pretrained(nets / "runs/texts").config
    assert (config.vector_features, config.text_encoder, config.condition_dropout) == (7, "own", 0.1)
    done = in_process(
        nets, "sample/run.py", "--checkpoint", "runs/texts", "--prompt", *TEXTS[:2], "--format", "npy", "--num", "6"
    )
    assert done.returncode == 0, done.stderr
    drawn = np.load(nets / "samples.npy")
    assert drawn.shape == (6, 1, 5, 4)
    one = in_process(
        nets, "sample/run.py", "--checkpoint", "runs/texts", "--prompt", TEXTS[0], "--format", "npy", "--num", "6"
    )
    assert one.returncode == 0, one.stderr
    same = (np.load(nets / "samples.npy") == drawn).all((1, 2, 3))
    assert same[::2].all()  # images take turns in prompts


def test_labels_have_rows_with_their_names(nets: Path) -> None:
    done = in_process(nets, "sample/run.py", "--checkpoint", "runs/labels", "--label", "all", "--out", "all.png")
    assert done.returncode == 0, done.stderr
    assert "wrote 80 images" in done.stdout
    with Image.open(nets / "all.png") as opened:
        sheet = opened.size
    done = in_process(
        nets, "sample/run.py", "--checkpoint", "runs/labels", "--label", "3", "--num", "80", "--out", "3.png"
    )
    assert done.returncode == 0, done.stderr
    with Image.open(nets / "3.png") as opened:  # 16 images in a row, not 8, and no names
        plain = opened.size
    assert plain[0] == 16 * 96 + 17 * 6
    assert 8 * 96 + 9 * 6 < sheet[0] < 8 * 96 + 9 * 6 + 60
    assert sheet[1] == 10 * 96 + 11 * 6


def test_evaluation_tells_vectors(nets: Path) -> None:
    done = in_process(nets, "train/evaluate.py", "--checkpoint", "runs/vectors")
    assert done.returncode == 0, done.stderr
    told_nats = json.loads(done.stdout.splitlines()[-1])["nats_per_image"]
    assert told_nats == pytest.approx(
        json.loads((nets / "runs/vectors/result.json").read_text())["test_nats_per_image"], abs=1e-3
    )
    done = in_process(
        nets, "train/evaluate.py", "--checkpoint", "runs/vectors", "--data", "data.parquet", "--on", "test"
    )
    assert done.returncode == 0, done.stderr
    assert "scored without vectors: the images have no vectors (--vector-column)" in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["labels", "--label", "ten"], "--label is 'ten'; the model knows 0, 1, 2"),
        (["labels", "--label", "10"], "--label is '10'; the model knows 0, 1, 2"),
        (["labels", "--order", "4"], "--order is 4; the model knows orders 0 to 3"),
        (
            ["labels", "--prompt", "three"],
            "--prompt is given, and the model knows no texts; train one with --condition text",
        ),
        (
            ["texts", "--label", "1"],
            "--label is given, and the model knows no labels; train one with --condition label",
        ),
        (["vectors", "--prompt", "three"], "--prompt is given, and the model knows no texts"),
        (["strict", "--label", "3", "--guidance", "1"], "condition_dropout"),
        (["strict"], "the model must be told the label of every image"),
        (["bundled:mnist-binary", "--label", "3"], "--label is given, and the model knows no labels"),
        (["bundled:mnist-binary", "--order", "1"], "--order is 1; the model has learned order 0 alone"),
    ],
)
def test_what_a_net_cannot_be_told(flags: list[str], message: str, nets: Path) -> None:
    net = flags[0] if ":" in flags[0] else f"runs/{flags[0]}"
    done = in_process(nets, "sample/run.py", "--checkpoint", net, *flags[1:], "--out", "never.png")
    assert message in refused(done)
    assert not (nets / "never.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "data.parquet", "--condition", "label"], "--condition is label, and data.parquet has no labels"),
        (
            ["--data", "data.parquet", "--condition", "text"],
            "--condition is text; name a column by --text-column",
        ),
        (
            ["--data", "data.parquet", "--text-column", "said"],
            "--text-column is said; choose --condition text",
        ),
        (["--condition", "vector", "--vector-column", "v"], "--vector-column is 'v', but"),
        (
            ["--data", "data.parquet", "--condition", "vector", "--vector-column", "said"],
            "expected vectors, lists of numbers",
        ),
        (
            ["--data", "data.parquet", "--streaming", "--orders", "2"],
            "--streaming is True; --condition, --condition-image, --orders",
        ),
        (["--shift", "-1"], "--shift is -1; it must be from 0 to 64"),
    ],
)
def test_what_a_run_cannot_tell(flags: list[str], message: str, nets: Path) -> None:
    done = in_process(nets, "train/run.py", *flags, "--out", "never")
    assert message in refused(done)
    assert not (nets / "never").exists()


@pytest.mark.parametrize("name", ["ACCELERATE_TORCH_DEVICE", "RANK"])
def test_an_environment_that_makes_no_sense(name: str, nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "foo")
    for script in ("sample/run.py", "train/evaluate.py"):
        assert f"{name} is 'foo' in the environment" in refused(in_process(nets, script, "--checkpoint", "runs/labels"))


def test_three_orders(nets: Path) -> None:
    done = in_process(nets, "train/run.py", "--orders", "3", "--out", "never")
    assert done.returncode == 2
    assert "invalid choice '3'" in done.stderr
