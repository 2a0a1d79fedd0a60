"""Signals that stop a command: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed)."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

from textapp.files import delete_unfinished

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_AGAIN = getattr(signal, "SIGALRM", None)
_SECONDS = 0.3  # until an exception that was lost is raised again


class StopSignals:
    """Ends a block of code at the first signal by an exception, and the process at the second signal.

    The exception, `KeyboardInterrupt` or `SystemExit`, lets the block delete its temporary files. It may be raised in a
    destructor or in a callback from native code, which lose it. Then it is raised again. Whatever the block did after
    the signal, it ends with `SystemExit` and the exit code 128 + signal.

    The second signal deletes temporary files and ends the process at once. A thread does this, because Python calls no
    handler of signals while native code runs, such as TensorFlow's converter.

    A signal that the caller ignores (`nohup`) stays ignored.

    Attributes:
        received: The first signal; None if there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._raised: list[BaseException] = []
        self._has_ended = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._stop)
        if _AGAIN is not None:
            self._handlers[_AGAIN] = signal.signal(_AGAIN, self._stop_again)
        # Python writes the number of each signal to a socket as soon as it arrives.
        self._read, self._written = socket.socketpair()
        self._written.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        self._unraisable = sys.unraisablehook
        sys.unraisablehook = self._show_unraisable
        self._thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._has_ended = True
        signal.set_wakeup_fd(self._wakeup)
        self._written.close()
        self._thread.join()
        self._read.close()
        for number, handler in self._handlers.items():
            # After a stop, Python only ends: the next signal ends the process, without an exception in the middle.
            signal.signal(number, signal.SIG_DFL if self.received is not None and number != _AGAIN else handler)
        sys.unraisablehook = self._unraisable
        if self.received is not None:
            logging.disable()  # TensorFlow's destructors log that the work was not finished
            raise SystemExit(128 + self.received) from None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal. The second one is handled by the thread."""
        del frame
        if self.received is None:
            self.received = number
            if not self._has_ended:
                self._raise()

    def _stop_again(self, number: int, frame: FrameType | None) -> None:
        """Raises the exception again, unless the block is being left by it."""
        del number, frame
        error = sys.exc_info()[1]
        while error is not None and error not in self._raised:
            error = error.__context__
        if error is None and not self._has_ended:
            self._raise()

    def _raise(self) -> NoReturn:
        """Raises the exception of the first signal."""
        assert self.received is not None
        self._raised.append(KeyboardInterrupt() if self.received == signal.SIGINT else SystemExit(128 + self.received))
        raise self._raised[-1]

    def _watch(self, main: int) -> None:
        """Counts signals until the block has ended, and wakes the main thread again and again after the first."""
        count = 0
        while True:
            self._read.settimeout(_SECONDS if count else None)
            try:
                numbers = self._read.recv(64)
            except TimeoutError:
                if _AGAIN is not None:
                    signal.pthread_kill(main, _AGAIN)
                continue
            if not numbers:
                return
            count += sum(number in self._handlers and number != _AGAIN for number in numbers)
            if count > 1:
                _end(128 + (self.received or numbers[-1]))

    def _show_unraisable(self, unraisable: Any) -> None:
        """Shows an exception that a destructor has lost, unless it is one of a signal, which is raised again."""
        if unraisable.exc_value not in self._raised:
            self._unraisable(unraisable)


def _end(code: int) -> NoReturn:
    """Ends the process and its workers at once, without temporary files left."""
    with contextlib.suppress(OSError):
        delete_unfinished()
    if "multiprocessing" in sys.modules:
        for process in sys.modules["multiprocessing"].active_children():
            process.kill()
    os._exit(code)
