"""Signals are noted, and a later one ends the process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from pixelseq.runtime.signals import SIGNALS, Interrupted, Interruptions, Signals


@pytest.fixture(autouse=True)
def _hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back: a process that ends leaves it changed


def test_a_signal_is_noted_and_one_seconds_later_interrupts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Signals("saving") as signals:
        assert signals.received is None
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):  # passed on by a launcher, too
            os.kill(os.getpid(), number)
            assert signals.received is signal.SIGTERM
        assert capfd.readouterr().err == "\nSIGTERM: saving\n"
        later = time.monotonic() + 5
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with pytest.raises(Interrupted, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_unwinds_a_process_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    done: list[str] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), number)
            done.append("gone on")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # passed on by a launcher, too
            done.append("removed")

    with pytest.raises(Interrupted, match=number.name), Interruptions():
        work()
    assert done == ["removed"]
    assert signal.getsignal(number) is before


def test_processes_that_wait_for_another_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruptions():
        assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL, signal.SIG_DFL]
    assert [signal.getsignal(number) for number in SIGNALS] == before


class SignalsWhenDropped:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def in_a_finaliser() -> None:
    SignalsWhenDropped()


def under_an_except_of_all_kinds() -> None:
    with suppress(BaseException):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("swallow", [in_a_finaliser, under_an_except_of_all_kinds])
def test_a_signal_that_is_swallowed_comes_again(swallow: Callable[[], None], capfd: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def work() -> None:
        try:
            swallow()
            done.append("swallowed")
            time.sleep(5)
            done.append("gone on")
        finally:
            time.sleep(0.2)  # a while of unwinding, in which nothing comes again
            done.append("removed")

    with pytest.raises(Interrupted, match="SIGTERM"), Interruptions():
        work()
    assert done == ["swallowed", "removed"]
    assert capfd.readouterr().err == ""


def test_what_is_swallowed_twice_comes_a_third_time() -> None:
    done: list[int] = []

    def work() -> None:
        in_a_finaliser()
        with suppress(BaseException):
            time.sleep(5)
        done.append(1)
        time.sleep(5)
        done.append(2)

    with pytest.raises(Interrupted), Interruptions():
        work()
    assert done == [1]


def test_what_nobody_sees_is_said_as_before_without_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Complains:
        def __del__(self) -> None:
            raise AttributeError("position")

    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    before = sys.unraisablehook
    with Interruptions():
        Complains()
    assert len(said) == 1
    assert sys.unraisablehook is before
