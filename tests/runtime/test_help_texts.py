"""Docstrings of fields as the help of flags."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass

import pytest

from pixelseq.runtime.help_texts import field_texts
from pixelseq.runtime.scripts import parse_flags


@dataclass(frozen=True)
class Inner:
    """A part."""

    depth: int = 1
    """How deep it is: a text that goes on in the next line of the source,
    which need not be a line of the help."""


@dataclass(frozen=True)
class Outer:
    """A whole."""

    name: str
    """Its name."""
    inner: Inner = field(default_factory=lambda: Inner(2))
    """Its part,
    of some depth."""
    bare: int = 0


def test_a_field_has_its_docstring_in_one_line() -> None:
    assert field_texts(Outer) == {"name": "Its name.", "inner": "Its part, of some depth."}
    made = make_dataclass("Made", [("size", int, field(default=1, metadata={"help": "A size."})), ("bare", int, 0)])
    assert field_texts(made) == {"size": "A size."}


def test_help_flows_and_defaults_are_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert parse_flags(Outer, ["--name", "a"]) == Outer("a", Inner(2), 0)
    assert parse_flags(Outer, [], Outer("b", Inner(5), 7)) == Outer("b", Inner(5), 7)
    with pytest.raises(SystemExit):
        parse_flags(Outer, [])
    assert "--name" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse_flags(Outer, ["--help"])
    assert "in the next line of the source, which need not be a line of the help." in capsys.readouterr().out
