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

    Not every score can be a Keras metric of a batch: strict entity F1 needs whole sentences and their best tag
    sequences. So scores are computed here and added to the epoch's logs, as `val_entity_f1` or `val_accuracy`. Put this
    callback before all callbacks that read them. If n-grams stand beside the encoder, these are the scores of the
    encoder alone: scores of both together hardly change from epoch to epoch, and would end the training too early.

    Args:
        task: The task.
        model: The trained model itself, without a model that wraps it.
        examples: The validation split.
        rows: The same examples, encoded, with their true targets.
        batches: The result of `evaluation_batches` for the rows.
        batch_size: Rows per batch.
        targets: The targets of the model.
        weights: Makes a context in which the model has the weights to score, such as rounded ones; by default its own.

    Attributes:
        decoded: The last results of `Task.decoded` for all rows; empty before the first epoch ends.
        scores: The scores of these results.
        calibrated: The targets with the decision rule that fits these results.
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
        self.decoded: np.ndarray = np.zeros(0)
        self.scores: dict[str, Any] = {}
        self.calibrated = targets
        self._core, self._batches, self._batch_size, self._weights = model, batches, batch_size, weights
        self._outputs: RowOutputs | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predicts, scores, and adds the scores to `logs`."""
        del epoch
        if self._outputs is None:
            self._outputs = RowOutputs(self._core, self.task.decoded(self._core), self.task.unit == "token")
        with self._weights():
            self.decoded = self._outputs(self.rows, self._batch_size, self._batches)
        self.calibrated = self.task.calibrated(self.examples, self.rows, self.decoded, self.targets)
        self.scores = self.task.score(self.examples, self.rows, self.decoded, self.calibrated)
        if logs is not None:  # `loss` in the logs stays that of the compiled loss, perhaps of soft targets
            figures = {name: value for name, value in self.scores.items() if isinstance(value, float)}
            logs.update({f"val_{name}": value for name, value in figures.items() if name != "loss"})
