"""Commands of tests: the models that they are given, and what comes of them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textapp.task import Task

COMMAND = [sys.executable, "-c", "from textapp.cli.main import main; main()"]


class Model(NamedTuple):
    """A tiny run, its bundle, and what they were made of.

    Attributes:
        task: Its task.
        files: Its examples: `train`, `valid` and `test`.
        run: Its run folder.
        bundle: Its bundle.
        train_command: The command that makes the run, for another folder.
    """

    task: Task[Any, Any, Any]
    files: dict[str, str]
    run: Path
    bundle: Path
    train_command: Callable[[Path], list[str]]

    @property
    def folders(self) -> tuple[Path, Path]:
        """Run and bundle."""
        return self.run, self.bundle

    @property
    def target_file(self) -> str:
        """The name of the file of its labels or tags."""
        return self.task.target_files[0]

    @property
    def main_score(self) -> str:
        """The key of the score that it is compared by."""
        return {"classification": "accuracy", "tagging": "entity_f1", "multilabel": "micro_f1"}[self.task.name]

    @property
    def metrics(self) -> Any:
        """What its run says of itself."""
        return read_json(self.run / "metrics.json")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The one line of a wrong input, its last; nothing but progress stands before it."""
        assert self.code == 2
        assert self.out == ""
        *progress, last = self.err.splitlines()
        assert not any(line.startswith(("Traceback", "textapp: ")) for line in progress)
        return last.removeprefix("textapp: ")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def change_json(path: Path, **values: Any) -> None:
    """Sets some values of a JSON object in a file."""
    path.write_text(json.dumps({**read_json(path), **values}), encoding="utf-8")


def as_options(settings: Iterable[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def run_and_kill(arguments: Sequence[str], has_begun: Callable[[], bool]) -> None:
    """Runs a command in a process of its own, and kills it once it has begun what the test is about."""
    process = subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 240
    while not has_begun():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
