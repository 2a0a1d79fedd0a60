"""How large the gradient of each layer is."""

import os
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog

_DESCRIPTION = "L2 norm of the loss's gradient on a fixed probe batch, without dropout and before any clipping."


class GradientNorms(Dashboard):
    """Writes the L2 norm of each layer's gradient (`gradient_norm/LAYER`) on a fixed batch.

    A probe that never changes makes the norms of two steps, or of two trainings, comparable; its cost is that of a
    training step on the probe. Embedding tables are layers of their own here, and of the two sums
    `gradient_norm/all_layers` holds them while `gradient_norm/all_but_embeddings` does not: only the rows of the
    probe's words have a gradient, which makes an embedding's norm behave unlike the others.

    Args:
        log: An `EventLog`, or the path of a folder.
        probe: The batch: inputs and labels as `fit` takes them. Some 32 examples are enough.
        every: Training steps between two points, besides the one at the end of an epoch.
    """

    def __init__(self, log: EventLog | str | os.PathLike[str], probe: tuple[Any, Any], every: int = 100):
        super().__init__(log)
        if every < 1:
            raise ValueError(f"`every` must be positive. Received: every={every}")
        self.probe = keras.tree.map_structure(tf.convert_to_tensor, tuple(probe))
        self.every = every
        self._batch_written = -1

    def prepare(self) -> None:
        """Groups the trainable variables by layer."""
        self._layers = {layer.name: layer for layer in _leaf_layers(self.model) if layer.trainable_variables}
        self._norms = tf.function(self.norms)

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
        """Writes one point a layer and the two sums."""
        for name, norm in self._norms().items():
            tf.summary.scalar(f"gradient_norm/{name}", norm, description=_DESCRIPTION)

    def norms(self) -> dict[str, tf.Tensor]:
        """L2 norm by layer name, scalars float32."""
        inputs, labels = self.probe
        # Half precision loses small gradients unless the loss is scaled up, as training does it.
        scale = tf.cast(self.model.optimizer.scale_loss(tf.constant(1.0)), "float32")
        variables = [layer.trainable_variables for layer in self._layers.values()]
        with tf.GradientTape() as tape:
            outputs = self.model(inputs, training=False)
            loss = self.model.compute_loss(x=inputs, y=labels, y_pred=outputs, training=False)
            loss = tf.cast(loss, "float32") * scale
        gradients = tape.gradient(loss, [[variable.value for variable in group] for group in variables])
        squares = {
            name: tf.add_n([_square_sum(gradient) for gradient in group if gradient is not None] or [tf.constant(0.0)])
            for name, group in zip(self._layers, gradients, strict=True)
        }
        others = [square for name, square in squares.items() if not _is_embedding(self._layers[name])]
        sums = {"all_layers": tf.add_n(list(squares.values())), "all_but_embeddings": tf.add_n(others)}
        return {name: tf.sqrt(square) / scale for name, square in (squares | sums).items()}


def _leaf_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, nested models opened."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer)
        else:
            yield layer


def _is_embedding(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Embedding)


def _square_sum(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """Sum of squares of a gradient, in float32."""
    if isinstance(gradient, tf.IndexedSlices):
        # A word that occurs twice has two slices, which must be added before they are squared.
        ids, positions = tf.unique(tf.reshape(gradient.indices, [-1]))
        slices = tf.reshape(gradient.values, [tf.size(positions), -1])
        gradient = tf.math.unsorted_segment_sum(tf.cast(slices, "float32"), positions, tf.size(ids))
    return tf.reduce_sum(tf.square(tf.cast(gradient, "float32")))
