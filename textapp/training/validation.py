"""The scores of a model on its validation split, at the end of each epoch."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.data.rows import EncodedRows
from textapp.task import Task
from textapp.training.outputs import RowOutputs


class ValidationScores(keras.callbacks.Callback):
    """Scores the validation split at the end of each epoch, for early stopping and for dashboards.

    What counts is the task's: strict entity F1 of whole sentences under the best sequence of tags is no metric of a
    batch's outputs. So scores are computed here and put into the epoch's logs, as `val_entity_f1` or `val_accuracy`. It
    stands before all callbacks that read them.

    Args:
        task: The task.
        model: The model that is trained, without what training adds around it.
        examples: The validation split.
        rows: The same, encoded, with their true targets.
        batches: What `evaluation_batches` makes of the rows.
        batch_size: Rows a batch of them.
        targets: What the model chooses from.
        weights: Makes a context in which the model has the weights that count, as rounded ones; by default its own.

    Attributes:
        monitor: What early stopping should look at.
        decoded: What `Task.decoded` gave last, for all rows; empty before the first epoch has ended.
        scores: Its scores.
    """

    def __init__(
        self,
        task: Task[Any, Any, Any],
        model: keras.Model,
        examples: Any,
        rows: EncodedRows,
        batches: tf.data.Dataset,
        batch_size: int,
        targets: Any,
        weights: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ):
        super().__init__()
        self.task, self.examples, self.rows, self.targets = task, examples, rows, targets
        self.monitor = f"val_{task.main_score(targets)}"
        self.decoded = np.zeros(0)
        self.scores: dict[str, Any] = {}
        self._core, self._batches, self._batch_size, self._weights = model, batches, batch_size, weights
        self._outputs: RowOutputs | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predicts, and adds to `logs`."""
        del epoch
        if self._outputs is None:
            self._outputs = RowOutputs(self._core, self.task.decoded(self._core), self.task.unit == "token")
        with self._weights():
            self.decoded = self._outputs(self.rows, self._batch_size, self._batches)
        targets = self.task.calibrated(self.examples, self.rows, self.decoded, self.targets)
        self.scores = self.task.score(self.examples, self.rows, self.decoded, targets)
        if logs is not None:  # the loss of an epoch is the compiled one, which may be of soft targets
            figures = {name: value for name, value in self.scores.items() if isinstance(value, float)}
            logs.update({f"val_{name}": value for name, value in figures.items() if name != "loss"})
