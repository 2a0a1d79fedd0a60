"""The event files of a training, and the base class of callbacks that write to them at the end of an epoch."""

import abc
import contextlib
import os
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import keras
import tensorflow as tf
from keras import ops

from textapp.errors import InputError

Run = Literal["train", "validation", "baseline"]


class EventLog:
    """A folder of TensorBoard runs, with one open event file a run.

    The dashboards of a training share one log, because TensorBoard's slower loader (`--load_fast=false`, and platforms
    without its data server) reads the files of a run one after the other and misses points if two writers take turns.
    A file is opened at the first write, so making or copying a log leaves no file.

    Args:
        folder: Folder of the log, local or remote (`gs://...`). Each run is a folder in it: `train`, `validation` and
            `baseline`.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self._writers: dict[str, Any] = {}

    def run_folder(self, run: str) -> str:
        """Returns the folder of a run."""
        return os.path.join(self.folder, run)  # noqa: PTH118 (a Path would turn gs:// into gs:/)

    def make_folder(self, run: str) -> None:
        """Makes the folder of a run. Raises `InputError` if that is impossible."""
        try:
            tf.io.gfile.makedirs(self.run_folder(run))
        except tf.errors.OpError as error:
            raise self._error(run, error) from error

    @contextlib.contextmanager
    def writing(self, run: str, step: int) -> Iterator[None]:
        """Writes the summaries of the block to the run at `step`; they are in the file when the block ends.

        Raises:
            InputError: A file of the run cannot be written.
        """
        try:
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(self.run_folder(run))
            with self._writers[run].as_default(step):
                yield
            self._writers[run].flush()
        except tf.errors.OpError as error:
            if self.run_folder(run) not in error.message:  # an error of the model, such as a device out of memory
                raise
            raise self._error(run, error) from error

    def _error(self, run: str, error: tf.errors.OpError) -> InputError:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        return InputError(f"{self.run_folder(run)}: TensorBoard's log cannot be written here: {reason}")


class Dashboard(keras.callbacks.Callback, abc.ABC):
    """A callback that writes to TensorBoard at the end of each epoch.

    The step of a summary is `optimizer.iterations`, which a restored optimizer continues. So a resumed training
    continues the curves, and TensorBoard drops the points that a killed one wrote after its last checkpoint.

    Subclasses override `write` and, to find errors before the first epoch, `prepare`. They draw no random number and
    change no metric, so training is the same with and without dashboards.

    Args:
        log: An `EventLog`, shared with the other dashboards of the training, or the path of a folder.
    """

    run: ClassVar[Run] = "train"

    def __init__(self, log: EventLog | str | os.PathLike[str]):
        super().__init__()
        self.log = log if isinstance(log, EventLog) else EventLog(log)
        self._step_written = -1

    def prepare(self) -> None:
        """Prepares `write`. Raises `ValueError` if the model does not fit this dashboard."""

    @abc.abstractmethod
    def write(self) -> None:
        """Writes summaries to the default writer, which is the writer of `run`."""

    @property
    def step(self) -> int:
        """Optimizer steps so far, including those of the processes that this one resumes."""
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    @property
    def is_chief(self) -> bool:
        """Whether this process writes. In a training on several machines, only the first one does."""
        return self.model.distribute_strategy.extended.should_save_summary

    def write_now(self) -> None:
        """Writes this dashboard, at most once a step."""
        if self.is_chief and self.step != self._step_written:
            self._step_written = self.step
            with self.log.writing(self.run, self.step):
                self.write()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that the log can be written, and prepares."""
        del logs
        if self.is_chief:
            self.log.make_folder(self.run)
            self.prepare()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes."""
        del epoch, logs
        self.write_now()
