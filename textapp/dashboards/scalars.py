"""Scalars over the steps: loss, metrics and learning rate."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from textapp.dashboards.log import Dashboard, EventLog

_METRIC = (
    "Training: the mean since the epoch began, with a small jump at the start of each epoch. "
    "Validation: the mean at the end of each epoch, without dropout."
)
_BASELINE = "The score of a quick model, the baseline, on the validation split."
_LEARNING_RATE = "The optimizer's learning rate for the next step, from its schedule."


class Scalars(Dashboard):
    """Writes loss and metrics (`fit/METRIC`) and the learning rate (`fit/learning_rate`).

    Training and validation are two runs, so each metric is one chart with two lines.

    `keras.callbacks.TensorBoard` (3.15) is not used here: its steps start at 0 again when a training resumes, it writes
    the learning rate only once an epoch, and it gives each metric up to three charts (`batch_loss`, `epoch_loss`,
    `evaluation_loss_vs_iterations`).

    Args:
        log: An `EventLog`, or the path of a folder.
        every: Training steps between two points. The end of an epoch has a point too.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], every: int = 20):
        super().__init__(log)
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.every = every
        self._batch_written = -1
        self._metrics: Mapping[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts counting the epoch's batches."""
        del epoch, logs
        self._batch_written = -1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the training's scalars every `every` steps."""
        # Not `batch % every`: with `steps_per_execution` the batch numbers here have gaps.
        if batch - self._batch_written >= self.every:
            self._batch_written = batch
            self._metrics = logs or {}
            self.write_now()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the epoch's scalars."""
        del epoch
        logs = logs or {}
        self._metrics = {name: value for name, value in logs.items() if not name.startswith("val_")}
        self.write_now()
        validation = {name.removeprefix("val_"): value for name, value in logs.items() if name.startswith("val_")}
        if validation and self.is_chief:
            with self.log.writing("validation", self.step):
                _write_metrics(validation)

    def write(self) -> None:
        """Writes the training's scalars."""
        # Keras' learning rate callbacks add it to the logs too.
        _write_metrics({name: value for name, value in self._metrics.items() if name != "learning_rate"})
        rate = ops.convert_to_numpy(self.model.optimizer.learning_rate)
        tf.summary.scalar("fit/learning_rate", rate, description=_LEARNING_RATE)


class BaselineScalars(Dashboard):
    """Writes the scores of a baseline at the end of each epoch: a level line in the chart of each score of `Scalars`.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The scores on the validation split, by the names that they have in the logs of an epoch. Only fractions
            are written, not counts.
    """

    run = "baseline"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: Mapping[str, Any]):
        super().__init__(log)
        self.scores = {name: value for name, value in scores.items() if isinstance(value, float)}

    def write(self) -> None:
        """Writes the scores."""
        for name, value in self.scores.items():
            tf.summary.scalar(f"fit/{name}", value, description=_BASELINE)


def _write_metrics(metrics: Mapping[str, Any]) -> None:
    """Writes a scalar for each metric, or one for each class if the metric has a value for each."""
    for name, value in metrics.items():
        values = np.ravel(ops.convert_to_numpy(value))
        for index, number in enumerate(values):
            tag = f"fit/{name}" if len(values) == 1 else f"fit/{name}/{index}"
            tf.summary.scalar(tag, number, description=_METRIC)
