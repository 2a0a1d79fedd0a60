"""`--track`: a training in an experiment tracker, Weights & Biases or MLflow (extra `tracking`)."""

import abc
import importlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import keras

from textapp.errors import InputError, excerpt
from textapp.training.run_folder import read_command

OPTION = "--track"


class Tracker(keras.callbacks.Callback, abc.ABC):
    """A Keras callback that logs the settings of a run, the scores of each epoch, and the final scores.

    It calls the log functions of the tracker. The tracker's own Keras callbacks do not fit: they need a tracked run
    before the data is read, and they log the optimizer at each `fit`, of which a training may have several. The tracked
    run begins with the first `fit`, so that a command whose files are wrong leaves none. A resumed training is another
    tracked run of the same name, and goes on with the number of the epoch.

    Use it as a context. If the block fails, the tracked run is marked as failed.

    Args:
        folder: The run folder.
    """

    name: ClassVar[str]
    """Name of the package."""

    hint: ClassVar[str]
    """How to do without a server."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.module = importlib.import_module(self.name)
        self.has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.has_begun:
            self.has_begun = False
            self._end(error is None)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begins the tracked run with the command and the settings of the run. Raises `InputError` if it cannot."""
        del logs
        if self.has_begun:  # a further `fit` of this training
            return
        command = read_command(self.folder)
        settings = {**{name: value for name, value in command.items() if name != "settings"}, **command["settings"]}
        try:
            self._begin({**settings, "run_folder": os.fspath(self.folder.resolve())})
        except Exception as error:  # it is not code of textapp
            reason = excerpt(f"{type(error).__name__}: {error}")
            raise InputError(f"{OPTION} {self.name}: {reason}; {self.hint}") from error
        self.has_begun = True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Logs the scores of an epoch; epochs count from 0, as in Keras."""
        self._log({name: float(value) for name, value in (logs or {}).items()}, epoch)

    def finish(self, metrics: Mapping[str, Any]) -> str:
        """Logs the final scores, and returns where the tracked run is.

        Args:
            metrics: The metrics of the run. Logged are its numbers, and those of its parts, such as `test/accuracy`.
        """
        if not self.has_begun:  # no epoch was left: the training had ended, or has none
            self.on_train_begin()
        self._log_final(_numbers(metrics))
        return self._place()

    @abc.abstractmethod
    def _begin(self, settings: Mapping[str, Any]) -> None:
        """Begins a tracked run."""

    @abc.abstractmethod
    def _log(self, scores: Mapping[str, float], epoch: int) -> None:
        """Logs the scores of an epoch."""

    @abc.abstractmethod
    def _log_final(self, scores: Mapping[str, float]) -> None:
        """Logs the final scores."""

    @abc.abstractmethod
    def _end(self, is_done: bool) -> None:
        """Ends the tracked run."""

    @abc.abstractmethod
    def _place(self) -> str:
        """Where the tracked run is."""


class WandbTracker(Tracker):
    """Weights & Biases. Its environment variables choose the project (`WANDB_PROJECT`) and the server."""

    name = "wandb"
    hint = "log in by `wandb login`, or set WANDB_MODE=offline"

    def _begin(self, settings: Mapping[str, Any]) -> None:
        quiet = self.module.Settings(console="off", silent=True)
        self._run = self.module.init(name=self.folder.name, config=dict(settings), settings=quiet)

    def _log(self, scores: Mapping[str, float], epoch: int) -> None:
        self._run.log({"epoch": epoch, **scores})

    def _log_final(self, scores: Mapping[str, float]) -> None:
        self._run.summary.update(dict(scores))

    def _end(self, is_done: bool) -> None:
        self._run.finish(exit_code=0 if is_done else 1)

    def _place(self) -> str:
        return str(Path(self._run.dir).parent if self._run.offline else self._run.url)


class MlflowTracker(Tracker):
    """MLflow. Its environment variables choose the server or folder and the experiment (`MLFLOW_TRACKING_URI`)."""

    name = "mlflow"
    hint = "MLFLOW_TRACKING_URI names a server, or file:///FOLDER, which needs MLFLOW_ALLOW_FILE_STORE=true too"

    def _begin(self, settings: Mapping[str, Any]) -> None:
        self._run = self.module.start_run(run_name=self.folder.name)
        self.module.log_params(dict(settings))

    def _log(self, scores: Mapping[str, float], epoch: int) -> None:
        self.module.log_metrics(dict(scores), step=epoch)

    def _log_final(self, scores: Mapping[str, float]) -> None:
        self.module.log_metrics(dict(scores))

    def _end(self, is_done: bool) -> None:
        self.module.end_run("FINISHED" if is_done else "FAILED")

    def _place(self) -> str:
        return f"run {self._run.info.run_id} of {self.module.get_tracking_uri()}"


TRACKERS: dict[str, type[Tracker]] = {one.name: one for one in (WandbTracker, MlflowTracker)}


def tracker(name: str, folder: Path) -> Tracker:
    """The tracker of a name.

    Args:
        name: One of `TRACKERS`.
        folder: The run folder.

    Raises:
        InputError: There is no such tracker.
        ModuleNotFoundError: Its package is not installed.
    """
    if name not in TRACKERS:
        raise InputError(f"{OPTION} {name}: must be one of {', '.join(TRACKERS)}")
    return TRACKERS[name](folder)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of metrics, and those of its objects; deeper ones are of single labels or layers."""
    found = {}
    for name, value in metrics.items():
        parts = {f"{name}/{key}": one for key, one in value.items()} if isinstance(value, Mapping) else {name: value}
        for key, one in parts.items():
            if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one):
                found[key] = float(one)
    return found
