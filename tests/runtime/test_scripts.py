"""What the command lines share: errors in one line, names of options as flags, names of files to write."""

from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from pixelseq.runtime.scripts import as_flags, check_out, is_one_file, one_line_errors, parse_flags


@dataclass(frozen=True)
class Flags:
    """Two numbers."""

    number: int = 1
    """A number."""
    other_number: int = 2
    """Another."""

    def __post_init__(self) -> None:
        if self.other_number < 0:
            raise ValueError(f"`other_number` is {self.other_number}")


def test_options_that_a_message_quotes_become_flags() -> None:
    message = "leave them out with `skip_bad`, or `model.hidden`; not `Quoted` or ` spaced`"
    assert as_flags(message) == "leave them out with --skip-bad, or --model.hidden; not `Quoted` or ` spaced`"


def test_an_error_is_one_line_with_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise ValueError("`num` is\n 0")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: --num is 0\n"


def test_a_signal_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back: a process that ends leaves it changed
    with pytest.raises(SystemExit) as ended, one_line_errors():
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "ended by SIGTERM\n"


@pytest.mark.parametrize(("rank", "named"), [("1", " (process 1)"), (None, "")])
def test_an_error_names_the_process_if_there_are_several(
    rank: str | None, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    with pytest.raises(SystemExit), one_line_errors():
        raise ValueError("a mistake")
    assert capsys.readouterr().err == f"error{named}: a mistake\n"


def test_what_a_signal_finds_half_built_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class HalfBuilt:
        def __init__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        def __del__(self) -> None:
            dropped.append(True)
            raise AttributeError("position")

    dropped: list[bool] = []
    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    try:
        with one_line_errors():
            HalfBuilt()
    except SystemExit:
        pass
    gc.collect()
    assert dropped
    assert not complaints


def test_an_error_of_the_code_is_none_of_the_users() -> None:
    with pytest.raises(RuntimeError, match="ours"), one_line_errors():
        raise RuntimeError("ours")


def test_too_little_memory_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_line_errors():
        torch.zeros(2**50)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: out of memory: ")


def test_flags_that_are_not_given_keep_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_flags(Flags, []) == Flags()
    assert parse_flags(Flags, ["--number", "5"], Flags(3, 4)) == Flags(5, 4)
    with pytest.raises(SystemExit):
        parse_flags(Flags, ["--other-number", "-1"])
    assert "--other-number is -1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse_flags(Flags, ["--help"], about="What it does.")
    assert "What it does." in capsys.readouterr().out


@dataclass(frozen=True)
class Paths:
    """Flags that name paths, and one that may name something else."""

    flags: Flags
    """Other flags."""
    inputs: tuple[Path, ...] = ()
    """Paths."""
    out: Path | None = None
    """A path."""
    data: str = ""
    """A name."""


def test_in_paths_of_any_flag_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    given = parse_flags(Paths, ["--inputs", "~/a", "b", "--out=~/c", "--data", "~/d"])
    assert given == Paths(Flags(), (Path("/home/me/a"), Path("b")), Path("/home/me/c"), "~/d")
    assert parse_flags(Paths, []).out is None


def test_where_a_script_may_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for good in ("new.png", "new", "deep/new.png"):
        check_out(tmp_path / good)
    assert is_one_file(tmp_path / "new.png")
    assert not is_one_file(tmp_path / "new")
    for bad, message in [
        ("new.jpg", "give a .png"),
        ("folder.png", "which is a folder"),
        ("file", "which is a file"),
        ("file/new", "is a file"),
    ]:
        with pytest.raises(ValueError, match=f"`out` is .*{message}"):
            check_out(tmp_path / bad)
