"""What all dashboards do: write at the end of an epoch, at the optimizer's step, on one machine."""

import abc
import os
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from textapp.training.tensorboard.event_log import EventLog

Run = Literal["train", "validation"]


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
