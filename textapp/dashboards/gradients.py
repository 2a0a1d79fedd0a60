"""Norms of gradients, by layer."""

import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import keras
import tensorflow as tf

from textapp.dashboards.log import Dashboard, EventLog
from textapp.data.compiled import compiled

_DESCRIPTION = (
    "L2 norm of the loss's gradient on a fixed probe batch, without dropout and before clipping; 0 while frozen."
)


@runtime_checkable
class UnfreezingOptimizer(Protocol):
    """An optimizer that freezes some variables for its first steps, such as `textapp.training.unfreezing` has."""

    def moved(self, variable: keras.Variable) -> tf.Tensor:
        """Whether the last step moved a trainable variable."""


def probe_batch(batches: Iterable[tuple[Any, ...]], count: int) -> tuple[Any, Any]:
    """Inputs and targets of the first examples of one batch, for `GradientNorms`.

    Args:
        batches: Batches of inputs, targets and perhaps weights. From a `tf.data.Dataset` the middle batch is taken: a
            dataset is often sorted by length, and texts of usual length are in its middle.
        count: Number of examples; fewer if the batch has fewer.

    Raises:
        ValueError: There is no batch.
    """
    skipped = max(0, int(batches.cardinality())) // 2 if isinstance(batches, tf.data.Dataset) else 0
    for inputs, targets, *_ in itertools.islice(batches, skipped, None):
        return keras.tree.map_structure(lambda array: array[:count], (inputs, targets))
    raise ValueError("`batches` must hold at least one batch. Received: none")


class GradientNorms(Dashboard):
    """Writes the L2 norm of each layer's gradient (`gradient_norm/LAYER`) on a fixed batch.

    A fixed batch makes the norms of two steps, or of two trainings, comparable. A point costs a training step on it.
    There are two totals: `gradient_norm/all_layers`, and `gradient_norm/all_but_embeddings`, because only the rows of
    the batch's words have a gradient in an embedding, so its norm behaves differently.

    The norm of a layer that the last step did not move is 0: its `trainable` is False, or an `UnfreezingOptimizer`
    freezes it. So the curve of an embedding that is frozen for some epochs is 0 until the embedding starts to move. A
    layer's share of the learning rate does not matter.

    Args:
        log: An `EventLog`, or the path of a folder.
        probe: Inputs and targets as `fit` takes them, such as `probe_batch` gives. Some 32 examples are enough.
        every: Training steps between two points. The end of an epoch has a point too.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], probe: tuple[Any, Any], every: int = 50):
        super().__init__(log)
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.probe = keras.tree.map_structure(tf.convert_to_tensor, tuple(probe))
        self.every = every
        self._batch_written = -1

    def prepare(self) -> None:
        """Groups the variables by layer."""
        self._layers = {
            name: layer
            for name, layer in _leaf_layers(self.model)
            if layer.trainable_variables or (layer.weights and not layer.trainable)
        }
        self._norms = compiled(self.model, self._replica_norms)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts counting the epoch's batches."""
        del epoch, logs
        self._batch_written = -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes every `every` steps."""
        del logs
        if batch - self._batch_written >= self.every:
            self._batch_written = batch
            self.write_now()

    def write(self) -> None:
        """Writes one point for each layer and the two totals."""
        for name, norm in self.norms().items():
            tf.summary.scalar(f"gradient_norm/{name}", norm, description=_DESCRIPTION)

    def norms(self) -> dict[str, float]:
        """Returns the L2 norm of each layer, and the totals."""
        return {name: float(norm) for name, norm in self._norms(*self.probe).items()}

    def _replica_norms(self, inputs: Any, labels: Any) -> dict[str, tf.Tensor]:
        """The norms on one replica, float32 scalars."""
        # Half precision loses small gradients unless the loss is scaled, as in training. Keras divides the loss by the
        # number of replicas, whose gradients are summed later.
        scale = tf.cast(self.model.optimizer.scale_loss(tf.constant(1.0)), "float32")
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        variables = [layer.trainable_variables for layer in self._layers.values()]
        with tf.GradientTape() as tape:
            outputs = self.model(inputs, training=False)
            loss = self.model.compute_loss(x=inputs, y=labels, y_pred=outputs, training=False)
            loss = tf.cast(loss, "float32") * scale
        gradients = tape.gradient(loss, [[variable.value for variable in group] for group in variables])
        squares = {
            name: _total(
                [
                    tf.where(self._moved(variable), _square_sum(gradient), 0.0)
                    for variable, gradient in zip(layer.trainable_variables, group, strict=True)
                    if gradient is not None
                ]
            )
            for (name, layer), group in zip(self._layers.items(), gradients, strict=True)
        }
        others = [
            squares[name] for name, layer in self._layers.items() if not isinstance(layer, keras.layers.Embedding)
        ]
        sums = {"all_layers": _total(list(squares.values())), "all_but_embeddings": _total(others)}
        return {name: tf.sqrt(square) * replicas / scale for name, square in (squares | sums).items()}

    def _moved(self, variable: keras.Variable) -> bool | tf.Tensor:
        """Whether the optimizer's last step moved a trainable variable."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)  # in mixed precision
        return optimizer.moved(variable) if isinstance(optimizer, UnfreezingOptimizer) else True


def _leaf_layers(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """The layers of a model and of its nested models, with their names."""
    for layer in model.layers:
        name = prefix + layer.name
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer, f"{name}/")
        else:
            yield name, layer


def _total(squares: list[tf.Tensor]) -> tf.Tensor:
    """Sum of scalars; 0 if there is none."""
    return tf.add_n([tf.constant(0.0), *squares])


def _square_sum(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """Sum of squares of a gradient, in float32."""
    if isinstance(gradient, tf.IndexedSlices):
        # A word that occurs twice has two slices, which must be added before squaring.
        ids, positions = tf.unique(tf.reshape(gradient.indices, [-1]))
        slices = tf.reshape(gradient.values, [tf.size(positions), -1])
        gradient = tf.math.unsorted_segment_sum(tf.cast(slices, "float32"), positions, tf.size(ids))
    return tf.reduce_sum(tf.square(tf.cast(gradient, "float32")))
