"""Files that appear whole or not at all, leftovers and locks."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from pixelseq.runtime.files import LOCK, atomic_folder, locked, remove_abandoned, remove_damaged, remove_leftovers


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".step_1.0123abcd.tmp").mkdir()
    (tmp_path / ".step_1.0123abcd.tmp/part").write_text("")
    (tmp_path / ".metrics.jsonl.4567ef89.tmp").write_text("")
    (tmp_path / "kept").write_text("")
    for name in (".moved.89abcdef.old", ".replaced.89abcdef.old", "replaced"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "from").write_text(name)
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "moved", "replaced"]
    assert (tmp_path / "replaced/from").read_text() == "replaced"


def test_files_of_the_user_stay(tmp_path: Path) -> None:
    names = {".notes.tmp", ".bashrc.old", "config.bak", ".a.ab.tmp", ".b.0123abcg.old", "c.0123abcd.tmp"}
    for name in names:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".cache.tmp").mkdir()
    remove_leftovers(tmp_path)
    remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names, ".cache.tmp"}


def test_a_folder_that_another_process_has_written_meanwhile_stays(tmp_path: Path) -> None:
    for replace, expected in ((False, "theirs"), (True, "ours")):
        with atomic_folder(tmp_path / "folder", replace) as beside:
            (beside / "from").write_text("ours")
            with atomic_folder(tmp_path / "folder") as theirs:
                (theirs / "from").write_text("theirs")
        assert [path.name for path in tmp_path.iterdir()] == ["folder"]
        assert (tmp_path / "folder/from").read_text() == expected


def test_a_lock_is_held_by_one_process_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run/lock"
    code = "import sys; from pathlib import Path; from pixelseq.runtime.files import locked\n"
    code += "with locked(Path(sys.argv[1])): print(flush=True); input()"
    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ValueError, match=r"another process is at work in .*/run"), locked(path):
            pass
        holder.kill()
    for _ in range(2):
        with locked(path):
            pass


def test_without_locks_it_is_said_and_without_permission_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[OSError] = [OSError(errno.ENOLCK, "No locks available"), PermissionError("not allowed")]

    def fail(_: object) -> None:
        raise failures.pop(0)

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    with locked(tmp_path / "lock"):
        pass
    assert f"cannot be locked: [Errno {errno.ENOLCK}] No locks available; start no other process" in caplog.text
    with pytest.raises(PermissionError, match="not allowed"), locked(tmp_path / "lock"):
        pass


def test_a_damaged_folder_goes_unless_a_sound_one_has_taken_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for damaged, left in ((True, False), (False, True)):
        folder.mkdir()
        (folder / "file").touch()
        remove_damaged(folder, lambda _, damaged=damaged: damaged)  # type: ignore[misc]
        assert folder.exists() == left
    remove_damaged(tmp_path / "none", lambda _: True)
    assert {path.name for path in tmp_path.iterdir()} <= {"folder", LOCK}
