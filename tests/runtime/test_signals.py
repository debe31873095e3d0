"""Signals are noted, and a later one ends the process."""

from __future__ import annotations

import os
import signal
import time

import pytest

from pixelseq.runtime.signals import Signals


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
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
