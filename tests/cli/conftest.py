"""One tiny run and its bundle for all tests of the command line, and the command line itself, in this process."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from textapp.cli.main import main
from textapp.config import sentiment_preset
from textapp.data.samples import write_samples

SETTINGS = ("epochs=2", "max_tokens=16", "units=4", "embedding_dim=8", "attention_units=4")


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


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_samples(tmp_path_factory.mktemp("Отзывы 评论"), {"train": 200, "valid": 30, "test": 40}, seed=3)


@pytest.fixture(scope="session")
def train_command(corpus: dict[str, str]) -> Callable[..., list[str]]:
    """The command that makes `run_folder`, for another folder."""

    def command(out: Path) -> list[str]:
        settings = [part for setting in SETTINGS for part in ("--set", setting)]
        files = ["--train", corpus["train"], "--test", corpus["test"]]
        return ["train", "sentiment", *files, "--out", str(out), "--preset", "tiny", *settings]

    return command


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, corpus: dict[str, str]) -> Path:
    from textapp.training.sentiment import train_sentiment

    folder = tmp_path_factory.mktemp("Läufe") / "run 好"
    config = sentiment_preset("tiny").override(SETTINGS)
    train_sentiment(config, folder, train=corpus["train"], test=corpus["test"], report=lambda line: None)
    return folder


@pytest.fixture(scope="session")
def bundle_folder(run_folder: Path) -> Path:
    from textapp.export.run import export_run

    export_run(run_folder, run_folder.with_name("bündel"), lengths=[8, 16])
    return run_folder.with_name("bündel")


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies a run or a bundle, to be broken."""

    def copied(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "копия 本" / folder.name))

    return copied


@pytest.fixture
def textapp(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process: `textapp("predict", folder, "文本", stdin=b"")`."""

    def run(*arguments: object, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["textapp", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder with its content: what a refused command must not change."""

    def taken(folder: Path) -> dict[str, bytes]:
        return {os.fspath(path.relative_to(folder)): path.read_bytes() for path in _files(folder)}

    return taken


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
