"""Checkpoint folders: equal outputs after a round trip, whole or not at all, a clear word on each kind of damage."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers import resealed, small_model

from pixelseq import PixelRNN
from pixelseq.model.checkpoint import newest
from pixelseq.runtime.files import atomic_folder


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    small_model(levels=3).float().save_pretrained(folder, card="Trained on nothing.")
    return folder


@pytest.mark.parametrize(
    "own", [{}, {"kind": "categorical", "legend": "#-o"}, {"head": "logistic_mixture"}], ids=["", "tiles", "mixture"]
)
def test_save_load_equal_outputs(tmp_path: Path, own: dict[str, object]) -> None:
    model = small_model(levels=3, channels=3, blocks=("row", "diagonal", "conv"), **own).float()
    model.save_pretrained(tmp_path / "m")
    loaded = PixelRNN.from_pretrained(tmp_path / "m")
    images = torch.randint(3, (2, 3, 4, 5))
    assert loaded.config == model.config
    assert not loaded.training
    assert torch.equal(loaded(images), model(images))
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }


def test_the_card_and_the_modes_of_files(saved: Path) -> None:
    assert "Trained on nothing." in (saved / "README.md").read_text()
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o666 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_saving_again_replaces(saved: Path) -> None:
    model = small_model(levels=5).float()
    model.save_pretrained(saved)
    assert PixelRNN.from_pretrained(saved).config.pixel_format.levels == 5
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_saving_never_replaces_what_is_more_than_a_checkpoint(tmp_path: Path, saved: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text("{}")
    for folder in (other, saved):
        (folder / "thesis.tex").write_text("years of work")
        with pytest.raises(ValueError, match="holds more than a checkpoint"):
            small_model().save_pretrained(folder)
        assert (folder / "thesis.tex").exists()
    with pytest.raises(ValueError, match="holds more than a checkpoint"):
        small_model().save_pretrained(saved / "config.json")


def test_a_failed_save_leaves_the_old_folder(saved: Path) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def save_and_fail() -> None:
        with atomic_folder(saved) as beside:
            (beside / "config.json").write_text("{")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save_and_fail()
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_a_runs_folder_is_read_through(tmp_path: Path) -> None:
    small_model(levels=3).float().save_pretrained(tmp_path / "runs" / "one" / "checkpoint")
    assert PixelRNN.from_pretrained(tmp_path / "runs" / "one").config.pixel_format.levels == 3


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    small_model(levels=3).float().save_pretrained(tmp_path / "net")
    assert PixelRNN.from_pretrained("~/net").config.pixel_format.levels == 3


def test_a_bundled_model_and_a_folder_of_its_name_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small_model(levels=3).float().save_pretrained("mnist-binary")
    with pytest.raises(ValueError, match=r"write bundled:mnist-binary or \./mnist-binary"):
        PixelRNN.from_pretrained("mnist-binary")
    for name, levels in (("./mnist-binary", 3), (Path("mnist-binary"), 3), ("bundled:mnist-binary", 2)):
        assert PixelRNN.from_pretrained(name).config.pixel_format.levels == levels


def test_newest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no trained model below"):
        newest(tmp_path)
    for age, name in enumerate(["b", "a", "c"]):
        small_model().save_pretrained(tmp_path / name / "checkpoint")
        os.utime(tmp_path / name / "checkpoint" / "config.json", (1e9 - age, 1e9 - age))
    assert newest(tmp_path) == tmp_path / "b"


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_missing_file(saved: Path, file: str) -> None:
    (saved / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"is no checkpoint: it has no {file}"):
        PixelRNN.from_pretrained(saved)


@pytest.mark.parametrize("length", [0, 5, 200, -10])
def test_truncated_weights(saved: Path, length: int) -> None:
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged or truncated"):
        PixelRNN.from_pretrained(saved)


def test_an_unknown_key_and_another_version(saved: Path) -> None:
    config = saved / "config.json"
    fields = json.loads(config.read_text())
    config.write_text(resealed(config.read_text(), colour=1))
    with pytest.raises(
        ValueError, match=r"config\.json: the configuration: these fields are unknown or missing: colour"
    ):
        PixelRNN.from_pretrained(saved)
    config.write_text(json.dumps(fields | {"format_version": 99}))
    with pytest.raises(ValueError, match=r"config\.json: the configuration has format_version 99"):
        PixelRNN.from_pretrained(saved)


def rewrite(folder: Path, weights: bytes) -> None:
    """Puts other weights into a checkpoint, with the digest that goes with them."""
    (folder / "model.safetensors").write_bytes(weights)
    config = folder / "config.json"
    config.write_text(resealed(config.read_text(), sha256=hashlib.sha256(weights).hexdigest()))


def test_weights_of_another_model(saved: Path) -> None:
    def message(weights: dict[str, torch.Tensor]) -> str:
        rewrite(saved, safetensors.torch.save(weights))
        with pytest.raises(ValueError, match="the checkpoint's") as error:
            PixelRNN.from_pretrained(saved)
        return str(error.value)

    weights = safetensors.torch.load((saved / "model.safetensors").read_bytes())
    name = "blocks.0.project.bias"
    assert f"lack {name}" in message({key: value for key, value in weights.items() if key != name})
    assert "unknown names: extra" in message(weights | {"extra": torch.zeros(1)})
    assert f"{name} is [1]; its config.json asks for [6]" in message(weights | {name: torch.zeros(1)})
    assert f"{name} has values that are not finite" in message(weights | {name: torch.full((6,), torch.nan)})


@pytest.mark.parametrize("name", ["nowhere", "./no/where", "/no/where", "a/b/c"])
def test_a_name_that_is_no_folder(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"no checkpoint folder {name}"):
        PixelRNN.from_pretrained(name)


def test_a_mistyped_path_is_not_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="no checkpoint folder runs/typo"):
        PixelRNN.from_pretrained("runs/typo")


def test_a_run_that_is_not_there_is_not_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # before any training there is no folder runs/
    with pytest.raises(FileNotFoundError, match="no checkpoint folder runs/digits"):
        PixelRNN.from_pretrained("runs/digits")


def test_a_hub_id_offline() -> None:
    with pytest.raises(FileNotFoundError, match="no folder owner/name here, and the hub did not give"):
        PixelRNN.from_pretrained("owner/name")


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_is_unpickled(tmp_path: Path, saved: Path) -> None:
    went_off = tmp_path / "went_off"
    for name in ("pytorch_model.bin", "model.pkl", "model.safetensors"):
        (saved / name).write_bytes(pickle.dumps(Bomb(went_off)))
    rewrite(saved, pickle.dumps(Bomb(went_off)))
    with pytest.raises(ValueError, match="damaged or truncated"):
        PixelRNN.from_pretrained(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"it has no model\.safetensors"):
        PixelRNN.from_pretrained(saved)
    assert not went_off.exists()
    pickle.loads((saved / "model.pkl").read_bytes())
    assert went_off.exists()  # the pickle was live


@pytest.mark.parametrize("length", [0, 5, 200, -10])
def test_truncated_weights_without_a_digest(saved: Path, length: int) -> None:
    rewrite(saved, (saved / "model.safetensors").read_bytes()[:length])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged or truncated"):
        PixelRNN.from_pretrained(saved)


def test_a_checkpoint_without_a_digest_loads_with_a_line(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = PixelRNN.from_pretrained(saved).state_dict()
    assert not caplog.messages
    fields = json.loads((saved / "config.json").read_text()) | {"format_version": 4}
    del fields["sha256"], fields["trained_on"], fields["digest"]
    (saved / "config.json").write_text(json.dumps(fields))
    found = PixelRNN.from_pretrained(saved).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    (line,) = caplog.messages
    assert "without a digest" in line


@pytest.mark.parametrize(
    "asked",
    [
        {"hidden": 20_000},
        {"pixel_format": {"channels": 1, "levels": 30_000, "kind": "ordinal", "legend": None}},
        {"blocks": ["diagonal"] * 1000},
        {"context_blocks": 1000},
        {"head_features": 60_000},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_configuration_that_is_not_the_weights_costs_no_memory(saved: Path, asked: dict[str, object]) -> None:
    (saved / "config.json").write_text(resealed((saved / "config.json").read_text(), **asked))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="the checkpoint's"):
        PixelRNN.from_pretrained(saved)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_device_and_type(saved: Path) -> None:
    model = PixelRNN.from_pretrained(saved, device="cpu", dtype=torch.float64)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    plain = PixelRNN.from_pretrained(saved)
    images = torch.randint(3, (2, 1, 4, 5))
    torch.testing.assert_close(model.nll(images).float(), plain.nll(images))
