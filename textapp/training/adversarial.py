"""Adversarial training: each batch is learned twice, unchanged and with word vectors moved to increase the loss."""

from typing import Any

import keras
import tensorflow as tf

from textapp.training.functional_call import substituted


class AdversarialTraining(keras.Model):
    r"""A functional model whose training loss has an adversarial part.

    With some thousand texts a classifier soon overfits to single words. So each training step takes the gradient of the
    loss with respect to the `Embedding` tables, moves the rows of the batch's words a little way along the gradient,

    $$r = \epsilon \, R \sqrt{n} \, g \, / \, \|g\|_2,$$

    and minimizes the sum of the losses with and without this change. $n$ is the number of rows that have a gradient,
    and $R$ the root of their mean squared length. So the mean change is $\epsilon$ times the length of a word vector,
    for any table and batch. (Miyato et al. move the vectors of each text separately, and normalize the vectors instead
    of using $R$. Moving the table works with any layers after it.) A frozen table is moved in the loss too, but is not
    trained.

    A step takes twice the time. Validation, `evaluate` and `predict` are those of the original model. All weights are
    shared with it, so this trains the original model.

    Args:
        inputs: Inputs of the model to train, `model.input`.
        outputs: `model.output`.
        size: $\epsilon$, above 0; useful values are from 0.01 to 1.
        **options: Arguments of a functional `keras.Model`.

    Raises:
        ValueError: `size` is out of range, or the model has no `Embedding` layer.

    Example:
        >>> ids = keras.Input((None,), dtype="int32")
        >>> pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(100, 8)(ids))
        >>> model = keras.Model(ids, keras.layers.Dense(2)(pooled))
        >>> AdversarialTraining(model.input, model.output, size=0.1).count_params() == model.count_params()
        True

    Reference:
        Miyato et al. 2017, Adversarial Training Methods for Semi-Supervised Text Classification; Goodfellow et al.
        2015, Explaining and Harnessing Adversarial Examples.
    """

    def __init__(self, inputs: Any, outputs: Any, *, size: float, **options: Any):
        super().__init__(inputs, outputs, **options)
        if not 0 < size < float("inf"):
            raise ValueError(f"`size` must be above 0. Received: size={size}")
        self.size = size
        self.tables = [layer.embeddings for layer in self.layers if isinstance(layer, keras.layers.Embedding)]
        if not self.tables:
            raise ValueError("The model has no `Embedding` layer: there is nothing to move.")

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of `fit`; the logs are those of the unchanged batch."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        values = [tf.identity(table.value) for table in self.tables]
        loss, gradients, by_table, outputs = self._gradients(inputs, targets, weights, values)
        moved = [value + self._displacement(value, gradient) for value, gradient in zip(values, by_table, strict=True)]
        _, adversarial, _, _ = self._gradients(inputs, targets, weights, moved)
        total = [
            tf.convert_to_tensor(plain) + tf.convert_to_tensor(other)
            for plain, other in zip(gradients, adversarial, strict=True)
        ]
        self.optimizer.apply_gradients(zip(total, self.trainable_variables, strict=True))
        replicas = tf.distribute.get_strategy().num_replicas_in_sync  # Keras divides a replica's loss by their number
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss * replicas, sample_weight=tf.shape(keras.tree.flatten(inputs)[0])[0])
        return dict(self.compute_metrics(inputs, targets, outputs, weights))

    def _gradients(
        self, inputs: Any, targets: Any, weights: Any, values: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[Any], list[Any], Any]:
        """The loss with these values in the tables, its gradients for trainable variables and tables, the outputs."""
        mapping = list(zip(self.tables, values, strict=True))
        values_of = {id(table): value for table, value in mapping}
        sources = [values_of.get(id(variable), variable.value) for variable in self.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(values)
            with substituted(self, mapping):
                outputs = self(inputs, training=True)
                loss = self.compute_loss(inputs, targets, outputs, weights, training=True)
            scaled = self.optimizer.scale_loss(loss)
        gradients, by_table = tape.gradient(scaled, (sources, values))
        return loss, gradients, by_table, outputs

    def _displacement(self, table: tf.Tensor, gradient: Any) -> tf.Tensor:
        """The change of each row of a table, `(V, E)`."""
        gradient = tf.cast(tf.convert_to_tensor(gradient), table.dtype)
        squares = tf.reduce_sum(tf.square(gradient), axis=1)
        rows = tf.cast(squares > 0, table.dtype)
        lengths = tf.reduce_sum(rows * tf.reduce_sum(tf.square(table), axis=1))  # n R^2
        return self.size * tf.math.divide_no_nan(tf.sqrt(lengths), tf.sqrt(tf.reduce_sum(squares))) * gradient


def with_adversary(model: keras.Model, size: float) -> keras.Model:
    """The model to `fit`: `model` itself if `size` is 0, otherwise its `AdversarialTraining` with the same name."""
    if not size:
        return model
    return AdversarialTraining(model.input, model.output, size=size, name=model.name)
