"""Signals that ask a process to end, noted so that it can end well."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
IMPATIENCE = 5.0
"""Seconds after the first signal from which another one is meant as such; sooner ones are the first, passed on."""
LAUNCHED = ("LOCAL_RANK", "ACCELERATE_MIXED_PRECISION")
"""Variables that launchers set: torchrun and accelerate."""


class Signals:
    """Notes SIGTERM and SIGINT, so that what has been done can be kept first; one some seconds later ends it at once.

    Args:
        message: what is being done about the first one, for stderr.
    """

    def __init__(self, message: str | None = None) -> None:
        self.message = message
        self.received: signal.Signals | None = None

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self._since = signal.Signals(number), time.monotonic()
            if self.message is not None:
                # Not print, which fails where the signal has interrupted another one.
                os.write(2, f"\n{self.received.name}: {self.message}\n".encode())
        elif time.monotonic() - self._since >= IMPATIENCE:
            raise KeyboardInterrupt


def end_with_launcher() -> None:
    """Has Linux send SIGTERM to this process when its launcher ends, however it does: not all pass signals on."""
    if sys.platform == "linux" and any(name in os.environ for name in LAUNCHED):
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
