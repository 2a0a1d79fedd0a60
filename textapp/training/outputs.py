"""Runs a model over rows and returns results in the order of the rows."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from textapp.data.batches import evaluation_batches, sorted_batches
from textapp.data.compiled import compiled
from textapp.data.rows import EncodedRows

BATCH_SIZE = 256


class RowOutputs:
    """Computes a function of a model's outputs for each row, or for each token of each row.

    Args:
        model: A functional model.
        compute: A function from the model's outputs, `(B, ...)` or `(B, T, ...)`, and the mask `(B, T)`, True on real
            tokens, to a tensor with the same leading axes.
        per_token: Whether the result has a token axis.
    """

    def __init__(self, model: keras.Model, compute: Callable[[Any, Any], Any], per_token: bool):
        self.per_token = per_token

        def outputs(inputs: Any) -> Any:
            token_ids = inputs["token_ids"] if isinstance(inputs, dict) else inputs
            return compute(model(inputs, training=False), ops.not_equal(token_ids, 0))

        # With unknown sizes: otherwise TensorFlow would trace it again for each of the first batches.
        signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input)
        self._outputs = compiled(model, outputs, [signature])

    def __call__(
        self, rows: EncodedRows, batch_size: int = BATCH_SIZE, batches: tf.data.Dataset | None = None
    ) -> np.ndarray:
        """Runs the model over all rows, in batches of similar length.

        Args:
            rows: The rows.
            batch_size: Rows per batch.
            batches: The result of `evaluation_batches` for them, perhaps with static shapes; made here by default.

        Returns:
            `(N, ...)` in the order of the rows, or `(sum of lengths, ...)` with `per_token`.
        """
        lengths, result = rows.lengths, np.zeros(0)
        batches = evaluation_batches(rows, batch_size) if batches is None else batches
        # Rows after those of `numbers` only fill a batch of static shape.
        for index, (numbers, (inputs, *_)) in enumerate(zip(sorted_batches(lengths, batch_size), batches, strict=True)):
            values = np.asarray(self._outputs(inputs))[: len(numbers)]
            if not index:
                count = len(rows.index) if self.per_token else len(rows)
                result = np.empty((count, *values.shape[1 + self.per_token :]), values.dtype)
            if not self.per_token:
                result[numbers] = values
                continue
            for number, row in zip(numbers.tolist(), values, strict=True):
                result[rows.offsets[number] : rows.offsets[number + 1]] = row[: lengths[number]]
        return result
