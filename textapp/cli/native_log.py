"""The chatter of native code (TensorFlow, LiteRT), kept off the terminal until it matters."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from textapp.errors import InputError


@contextlib.contextmanager
def native_log_hidden() -> Iterator[None]:
    """Sends what native code writes to file descriptor 2 into a temporary file; Python's `sys.stderr` stays.

    TensorFlow and its converter print dozens of lines that no setting silences, before any error of ours. They are
    printed after all when the command ends with an unexpected error, since then they may hold the cause.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    python_stderr = sys.stderr
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        sys.stderr = os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
        try:
            yield
        except (InputError, SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            log.seek(0)
            os.write(terminal, log.read()[-20_000:])
            raise
        finally:
            sys.stderr.close()
            sys.stderr = python_stderr
            os.dup2(terminal, 2)
            os.close(terminal)
