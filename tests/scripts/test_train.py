"""Trainings of a few steps, and what they leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from running import TORCHRUN, in_own_process, in_process

from pixelseq import PixelRNN
from pixelseq.imaging.pictures import save_png
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.trained_on import TrainedOn
from pixelseq.training.metrics import read_metrics
from pixelseq.training.result import read_result


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
        assert picture.size == (8 * 102 + 6, 8 * 102 + 6)
    with Image.open(trained / "runs/digits/tall.png") as picture:
        assert picture.height == 40 * 12 + 12
    held_out = lines[0]["nats_per_image"], lines[0]["bits_per_dim"]
    expected = TrainedOn("digits", (8, 8), (8, 8), (8, 8), Preprocessing(), 3, *held_out)
    assert PixelRNN.from_pretrained(trained / "runs/digits").trained_on == expected


def test_columns_train_in_mixed_heights(tmp_path: Path, few_steps: list[str]) -> None:
    done = in_process(
        tmp_path, "train/run.py", "digit_columns", *few_steps, "--model.blocks", "conv", "--track", "tensorboard"
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {"columns_of_6_bits_per_dim", "columns_of_12_bits_per_dim"} <= result.keys()
    with Image.open(tmp_path / "runs/digit_columns/tall.png") as picture:
        assert picture.height == 96 * 10 + 10
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


def test_pictures_of_mixed_sizes_and_colours_train_in_processes_that_share_them(
    tmp_path: Path, few_steps: list[str]
) -> None:
    for k in range(12):
        picture = Image.new("RGB" if k % 2 else "L", (5 + k % 3, 4 + k), (20 * k, 0, 0) if k % 2 else 20 * k)
        save_png(picture, tmp_path / "pictures" / f"{k}.png")
    options = ["--data", "pictures", "--levels", "8", "--flip", "--batch-pixels", "150", "--model.blocks", "row"]
    done = in_process(tmp_path, "train/run.py", *few_steps, *options)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert "pictures: no validation or test images: 1 of 12 training images are held out for each" in done.stderr
    config = PixelRNN.from_pretrained(tmp_path / "runs/digits").config
    assert (config.pixel_format.channels, config.pixel_format.levels) == (3, 8)
    arguments = [*few_steps, *options, "--out", "shared"]
    shared = in_own_process(tmp_path, "train/run.py", *arguments, launcher=TORCHRUN)
    assert shared.returncode == 0, shared.stderr
    assert shared.stderr.count("no validation or test images") == 1
    (again,) = [json.loads(line) for line in shared.stdout.splitlines() if line.startswith("{")]
    assert again["test_bits_per_dim"] == pytest.approx(result["test_bits_per_dim"], abs=2e-3)


def test_grids_of_any_height_train_as_a_stream(tmp_path: Path, few_steps: list[str]) -> None:
    for split, count in (("train", 9), ("validation", 3), ("test", 3)):
        lines = [json.dumps({"tiles": [[k % 3, 1, 0]] * (1 + k)}) for k in range(count)]
        (tmp_path / f"maps/{split}.jsonl").parent.mkdir(exist_ok=True)
        (tmp_path / f"maps/{split}.jsonl").write_text("\n".join(lines))
    done = in_process(
        tmp_path, "train/run.py", *few_steps, "--data", "maps", "--streaming", "--levels", "3", "--tall-height", "9"
    )
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout.splitlines()[-1])["test_bits_per_dim"] < 3


def test_the_launcher_runs_it(tmp_path: Path, few_steps: list[str]) -> None:
    launcher = ("-m", "accelerate.commands.launch")
    done = in_own_process(tmp_path, "train/run.py", *few_steps, launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] == 3


def test_two_processes_write_one_run(tmp_path: Path, few_steps: list[str]) -> None:
    done = in_own_process(tmp_path, "train/run.py", *few_steps, launcher=TORCHRUN)
    assert done.returncode == 0, done.stderr
    (result,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert result["steps"] == 3
    assert len((tmp_path / "runs/digits/metrics.jsonl").read_text().splitlines()) == 2


def test_stages_follow_each_other(tmp_path: Path, few_steps: list[str]) -> None:
    stage = [*few_steps, "--stage-split"]
    done = in_process(tmp_path, "train/run.py", *stage, "--stage", "encoder", "--out", "first")
    assert done.returncode == 0, done.stderr
    assert PixelRNN.from_pretrained(tmp_path / "first").config.blocks == ()
    second = ["--stage", "recurrent", "--init-from", "first", "--freeze-encoder", "--out", "second"]
    done = in_process(tmp_path, "train/run.py", *stage, *second)
    assert done.returncode == 0, done.stderr
    model, first = PixelRNN.from_pretrained(tmp_path / "second"), PixelRNN.from_pretrained(tmp_path / "first")
    trained = sum(p.numel() for part in (model.blocks, model.head) for p in part.parameters())
    assert f"stage recurrent trains blocks and head: {trained} parameters" in done.stderr
    for name, parameter in first.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], parameter), name


def test_a_run_stops_by_its_targets(tmp_path: Path, few_steps: list[str]) -> None:
    for flags in (["--target-bits-per-dim", "9"], ["--target-nats", "999"], ["--minutes", "0.000001"]):
        steps = ["--steps", "1000", "--validate-every", "2", "--save-every", "1000"]
        done = in_process(tmp_path, "train/run.py", *few_steps[2:], *steps, *flags, "--out", flags[0].strip("-"))
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["steps"] == (1 if flags[0] == "--minutes" else 2)
        lines = read_metrics(tmp_path / flags[0].strip("-") / "metrics.jsonl")
        assert {line.split: line.step for line in lines} == dict.fromkeys(("train", "validation"), result["steps"])


def test_a_finished_run_goes_on_with_raised_limits(tmp_path: Path, few_steps: list[str]) -> None:
    arguments = [*few_steps, "--validate-every", 2, "--warmup", 0]
    done = in_process(tmp_path, "train/run.py", *arguments)
    assert done.returncode == 0, done.stderr
    again = in_process(tmp_path, "train/run.py")
    assert "holds the finished run: raise --steps" in again.stderr
    assert again.stdout == done.stdout

    more = in_process(tmp_path, "train/run.py", "--steps", 6)
    assert more.returncode == 0, more.stderr
    assert "going on after step 3" in more.stderr
    said = "the learning rate was planned for 3 steps and now is for 6 steps: after step 3 it is 0.0015"
    assert said in more.stderr
    assert json.loads(more.stdout.splitlines()[-1])["steps"] == 6
    folder = tmp_path / "runs/digits"
    lines = read_metrics(folder / "metrics.jsonl")
    assert [line.step for line in lines if line.split == "validation"] == [2, 3, 4, 6]
    assert read_result(folder) == json.loads(more.stdout.splitlines()[-1])
    assert in_process(tmp_path, "train/run.py").stdout.splitlines()[-1] == more.stdout.splitlines()[-1]

    less = in_process(tmp_path, "train/run.py", "--steps", 5)
    assert "the run has ended by --steps after step 6; raise it to go on" in less.stderr
    assert json.loads(less.stdout.splitlines()[-1])["steps"] == 6
    by_the_clock = in_process(tmp_path, "train/run.py", "--steps", 9, "--minutes", 0.000001)
    assert "the run has ended by --minutes after step 6" in by_the_clock.stderr  # which are over
    assert json.loads(by_the_clock.stdout.splitlines()[-1])["steps"] == 6
    assert in_process(tmp_path, "train/run.py", "--batch-size", 4).returncode == 2


def test_a_run_that_lost_patience_goes_on_with_more(tmp_path: Path, few_steps: list[str]) -> None:
    arguments = [*few_steps[2:], "--steps", 40, "--validate-every", 1, "--learning-rate", 3, "--warmup", 0]
    done = in_process(tmp_path, "train/run.py", *arguments, "--patience", 1)
    first = json.loads(done.stdout.splitlines()[-1])["steps"]
    assert first < 40
    done = in_process(tmp_path, "train/run.py", "--patience", 3)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] > first


def test_minutes_alone_plan_the_learning_rate(tmp_path: Path, few_steps: list[str]) -> None:
    done = in_process(tmp_path, "train/run.py", *few_steps[2:], "--minutes", 0.02, "--warmup", 0)
    assert done.returncode == 0, done.stderr
    assert "the learning rate is planned for 0.02 minutes; it follows the clock" in done.stderr
    settings = json.loads((tmp_path / "runs/digits/training.json").read_text())
    assert (settings["config"]["steps"], settings["config"]["minutes"]) == (None, 0.02)
    rates = [line.learning_rate for line in read_metrics(tmp_path / "runs/digits/metrics.jsonl")]
    assert rates[-1] < 3e-4  # the cosine has come to its end
    result = json.loads(done.stdout.splitlines()[-1])
    done = in_process(tmp_path, "train/run.py", "--minutes", 0.02 + result["seconds"] / 60)
    assert "was planned for 0.02 minutes and now is for " in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps"] > result["steps"]


def test_a_run_starts_from_a_whole_net(trained: Path, tmp_path: Path, few_steps: list[str]) -> None:
    done = in_process(tmp_path, "train/run.py", *few_steps[2:], "--steps", 1, "--init-from", trained / "runs/digits")
    assert done.returncode == 0, done.stderr
    assert f"taken from {trained / 'runs/digits'}: encoder, block 0, block 1, block 2, block 3, head" in done.stderr
    taken, fresh = json.loads(done.stdout.splitlines()[-1]), json.loads((trained / "last_line.json").read_text())
    assert taken["test_bits_per_dim"] < fresh["test_bits_per_dim"] + 0.01  # a step further on


def test_a_batch_that_cannot_fit_is_refused_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelseq.training.memory.total_memory", lambda _: 2**20)
    done = in_process(tmp_path, "train/run.py", "--batch-size", 32)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: to train on 32 images of 8x8 at once needs more than ")
    assert line.endswith("choose --crop, --resize, a smaller --batch-size, or more parts of it by --accumulate")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_a_bundled_name_is_not_mistaken(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = in_process(tmp_path, "train/run.py", "--data", "photos")
    assert done.returncode == 2
    assert "bundled:photos" in done.stderr
    assert "./photos" in done.stderr
    done = in_process(tmp_path, "train/run.py", "photos", "--data", "./photos")
    assert done.stderr.startswith("error: the folder photos holds no images")


def test_a_finished_run_keeps_its_result_where_it_cannot_go_on(tmp_path: Path, few_steps: list[str]) -> None:
    for k in range(12):
        save_png(Image.new("L", (5, 4), 20 * k), tmp_path / "pictures" / f"{k}.png")
    arguments = ["train/run.py", *few_steps, "--data", "pictures", "--out", "own"]
    done = in_process(tmp_path, *arguments)
    before = [(tmp_path / "own" / name).read_bytes() for name in ("result.json", "training.json")]
    save_png(Image.new("L", (5, 4), 255), tmp_path / "pictures/0.png")
    again = in_process(tmp_path, *arguments, "--steps", 5)
    assert again.returncode == 2
    assert "pictures has other images than when own was begun" in again.stderr
    assert [(tmp_path / "own" / name).read_bytes() for name in ("result.json", "training.json")] == before
    assert in_process(tmp_path, *arguments).stdout == done.stdout


def test_a_damaged_result_is_made_anew_and_damaged_metrics_are_refused_before_it_is_gone(
    tmp_path: Path, few_steps: list[str]
) -> None:
    done = in_process(tmp_path, "train/run.py", *few_steps)
    result, metrics = (tmp_path / "runs/digits" / name for name in ("result.json", "metrics.jsonl"))
    whole = result.read_text()
    result.write_text(whole.replace('"steps": 3', '"steps": 4'))
    again = in_process(tmp_path, "train/run.py")
    assert again.stderr.startswith("runs/digits/result.json is damaged or edited: it has not the digest")
    assert again.stdout == done.stdout
    assert result.read_text() == whole
    lines = metrics.read_text()
    metrics.write_text(lines.replace('"step"', '"stop"', 1))
    more = in_process(tmp_path, "train/run.py", "--steps", 4)
    assert more.returncode == 2
    assert "error: runs/digits/metrics.jsonl, line 1: step: Field required; take the line out" in more.stderr
    assert result.read_text() == whole


def test_an_encoder_that_nobody_has_trained_is_not_frozen(tmp_path: Path, tiles: Path, few_steps: list[str]) -> None:
    (tmp_path / "maps.jsonl").write_text("\n".join(json.dumps({"tiles": [[k % 5, 4], [0, 1]]}) for k in range(12)))
    start = ["--init-from", tiles / "runs/tiles", "--freeze-encoder"]
    arguments = ["--data", "maps.jsonl", "--pixels", "categorical", "--model.context-blocks", 2, *start]
    done = in_process(tmp_path, "train/run.py", *few_steps[:6], *arguments, "--model.blocks", "diagonal")
    assert done.returncode == 2
    assert "--freeze-encoder would keep pixels as nobody has trained them; taken from" in done.stderr
    assert not (tmp_path / "runs").exists()
