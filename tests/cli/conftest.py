"""A tiny run and bundle of each task for the tests of all commands, and the commands themselves, in this process."""

import functools
import io
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Model, Outcome, as_options
from textapp.cli.main import main
from textapp.data.samples import write_samples
from textapp.task import names, task

OF_TEXTS = (
    *("epochs=2", "max_tokens=16", "encoder=convolution", "units=4", "embedding_dim=8", "attention_units=4"),
    "baseline=false",
)
SETTINGS = {
    "classification": OF_TEXTS,
    "tagging": ("max_tokens=16", "encoder=convolution", "min_count=1", "baseline=false"),
    "multilabel": OF_TEXTS,
}
RECIPES = {"classification": "dynamic_wi8_afp32", "tagging": "float32", "multilabel": "dynamic_wi8_afp32"}


@pytest.fixture(scope="session")
def corpora(
    tmp_path_factory: pytest.TempPathFactory,
    tagged_corpus: Callable[[Path, str, int, int], Path],
    topic_corpus: Callable[[Path, int, int], Path],
) -> dict[str, dict[str, str]]:
    """The files of each task by its name."""
    folder = tmp_path_factory.mktemp("Отзывы 评论")
    counts = {"train": 80, "valid": 20, "test": 20}
    tagged = {name: tagged_corpus(folder / f"{name}.txt", "english", count, 5) for name, count in counts.items()}
    return {
        "classification": write_samples(folder, {"train": 200, "valid": 30, "test": 40}, seed=3),
        "tagging": {name: str(path) for name, path in tagged.items()},
        "multilabel": {
            name: str(topic_corpus(folder / f"{name}.jsonl", count, seed))
            for seed, (name, count) in enumerate({**counts, "test": 40}.items())
        },
    }


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, dict[str, str]]) -> Callable[[str], Model]:
    """The model of a task, made once a test run.

    A classifier is trained as its command trains it, but for TensorBoard's log. A tagger keeps the weights that it
    began with: nothing here depends on how good it is.
    """

    @functools.cache
    def model(name: str) -> Model:
        from textapp.export.run import export
        from textapp.training import train

        files, settings = corpora[name], SETTINGS[name]
        folder = tmp_path_factory.mktemp("Läufe")
        run, bundle = folder / "run 好", folder / "bündel"

        def train_command(out: Path) -> list[str]:
            named = ["--train", files["train"], "--test", files["test"], "--out", str(out), "--preset", "tiny"]
            return ["train", task(name).model_noun, *named, *as_options(settings)]

        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(type(task(name)), "dashboards", lambda *_, **__: [])
            if name == "tagging":
                patches.setattr(train, "fit", lambda *_, **__: [{"loss": 1.0}])
            config = task(name).preset("tiny").override(settings)
            train.train(name, config, run, train=files["train"], test=files["test"], report=lambda line: None)
        export(run, bundle, lengths=[8, 16], recipe=RECIPES[name])
        return Model(task(name), files, run, bundle, train_command)

    return model


@pytest.fixture(params=names())
def model(request: pytest.FixtureRequest, models: Callable[[str], Model]) -> Model:
    """The model of each task."""
    return models(request.param)


@pytest.fixture
def classifier(models: Callable[[str], Model]) -> Model:
    return models("classification")


@pytest.fixture
def tagger(models: Callable[[str], Model]) -> Model:
    return models("tagging")


@pytest.fixture(autouse=True)
def _signals_are_heeded() -> Iterator[None]:
    """As in a terminal. A job in the background ignores SIGINT, and `nohup` SIGHUP; a test's processes inherit it."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def fit_at_once(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """Training as a matter of no time: what comes before and after it is under test. Gives its history."""
    history = [{"loss": math.nan, "val_loss": 0.5}]
    monkeypatch.setattr("textapp.training.train.fit", lambda *_, **__: history)
    return history


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
