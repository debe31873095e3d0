"""Names of what comes with pixelseq, and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelseq.runtime.names import as_path, bundled_name


def test_a_name_that_a_path_has_too_must_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["net", "set"]
    expected = {"net": "net", "bundled:net": "net", "./net": None, "other": None}
    assert {text: bundled_name(text, names) for text in expected} == expected
    (tmp_path / "net").mkdir()
    assert {text: bundled_name(text, names) for text in list(expected)[1:]} == dict(list(expected.items())[1:])
    with pytest.raises(
        ValueError, match=r"net comes with pixelseq and is a path here, too; write bundled:net or ./net"
    ):
        bundled_name("net", names)
    with pytest.raises(ValueError, match="bundled:other does not come with pixelseq; choose from net, set"):
        bundled_name("bundled:other", names)


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert [as_path(text) for text in ("~", "~/a")] == [Path("/home/me"), Path("/home/me/a")]
    assert [as_path(text) for text in ("a/~", "~no-such-user/a")] == [Path("a/~"), Path("~no-such-user/a")]
