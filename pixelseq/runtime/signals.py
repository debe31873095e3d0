"""Notes the signals that ask a process to end, or unwinds it, so that it can end well."""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import sys
import threading
import time
import weakref
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
IMPATIENCE = 5.0
"""Seconds after the first signal before another one counts: launchers pass the first on, so it may come twice."""
RETRY = 0.05
"""Seconds before an exception that was swallowed is raised again."""
LAUNCHED = ("LOCAL_RANK", "ACCELERATE_MIXED_PRECISION")
"""Environment variables that the launchers torchrun and accelerate set."""


class Interrupted(KeyboardInterrupt):
    """A signal that ends the process, raised wherever the process is."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


class Signals:
    """Notes SIGTERM and SIGINT, so that work can be saved first; another signal some seconds later ends it at once.

    Args:
        message: the text for stderr at the first signal, which says what happens next.
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
                # Not by print, which fails where the signal has interrupted another print.
                os.write(2, f"\n{self.received.name}: {self.message}\n".encode())
        elif time.monotonic() - self._since >= IMPATIENCE:
            raise Interrupted(number)


class Interruptions(Signals):
    """Has the first SIGTERM or SIGINT raise `Interrupted`, so that what is unfinished is removed.

    It may come where exceptions are swallowed: in a `__del__`, or under an `except` of all kinds. Then it is raised
    again. What it finds half built says nothing when it is dropped.

    Of a launcher's processes only the first of a machine has begun anything: others end at once, since they may be
    waiting for it where no signal can be noted.
    """

    def __enter__(self) -> Interruptions:
        super().__enter__()
        self._raised: weakref.ref[Interrupted] | None = None
        self._complain, sys.unraisablehook = sys.unraisablehook, self._say
        if os.environ.get("LOCAL_RANK", "0") != "0":
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._raised = None
        if self.received is None:  # otherwise the process ends, and drops more
            sys.unraisablehook = self._complain
        super().__exit__(kind, error, at)

    def _note(self, number: int, frame: FrameType | None) -> None:
        swallowed = self._raised is not None and self._raised() is None
        if self.received is None or swallowed:
            self.received, self._since = signal.Signals(number), time.monotonic()
            raise self._watched(Interrupted(number))
        super()._note(number, frame)

    def _watched(self, error: Interrupted) -> Interrupted:
        """Gives an exception that is noticed when it is dropped; its own frames must not hold it."""
        number = error.signal
        self._raised = weakref.ref(error, lambda _: self._swallowed(number))
        return error

    def _say(self, what: sys.UnraisableHookArgs, /) -> None:
        if self.received is None:
            self._complain(what)

    def _swallowed(self, number: signal.Signals) -> None:
        """Sends the signal once more, from a thread: what is raised right here, nobody would see."""

        def send() -> None:
            time.sleep(RETRY)
            if self._raised is None:
                return
            if sys.platform == "win32":
                _thread.interrupt_main(number)
            else:  # this ends what it waits for, too
                signal.pthread_kill(threading.main_thread().ident or 0, number)

        threading.Thread(target=send, daemon=True).start()


def end_with_launcher() -> None:
    """Has Linux send SIGTERM to this process when its launcher ends: not every launcher passes signals on."""
    if sys.platform == "linux" and any(name in os.environ for name in LAUNCHED):
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
