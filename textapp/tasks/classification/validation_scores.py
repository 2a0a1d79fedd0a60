"""Labels and class probabilities of the validation texts, for dashboards."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.dashboards.gradients import probe_batch
from textapp.data.compiled import compiled


def class_probabilities(outputs: Any, from_logits: bool) -> np.ndarray:
    """Returns the class probabilities of a model's outputs.

    Args:
        outputs: Float `(B, C)`, or `(B, 1)` from a model with one output unit for the second of two classes.
        from_logits: Whether the outputs are logits, which need a softmax (a sigmoid for one unit).

    Returns:
        Float32 `(B, C)`, at least two columns.
    """
    outputs = tf.cast(outputs, "float32")
    if outputs.shape.rank != 2:
        raise ValueError(f"the model must have one output of shape (B, C). Received: shape={tuple(outputs.shape)}")
    if outputs.shape[1] == 1:
        positive = tf.sigmoid(outputs) if from_logits else outputs
        return tf.concat([1.0 - positive, positive], axis=1).numpy()
    return (tf.nn.softmax(outputs) if from_logits else outputs).numpy()


class ValidationScores:
    """Labels and class probabilities of a validation set, computed once a step and shared by dashboards.

    Args:
        validation: Pair of inputs and labels as arrays, or batches of such pairs that can be iterated every epoch (a
            `tf.data.Dataset`). If a batch has weights too, rows of weight 0 are left out. Labels are class numbers
            `(B,)` or one-hot `(B, C)`.
        label_names: Name of each class, in the order of the outputs. By default the class numbers.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.
        batch_size: Rows a batch if `validation` is a pair of arrays.
    """

    def __init__(
        self,
        validation: tuple[Any, Any] | Iterable[tuple[Any, ...]],
        label_names: Sequence[str] | None = None,
        from_logits: bool = True,
        batch_size: int = 256,
    ):
        self.validation = validation
        self.label_names = tuple(label_names or ())
        self.from_logits = from_logits
        self.batch_size = batch_size
        self._model: keras.Model | None = None
        self._step: int | None = None

    def batches(self) -> Iterator[tuple[Any, ...]]:
        """Yields batches of inputs, labels and perhaps weights."""
        if not isinstance(self.validation, tuple):
            yield from self.validation
            return
        inputs, labels = self.validation
        for start in range(0, len(labels), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield keras.tree.map_structure(lambda array, rows=rows: array[rows], inputs), labels[rows]

    def probe(self, count: int) -> tuple[Any, Any]:
        """Returns inputs and labels of the first `count` examples of one batch, or of all if it has fewer."""
        return probe_batch(self.batches() if isinstance(self.validation, tuple) else self.validation, count)

    def check(self, model: keras.Model) -> None:
        """Scores one batch. Raises `ValueError` if the model, the labels and their names do not match."""
        self._use(model)
        inputs, labels = self.probe(self.batch_size)
        classes = self._score((inputs, labels))[1].shape[1]
        self._check_scale(tf.cast(self._forward(inputs), "float32").numpy())
        if not self.label_names:
            self.label_names = tuple(map(str, range(classes)))
        if len(self.label_names) != classes:
            raise ValueError(
                f"`label_names` must name the model's {classes} classes. Received: label_names={self.label_names}"
            )

    def _check_scale(self, outputs: np.ndarray) -> None:
        """Raises `ValueError` if outputs `(B, C)` clearly contradict `from_logits`."""
        if outputs.shape[1] == 1 or len(outputs) < 2 or not np.isfinite(outputs).all():
            return
        probabilities = outputs.min() >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=1e-2)
        if probabilities == self.from_logits:
            found = "probabilities" if probabilities else "logits"
            raise ValueError(f"the model returns {found}. Received: from_logits={self.from_logits}")

    def at(self, model: keras.Model, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels, int64 `(N,)`, and probabilities, float32 `(N, C)`, without rows that are not finite."""
        self._use(model)
        if step != self._step:
            labels, probs = map(np.concatenate, zip(*map(self._score, self.batches()), strict=True))
            finite = np.isfinite(probs).all(axis=1)
            self._labels, self._probs, self._step = labels[finite], probs[finite], step
        return self._labels, self._probs

    def _use(self, model: keras.Model) -> None:
        """Compiles the forward pass if the model has changed."""

        def forward(inputs: Any) -> Any:
            return model(inputs, training=False)

        if model is not self._model:
            self._model, self._step = model, None
            self._forward = compiled(model, forward)

    def _score(self, batch: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Returns labels `(B,)` and probabilities `(B, C)` of a batch."""
        inputs, labels, *weights = batch
        probs = class_probabilities(self._forward(inputs), self.from_logits)
        labels = np.asarray(labels)
        one_hot = labels.ndim == 2 and labels.shape[1] > 1
        labels = labels.argmax(axis=1) if one_hot else labels.reshape(-1).astype(np.int64)
        if labels.size and not 0 <= labels.min() <= labels.max() < probs.shape[1]:
            raise ValueError(
                f"labels must be class numbers from 0 to {probs.shape[1] - 1}. "
                f"Received: labels from {labels.min()} to {labels.max()}"
            )
        kept = np.asarray(weights[0]).reshape(-1) != 0 if weights else slice(None)
        return labels[kept], probs[kept]
