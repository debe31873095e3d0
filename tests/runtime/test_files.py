"""Files that appear whole or not at all, leftovers and locks."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from filelock import FileLock

from pixelseq.runtime.files import (
    LOCK,
    atomic_folder,
    atomic_write,
    in_use,
    locked,
    remove_abandoned,
    remove_damaged,
    remove_leftovers,
)


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


def test_files_are_open_for_writing_when_they_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: a file that is open for reading is not waited for, and a folder cannot be opened."""
    flags_of: dict[int, int] = {}
    waited: list[int] = []
    plain = os.open

    def open_as_windows(path: Path, flags: int, *more: int, **named: int) -> int:
        if Path(path).is_dir() and not named:  # rmtree's folders, which Windows walks by names
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        descriptor = plain(path, flags, *more, **named)
        flags_of[descriptor] = flags
        return descriptor

    def fsync(descriptor: int) -> None:
        if not flags_of[descriptor] & os.O_RDWR:
            raise OSError(errno.EBADF, "Bad file descriptor")
        waited.append(descriptor)

    monkeypatch.setattr("pixelseq.runtime.files.os.open", open_as_windows)
    monkeypatch.setattr("pixelseq.runtime.files.os.fsync", fsync)
    with atomic_write(tmp_path / "file") as beside:
        beside.write_text("whole")
    with atomic_folder(tmp_path / "folder") as inside:
        (inside / "deep").mkdir()
        (inside / "deep/file").write_text("whole")
    monkeypatch.undo()
    assert len(waited) == 2
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/deep/file").read_text() == "whole"


def test_everything_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: fsync leaves content in the disk's own memory, from where it goes out in any order."""
    done: list[str] = []

    def named(descriptor: int) -> str:
        return re.sub(r"\.[0-9a-f]{8}", "", Path(f"/proc/self/fd/{descriptor}").resolve().name)

    def replace(path: Path, target: Path) -> None:
        done.append(f"{target.name} is named")
        os.rename(path, target)

    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("fcntl.F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr("fcntl.fcntl", lambda descriptor, command: done.append(f"{named(descriptor)} {command}"))
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr(Path, "replace", replace)
    with atomic_folder(tmp_path / "folder") as inside:
        (inside / "file").write_text("whole")
    monkeypatch.undo()
    assert done == ["file 51", ".folder.tmp 51", "folder is named", f"{tmp_path.name} 51"]


@pytest.mark.parametrize("failures", [1, 99], ids=["for-a-moment", "for-good"])
def test_a_name_that_another_program_has_open(failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: nothing can be renamed while it, or what would be replaced, is open elsewhere."""
    left = failures

    def replace(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left >= 0 and target.name in ("file", ".folder.old"):
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(target))
        os.rename(path, target)
        return target

    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/from").write_text("old")
    monkeypatch.setattr("pixelseq.runtime.files._beside", lambda path, role: path.with_name(f".{path.name}.{role}"))
    monkeypatch.setattr("pixelseq.runtime.files.PATIENCE", (0, 0))
    monkeypatch.setattr(Path, "replace", replace)
    refused = pytest.raises(PermissionError, match="cannot access") if failures > 3 else nullcontext()
    with refused, atomic_write(tmp_path / "file") as beside:
        beside.write_text("new")
    left = failures
    with refused, atomic_folder(tmp_path / "folder") as inside:
        (inside / "from").write_text("new")
    monkeypatch.undo()
    expected = "old" if failures > 3 else "new"
    assert (tmp_path / "file").read_text() == (tmp_path / "folder/from").read_text() == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_in_use_has_no_open_files_when_it_is_renamed(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "folder") as beside, in_use(beside):
        (beside / "file").write_text("whole")
        open_files = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
        assert any(path.name.endswith(".tmp.lock") for path in open_files)
        assert not any(beside in path.parents for path in open_files)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "file"]


def test_abandoned_locks_are_removed_and_young_ones_stay(tmp_path: Path) -> None:
    old, young = (tmp_path / f".folder.{digits * 8}.tmp.lock" for digits in "ab")
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_a_lock_leaves_nothing_behind_but_what_others_have_written(tmp_path: Path) -> None:
    with locked(tmp_path / "a/b/lock"):
        assert (tmp_path / "a/b/lock").exists()
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a/b/lock"):
        (tmp_path / "a/kept").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept"]
    (tmp_path / "lock").write_text("a user's")
    with locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == "a user's"


def test_an_open_lock_is_given_up_before_it_is_removed_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelseq.runtime.files.WINDOWS", True)
    done: list[str] = []
    release, unlink = FileLock.release, Path.unlink
    monkeypatch.setattr(FileLock, "release", lambda lock: (done.append("release"), release(lock)))
    monkeypatch.setattr(Path, "unlink", lambda path: (done.append("unlink"), unlink(path)))
    with locked(tmp_path / "a/lock"):
        pass
    assert done[:2] == ["release", "unlink"]
    assert not list(tmp_path.iterdir())


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
