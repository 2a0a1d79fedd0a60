"""Opens a run or a bundle as a predictor."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textapp.cli.early_checks import check_finished
from textapp.cli.native_log import native_log_hidden, tensorflow_started
from textapp.errors import InputError
from textapp.task import Task, task

if TYPE_CHECKING:
    from textapp.runtime import Predictor
    from textapp.training.run import Run


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model that predicts.

    Attributes:
        task: Its task.
        predictor: Predicts texts one by one.
        run: The run; None for a bundle.
    """

    task: Task[Any, Any, Any]
    predictor: "Predictor"
    run: "Run | None" = None

    def read(self, path: str, options: dict[str, Any]) -> Any:
        """Reads examples to score the model on: a run reads them as its training did. Raises `InputError`."""
        examples = self._read(path, options)
        self.task.check(examples, self.predictor.targets)
        return examples

    def read_scope(self, path: str, options: dict[str, Any], label: str) -> tuple[Any, Any]:
        """Reads examples likewise; those with a label that says that no label fits them come second."""
        examples, outside = self.task.split_scope(self._read(path, options), label, self.predictor.targets)
        self.task.check(examples, self.predictor.targets)
        return examples, outside

    def unbiased(self, path: str, report: Callable[[str], None]) -> "Opened":
        """The model to score on a file: on the validation file of a run, n-grams that have not learned its texts.

        Args:
            path: The file of the examples.
            report: Receives a line if this is such a file.
        """
        if self.run is None or (run := self.run.unbiased(path)) is self.run:
            return self
        report("n-grams: those of the training texts alone, because the run's have learned this file, its --valid")
        with native_log_hidden():
            from textapp.training.predictor import run_predictor

            return Opened(self.task, run_predictor(run), run)

    def decisions(self, examples: Any) -> list[Any]:
        """The decisions about examples."""
        if self.run is None:
            return list(self.predictor.decide(self.task.questions(examples)))
        with native_log_hidden():
            from textapp.training.predictor import run_decisions

            return run_decisions(self.run, examples)

    def score(self, examples: Any, decisions: list[Any]) -> dict[str, Any]:
        """The scores of decisions about examples."""
        return self.task.score_decisions(examples, decisions, self.predictor.targets)

    def check_option(self, name: str, asked: str | None = None) -> None:
        """Raises `InputError` if the predictor lacks an option of `PREDICT_OPTIONS`, which `asked` depends on."""
        from textapp.runtime.predictor import PREDICT_OPTIONS

        if name not in self.predictor.predict_options:
            option = f"--{(asked or name).replace('_', '-')}"
            raise InputError(f"{option}: is no option of a {self.task.model_noun}, {PREDICT_OPTIONS[name]}")

    def _read(self, path: str, options: dict[str, Any]) -> Any:
        """Reads examples that are not checked yet."""
        config = None if self.run is None else self.run.config
        return self.task.read(path, config, self.predictor.targets, **options)


def open_model(path: Path, threads: int = 1) -> Opened:
    """Opens a bundle with only the runtime, or a run with Keras.

    Raises:
        InputError: The path is neither a run nor a bundle, or its content is broken.
    """
    check_model(path)
    if is_bundle(path):
        from textapp.runtime import load

        with native_log_hidden():
            predictor = load(path, threads)
        return Opened(task(predictor.task), predictor)
    with tensorflow_started():
        from textapp.training.predictor import run_predictor
        from textapp.training.run import Run

        run = Run.load(path)
        return Opened(run.task, run_predictor(run), run)


def check_model(path: Path) -> None:
    """Raises `InputError` unless a path holds a bundle or a finished run, before the seconds that loading takes."""
    if is_bundle(path):
        return
    if not path.exists():
        raise InputError(f"{path}: no such folder")
    if not (path / "config.json").exists():
        raise InputError(f"{path}: no run folder or bundle (neither config.json nor bundle.json in it)")
    check_finished(path)


def is_bundle(path: Path) -> bool:
    """Whether a path holds a bundle."""
    return (path / "bundle.json").exists()
