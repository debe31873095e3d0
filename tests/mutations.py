"""Damage done to files, and what may come of reading them: a line, or what was written; nothing else.

Every test of `robustness` attacks one kind of file. In the default suite the attacks of a kind are few; behind
`-m slow` they are 25 times as many.
"""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from benchmarks.memory import peak_kib, restart_peak

MORE = 25
"""How many times more attacks the slow suite makes."""
SECONDS = 20
"""The most seconds that a file is read for."""
MIB = 256
"""The most MiB that reading a small damaged file takes."""
FEW_OR_MANY = pytest.mark.parametrize("times", [1, pytest.param(MORE, marks=pytest.mark.slow)])
NUMBERS = (b"0", b"-1", b"1e400", b"NaN", b"9" * 30, b"null", b'""', b"[]", b"{}", b"true", b"\xff" * 8, b"\0" * 8)
"""What numbers are replaced by."""


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Damages a file in one of the ways that disks, networks, editors and enemies do."""
    changed = bytearray(content)
    size = len(changed)
    start = int(random.integers(size))
    length = int(random.integers(1, max(2, min(64, size - start + 1))))
    match int(random.integers(8)):
        case 0:
            changed[start] ^= 1 << int(random.integers(8))
        case 1:
            changed[start] = int(random.integers(256))
        case 2:
            del changed[start:]  # a copy that was cut off
        case 3:
            del changed[start : start + length]
        case 4:
            changed[start:start] = changed[start : start + length]  # written twice
        case 5:
            changed[start : start + length] = bytes(len(changed[start : start + length]))  # a hole of zeros
        case 6:
            changed[start : start + length] = random.bytes(length)
        case 7:
            digits = [k for k in range(size) if 48 <= changed[k] <= 57]
            at = digits[int(random.integers(len(digits)))] if digits else start
            changed[at : at + 1] = NUMBERS[int(random.integers(len(NUMBERS)))]
    return bytes(changed)


def mutants(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Gives `count` files that differ from one, as a function of the seed."""
    random = np.random.Generator(np.random.Philox(seed))
    while count:
        if (changed := mutate(content, random)) != content:
            count -= 1
            yield changed


def attack(
    path: Path,
    count: int,
    read: Callable[[], object],
    harmless: Callable[[object], bool],
    seed: int = 0,
    begins: Callable[[int], None] = lambda _: None,
) -> tuple[int, int]:
    """Damages a file again and again and reads it each time; puts the file back in the end.

    Args:
        path: the file.
        count: the number of attacks.
        read: reads it, by the way that users do; refuses it by a ValueError of one line that names the file.
        harmless: whether what was read may be believed.
        seed: the seed of the damage.
        begins: is told the number of each attack before it is made, as `in_a_child` wants it.

    Returns:
        The number of files refused and of those read.
    """
    content = path.read_bytes()
    refused = believed = 0
    restart = restart_peak()
    try:
        for k, changed in enumerate(mutants(content, count, seed)):
            begins(k)
            path.write_bytes(changed)
            with within_seconds(f"attack {k} on {path.name}"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = read()
                except ValueError as error:
                    line = str(error)
                    assert type(error) is ValueError, f"attack {k}: {error!r}"  # noqa: PT017
                    assert "\n" not in line, f"attack {k}: {line}"
                    assert path.name in line or path.stem in line, f"attack {k}: {line}"
                    refused += 1
                else:
                    assert harmless(found), f"attack {k} was believed"
                    believed += 1
            assert peak_kib() - restart < MIB * 1024, f"attack {k} took {(peak_kib() - restart) // 1024} MiB"
    finally:
        path.write_bytes(content)
    return refused, believed


def in_a_child(run: Callable[[Callable[[int], None]], object]) -> None:
    """Makes attacks in a child process, which they may end: in pytest's own no test after them would run.

    Args:
        run: makes them; is given what it tells the number of each attack before it makes it.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, none of which is needed
        child = os.fork()
    if not child:
        try:
            with os.fdopen(writing, "w", buffering=1) as report:
                try:
                    run(lambda k: print(k, file=report))
                except BaseException as error:
                    print(f"{type(error).__name__}: {error}", file=report)
                    raise
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as report:
        said = report.read().splitlines()
    _, status = os.waitpid(child, 0)
    ended = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "a failure"
    assert status == 0, f"{ended} at attack {' '.join(line for line in said if not line.isdigit()) or said[-1]}"


@contextmanager
def within_seconds(what: str, seconds: int = SECONDS) -> Iterator[None]:
    """Fails if the block takes too long."""

    def late(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"{what} takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
