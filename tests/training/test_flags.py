"""The flags of a training run and the boxes of its help."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pixelseq.training.flags import DECIDED, FIRST, parse_config
from pixelseq.training.presets import PRESETS


def boxes_of_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What --help shows: the text of each box, by its title."""
    monkeypatch.setenv("COLUMNS", "120")  # one box below the other
    with pytest.raises(SystemExit):
        parse_config(["--help"], PRESETS["digits"], "about")
    shown = capsys.readouterr().out
    _, *found = re.split(r"^ ((?:\w+ )*options) *\n -+ *\n", shown, flags=re.MULTILINE)
    return {title: " " + " ".join(text.split()) for title, text in zip(found[::2], found[1::2], strict=True)}


def test_the_flags_that_people_use_first_come_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = boxes_of_help(capsys, monkeypatch)
    assert list(boxes) == [
        "options",
        "advanced training options",
        "advanced images options",
        "advanced model options",
    ]
    flags = {title: re.findall(r" (--[\w.-]+)(?:,| (?=[{\[A-Z]))", text) for title, text in boxes.items()}
    assert flags["options"] == [f"--{name.replace('_', '-')}" for name in FIRST]
    assert len(FIRST) == 10
    assert {"--seed", "--stage", "--patience"} <= set(flags["advanced training options"])
    assert {"--flip", "--pixels", "--skip-bad"} <= set(flags["advanced images options"])
    assert {"--model.hidden", "--model.blocks"} <= set(flags["advanced model options"])


def test_every_field_has_one_flag_and_what_others_decide_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(boxes_of_help(capsys, monkeypatch).values())
    config = PRESETS["digits"]
    assert set(DECIDED) < {field.name for field in dataclasses.fields(config.model)}
    for part, prefix in ((config, ""), (config.images, ""), (config.model, "model.")):
        for field in dataclasses.fields(part):
            decided = part is config.model and field.name in DECIDED
            if not dataclasses.is_dataclass(getattr(part, field.name)):
                flag = f" --{prefix}{field.name.replace('_', '-')}"
                assert len(re.findall(rf"{re.escape(flag)}(?=,| [{{\[A-Z])", text)) == (0 if decided else 1), flag


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_not_given_is_as_the_preset_has_it(name: str) -> None:
    preset = PRESETS[name]
    assert parse_config([], preset) == preset
    flags = "--data my --flip --crop=3x4 --steps 7 --patience 2 --model.hidden 3 --model.blocks row conv --out a"
    expected = dataclasses.replace(
        preset,
        images=dataclasses.replace(preset.images, data="my", flip=True, crop="3x4"),
        model=dataclasses.replace(preset.model, hidden=3, blocks=("row", "conv")),
        **{"steps": 7, "patience": 2, "out": Path("a")},
    )
    assert parse_config(flags.split(), preset) == expected


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="`crop` is '32'"):
        parse_config(["--crop", "32"], PRESETS["digits"])
