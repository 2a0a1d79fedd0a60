"""Opens a run or a bundle as a predictor."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textapp.cli.native_log import native_log_hidden
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
        config = None if self.run is None else self.run.config
        examples = self.task.read(path, config, self.predictor.targets, **options)
        self.task.check(examples, self.predictor.targets)
        return examples

    def score(self, examples: Any) -> dict[str, Any]:
        """The scores on examples."""
        if self.run is None:
            decisions = list(self.predictor.decide(self.task.questions(examples)))
        else:
            with native_log_hidden():
                from textapp.training.predictor import run_decisions

                decisions = run_decisions(self.run, examples)
        return self.task.score_decisions(examples, decisions, self.predictor.targets)


def open_model(path: Path, threads: int = 1) -> Opened:
    """Opens a bundle with only the runtime, or a run with Keras.

    Raises:
        InputError: The path is neither a run nor a bundle, or its content is broken.
    """
    if is_bundle(path):
        from textapp.runtime import load

        with native_log_hidden():
            predictor = load(path, threads)
        return Opened(task(predictor.task), predictor)
    if (path / "config.json").exists():
        with native_log_hidden():
            from textapp.training.predictor import run_predictor
            from textapp.training.run import Run

            run = Run.load(path)
            return Opened(run.task, run_predictor(run), run)
    what = "no run folder or bundle (neither config.json nor bundle.json in it)" if path.exists() else "no such folder"
    raise InputError(f"{path}: {what}")


def is_bundle(path: Path) -> bool:
    """Whether a path holds a bundle."""
    return (path / "bundle.json").exists()
