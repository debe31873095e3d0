"""Signals are noted, and a later one ends the process."""

from __future__ import annotations

import os
import signal
import time

import pytest

from pixelseq.runtime.signals import SIGNALS, Interrupted, Interruptions, Signals


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
