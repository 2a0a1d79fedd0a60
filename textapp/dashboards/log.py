"""The event files of a training, and the callback that writes to them when an epoch has ended."""

import abc
import contextlib
import os
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import keras
import tensorflow as tf
from keras import ops

from textapp.errors import InputError

Run = Literal["train", "validation"]


class EventLog:
    """A folder of TensorBoard runs, with one open event file a run.

    Dashboards of one training share one log: TensorBoard's slower loader (`--load_fast=false`, and platforms without
    its data server) reads the files of a run one after the other and would miss what two writers add in turn.
    A file is opened when something is first written, so a log can be made, copied or thrown away without a trace.

    Args:
        folder: Folder of the log, local or remote (`gs://...`). Each run is a folder in it: `train`, `validation`.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self._writers: dict[str, Any] = {}

    def run_folder(self, run: str) -> str:
        """The folder of a run."""
        return os.path.join(self.folder, run)  # noqa: PTH118 (a Path would turn gs:// into gs:/)

    def make_folder(self, run: str) -> None:
        """Makes the folder of a run. Raises `InputError` where that cannot be."""
        try:
            tf.io.gfile.makedirs(self.run_folder(run))
        except tf.errors.OpError as error:
            raise self._error(run, error) from error

    @contextlib.contextmanager
    def writing(self, run: str, step: int) -> Iterator[None]:
        """Sends the summaries of the block to the run at `step`; they are in the file when the block has ended.

        Raises:
            InputError: A file of the run could not be written.
        """
        try:
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(self.run_folder(run))
            with self._writers[run].as_default(step):
                yield
            self._writers[run].flush()
        except tf.errors.OpError as error:
            if self.run_folder(run) not in error.message:  # the model's own, such as a device out of memory
                raise
            raise self._error(run, error) from error

    def _error(self, run: str, error: tf.errors.OpError) -> InputError:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        return InputError(f"{self.run_folder(run)}: TensorBoard's log cannot be written here: {reason}")


class Dashboard(keras.callbacks.Callback, abc.ABC):
    """A callback that writes to TensorBoard when an epoch has ended.

    The step of everything written is `optimizer.iterations`, which a restored optimizer continues: a resumed training
    goes on where it stopped, and TensorBoard drops the points that a killed one had written beyond that.
    Subclasses override `write` and, to find errors before the first epoch rather than after it, `prepare`.
    Nothing here draws a random number or touches a metric, so training is the same with and without dashboards.

    Args:
        log: An `EventLog`, shared with the other dashboards of the training, or the path of a folder.
    """

    run: ClassVar[Run] = "train"

    def __init__(self, log: EventLog | str | os.PathLike[str]):
        super().__init__()
        self.log = log if isinstance(log, EventLog) else EventLog(log)
        self._step_written = -1

    def prepare(self) -> None:
        """Raises `ValueError` where this dashboard cannot be drawn for the model."""

    @abc.abstractmethod
    def write(self) -> None:
        """Writes summaries to the default writer, which is that of `run`."""

    @property
    def step(self) -> int:
        """Optimizer steps taken so far, in this process and those that it resumes."""
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    @property
    def is_chief(self) -> bool:
        """Whether this process writes: of several machines in one training, the first does."""
        return self.model.distribute_strategy.extended.should_save_summary

    def write_now(self) -> None:
        """Writes this dashboard at the current step, once."""
        if self.is_chief and self.step != self._step_written:
            self._step_written = self.step
            with self.log.writing(self.run, self.step):
                self.write()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that the log can be written and that the model suits the dashboard."""
        del logs
        if self.is_chief:
            self.log.make_folder(self.run)
            self.prepare()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes."""
        del epoch, logs
        self.write_now()
