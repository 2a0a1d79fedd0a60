"""The log of native libraries (TensorFlow, Keras, LiteRT): hidden, and shown only when a command fails unexpectedly."""

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import IO, TextIO

from textapp.cli.explanation import explanation
from textapp.cli.output import say

_is_hidden = False


@contextlib.contextmanager
def native_log_hidden() -> Iterator[None]:
    """Redirects Python's warnings, and the output of native code on file descriptor 2, to a temporary file.

    TensorFlow and its converter print dozens of lines that no setting silences. The file is printed if the block ends
    with an unexpected error, because it may hold the cause. Text printed to Python's `sys.stderr` reaches the terminal
    at once; Python's loggers, which print there too, are off. Inside another block of this function it does nothing.
    """
    global _is_hidden
    if _is_hidden:  # file descriptor 2 is already the log, so a copy of it is not the terminal
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    python_stderr = sys.stderr
    disabled = logging.root.manager.disable
    with _log_file() as log, warnings.catch_warnings():
        os.dup2(log.fileno(), 2)
        sys.stderr = os.fdopen(
            os.dup(terminal), "w", encoding=python_stderr.encoding, errors="backslashreplace", buffering=1
        )
        logging.disable(logging.ERROR)
        warnings.showwarning = _write_warning
        _is_hidden = True
        try:
            yield
        except Exception as error:
            if explanation(error) is None:
                log.seek(0)
                os.write(terminal, log.read()[-20_000:])
            raise
        finally:
            _is_hidden = False
            logging.disable(disabled)
            sys.stderr.close()
            sys.stderr = python_stderr
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def tensorflow_started() -> Iterator[None]:
    """Like `native_log_hidden`, for a block that loads TensorFlow: a line says so, because that takes seconds."""
    if "tensorflow" not in sys.modules and importlib.util.find_spec("tensorflow") is not None:
        say("starting TensorFlow")
    with native_log_hidden():
        yield


def _log_file() -> IO[bytes]:
    """A temporary file. If no file can be made, as on a read-only disk, the log is lost."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "r+b")  # noqa: PTH123 (as TemporaryFile, for the caller to close)


def _write_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Writes a warning to file descriptor 2, the log."""
    del file, line
    os.write(2, warnings.formatwarning(message, category, filename, lineno).encode(errors="backslashreplace"))
