"""Runs textapp commands in child processes, disturbs them, and compares what they leave.

A child is a fork of a process that has TensorFlow loaded, which saves the seconds of loading it each time.
"""

import dataclasses
import hashlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# What equal results differ in: times, places, and whether an earlier result was replaced.
NOT_COMPARED = {
    *("seconds", "words_per_second", "tokens_per_second"),
    *("train", "valid", "test", "path", "created", "forced"),
}


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: The exit code; minus the signal's number where a signal ended the process.
        log: What it printed, stdout and stderr together.
        seconds: Wall time.
        megabytes: The largest resident memory, MB.
        disturbed: Whether it was still running when the signal was sent.
    """

    code: int
    log: str
    seconds: float
    megabytes: float
    disturbed: bool

    @property
    def is_refusal(self) -> bool:
        """One line for the user and exit code 2."""
        return self.code == 2 and "Traceback" not in self.log and self.log.count("textapp: ") == 1

    @property
    def failure(self) -> str:
        """What must never happen, in a word; empty if it did not."""
        if self.code < 0 and not self.disturbed:
            return signal.Signals(-self.code).name
        if "Traceback" in self.log:
            return "traceback"
        return "" if self.code in (0, 2) or self.disturbed else f"exit {self.code}"


def preload() -> None:
    """Loads what the commands load, before the first fork. No TensorFlow operation may run here: it starts threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import matplotlib.figure  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.manifold  # noqa: F401
    import tensorflow_text  # noqa: F401

    import textapp.compress.distill
    import textapp.compress.quantize
    import textapp.export.run
    import textapp.search.budget
    import textapp.training.train
    import textapp.training.vectors  # noqa: F401


class Child:
    """A textapp command in a process of its own.

    Args:
        arguments: Those of the command.
        log: File for all that it prints.
        file_size: The most bytes that it may write to one file, as if the disk were full then; None for no limit.
        memory: The most bytes of address space that it may add; None for no limit.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, file_size: int | None = None, memory: int | None = None
    ) -> None:
        def command() -> None:
            from textapp.cli.main import main

            if file_size is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails, instead of the process
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
            if memory is not None:
                limit = memory + _address_space()
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            sys.argv = ["textapp", *arguments]
            main()

        self.log = log
        # Another process writes what it prints, which a limit for its own files would cut off.
        with log.open("wb") as file:
            self._printer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)
        assert self._printer.stdin is not None
        self.began = time.monotonic()
        with self._printer.stdin as pipe:
            self.pid = forked(command, pipe.fileno())

    def wait(self, after: float | None = None, number: int = signal.SIGKILL, at_most: float = 300) -> Ended:
        """Waits for the end. Sends a signal `after` so many seconds, and SIGKILL after `at_most`."""
        sent = False
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            seconds = time.monotonic() - self.began
            if pid:
                self._printer.wait()
                log = self.log.read_text(encoding="utf-8", errors="replace")
                megabytes = usage.ru_maxrss / 1024
                return Ended(os.waitstatus_to_exitcode(status), log, seconds, megabytes, sent)
            if after is not None and not sent and seconds >= after:
                os.kill(self.pid, number)
                sent = True
            elif seconds > at_most:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.005)


def forked(function: Callable[[], Any], output: int) -> int:
    """Starts a function in a fork of this process, with its output in an open file. Returns the process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
        function()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _address_space() -> int:
    """Bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def contents(output: Path) -> dict[str, str]:
    """Each file of an output -> a hash of what it says, without times and paths.

    An output is a file or a folder; vectors have a folder of their training beside the file. Temporary files, whose
    names begin with a point, may be half-written; `leftovers` names them.
    """
    beside = output.with_name(f"{output.name}.training")
    roots = [output] + ([beside] if beside.exists() else [])
    files = [path for root in roots for path in (sorted(root.rglob("*")) if root.is_dir() else [root])]
    names = {path: path.relative_to(output.parent).as_posix().replace(output.name, "OUT", 1) for path in files}
    return {
        name: hashlib.sha256(_content(path)).hexdigest()
        for path, name in names.items()
        if path.is_file() and "/logs/" not in name and not path.name.startswith(".")
    }


def _content(path: Path) -> bytes:
    """What a file says. Raises if it is half-written."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return b"".join(f"{name} {arrays[name].shape}".encode() + arrays[name].tobytes() for name in arrays)
    if path.suffix == ".keras":
        return _keras(path)
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    if path.suffix == ".html":
        return _page(path)
    if path.suffix == ".jsonl":
        for line in path.read_text(encoding="utf-8").splitlines():
            json.loads(line)
    return path.read_bytes()


def _page(path: Path) -> bytes:
    """A report without its times: without numbers and drawings. Raises if its end is missing."""
    content = path.read_bytes()
    if not content.rstrip().endswith(b"</html>"):
        raise ValueError("the end of the page is missing")
    return re.sub(rb"<svg.*?</svg>|[0-9.,]+", b"", content, flags=re.DOTALL)


def _keras(path: Path) -> bytes:
    """The configuration and the weights of a Keras file; the archive itself holds times."""
    import h5py

    parts = []
    with zipfile.ZipFile(path) as archive:
        parts.append(re.sub(rb'"shared_object_id": \d+', b"", archive.read("config.json")))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights:

            def add(name: str, thing: Any) -> None:
                if isinstance(thing, h5py.Dataset):
                    parts.append(name.encode() + thing[()].tobytes())

            weights.visititems(add)
    return b"".join(parts)


def _without_times(value: Any) -> Any:
    """JSON without what differs between equal runs."""
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in NOT_COMPARED}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def leftovers(output: Path) -> list[str]:
    """Hidden files beside and in an output: locks and temporary files."""
    beside = [path.name for path in output.parent.glob(f".{output.name}*")]
    return beside + [str(path.relative_to(output)) for path in output.rglob(".*")]
