"""Runs of a few steps that the tests of the scripts share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import in_process

from pixelseq import ModelConfig, PixelFormat, PixelRNN, sample
from pixelseq.imaging.pictures import save_png, to_picture

FEW_STEPS = [
    *("--steps", "3", "--batch-size", "8"),
    *("--model.hidden", "4", "--model.context-blocks", "0", "--model.dropout", "0"),
]
LEGEND = "#-DHMT"


@pytest.fixture(scope="session")
def few_steps() -> list[str]:
    """Flags of a training of seconds."""
    return FEW_STEPS


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of a few steps in runs/digits, and pictures of digits."""
    folder = tmp_path_factory.mktemp("trained")
    done = in_process(folder, "train/run.py", *FEW_STEPS)
    assert done.returncode == 0, done.stderr
    (folder / "last_line.json").write_text(done.stdout.splitlines()[-1])
    model = PixelRNN.from_pretrained(folder / "runs/digits")
    model.save_pretrained(folder / "shared/checkpoint")
    PixelRNN(model.config).save_pretrained(folder / "sizeless")
    for k, image in enumerate(sample(model, 2, 8, 8)):
        save_png(to_picture(image, PixelFormat(levels=17)), folder / "pictures" / f"{k}.png")
    save_png(Image.new("L", (8, 8), 255), folder / "all_known.png")
    save_png(Image.new("L", (8, 7), 255), folder / "other_size.png")
    save_png(Image.new("RGB", (8, 8)), folder / "rgb.png")
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    for name in ("cut.tif", "cut_tiles/3.tif", "cut_set/a.tif"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(folder / name, compression="tiff_lzw")
        (folder / name).write_bytes((folder / name).read_bytes()[:-40])
    for k in (0, 1, 2, *range(4, 17)):
        save_png(Image.new("L", (8, 8)), folder / "cut_tiles" / f"{k}.png")
    save_png(Image.new("L", (8, 8)), folder / "cut_set" / "b.png")
    (folder / "folder.png").mkdir()
    (folder / "folder.webp").mkdir()
    (folder / "no_pictures").mkdir()
    np.save(folder / "float.npy", np.zeros((4, 2, 2)))
    lines = [json.dumps({"tiles": [[0, k]], "ragged": [[0, 1], [0] * (k + 1)]}) for k in (1, 2, 3)]
    (folder / "maps.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model of tile maps in runs/tiles."""
    folder = tmp_path_factory.mktemp("tiles")
    config = ModelConfig(PixelFormat(1, 6, "categorical", LEGEND), hidden=4, blocks=("diagonal",))
    PixelRNN(config).save_pretrained(folder / "runs/tiles/checkpoint")
    for k, character in enumerate(LEGEND):
        save_png(Image.new("RGB", (3, 2), (40 * k, 0, 0)), folder / f"tileset/U+{ord(character):04X}.png")
    save_png(Image.new("RGB", (3, 2)), folder / "few_tiles/#.png")
    return folder


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of three classes and eight orders in runs/told, one of neither in runs/plain, pictures
    without labels, pictures of the classes in animals, those of its test alone in untrained, and in others by other
    names."""
    folder = tmp_path_factory.mktemp("told")
    config = ModelConfig(PixelFormat(1, 4), hidden=4, blocks=("diagonal",), context_blocks=0, head_features=8)
    knowing = replace(config, classes=3, class_names=("7", "cat", "dog"), orders=8, condition_dropout=0.1)
    for name, one in (("plain", config), ("told", knowing)):
        torch.manual_seed(0)
        model = PixelRNN(one)
        if model.conditioning is not None:  # an untrained one adds nothing
            for parameter in model.conditioning.parameters():
                torch.nn.init.normal_(parameter)
        model.save_pretrained(folder / "runs" / name / "checkpoint")
    for k in range(3):
        save_png(Image.new("L", (6, 4), 85 * k), folder / f"pictures/{k}.png")
    random = np.random.default_rng(0)
    for split, counts in {"train": (3, 2, 1), "test": (2, 2, 4)}.items():
        for name, count in zip(knowing.class_names, counts, strict=True):
            for k in range(count):
                values = random.integers(4, size=(4, 5 + k % 2)).astype(np.uint8) * 85
                save_png(Image.fromarray(values), folder / f"animals/{split}/{name}/{k}.png")
                if split == "test":
                    save_png(Image.fromarray(values), folder / f"others/a {name}/{k}.png")
                    save_png(Image.fromarray(values), folder / f"untrained/test/{name}/{k}.png")
    return folder
