"""Rounds activations in training to the values that int8 can hold."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from textapp.compress.rounding import STORED_BITS, rounded_in_range
from textapp.layers import CRF

MOMENTUM = 0.99  # of the moving averages: about the last hundred batches count
# The outputs of these layers have the range of their inputs (dropout changes it in training only), or of the rounded
# table. A CRF is not in the file.
UNROUNDED = (
    *(layers.Dropout, layers.SpatialDropout1D, layers.GaussianDropout, layers.GaussianNoise, layers.Masking),
    *(layers.Identity, layers.Reshape, layers.Permute, layers.Flatten, layers.RepeatVector),
    *(layers.Embedding, CRF),
)


@keras.saving.register_keras_serializable("textapp")
class RoundedActivation(layers.Layer):
    """Rounds its input to 256 evenly spaced numbers, one of them 0, in a range that it learns.

    `low` and `high` are moving averages of the smallest and the largest number of a batch, 0 included; for the first
    batches, plain means. The gradient is straight-through inside the range and 0 outside.

    Args:
        delay: Training steps without rounding; always at least the first one, as there is no range yet.
        freeze: Training steps after which the range is fixed; None for never.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        activations: Float tensor of any shape. Its Keras mask is passed on.
        training: Boolean, whether the range is updated.

    Returns:
        A tensor of the same shape and dtype. Before the first training step, inference does not round either.

    Example:
        >>> import numpy as np
        >>> layer = RoundedActivation()
        >>> _ = layer(np.array([[-1.0, 1.55]]), training=True)
        >>> layer(np.array([[0.0, 0.503, 2.0]])).numpy().round(2).astype(str).tolist()
        [['0.0', '0.5', '1.55']]

    Reference:
        Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
        section 3.1.
    """

    def __init__(self, delay: int = 0, freeze: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.delay = delay
        self.freeze = freeze
        self.supports_masking = True

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the range and the step counter. All replicas of a distributed training update them equally."""
        del shape

        def state(name: str, dtype: str = "float32") -> keras.Variable:
            return self.add_weight(
                name=name,
                shape=(),
                dtype=dtype,
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
            )

        self.low, self.high, self.steps = state("low"), state("high"), state("steps", "int32")

    def call(self, activations: Any, training: bool | None = None) -> Any:
        """Rounds, and in training first updates the range; see the class."""
        numbers = tf.cast(activations, tf.float32)
        steps = tf.convert_to_tensor(self.steps.value)
        low, high = tf.convert_to_tensor(self.low.value), tf.convert_to_tensor(self.high.value)
        rounding = steps > 0
        if training:
            rounding = steps >= max(1, self.delay)
            low, high = self._updated_range(tf.stop_gradient(numbers), low, high, steps)
            self.low.assign(low)
            self.high.assign(high)
            self.steps.assign(steps + 1)
        rounded = tf.where(rounding, rounded_in_range(numbers, low, high), numbers)
        return tf.cast(rounded, activations.dtype)

    def _updated_range(self, numbers: Any, low: Any, high: Any, steps: Any) -> tuple[Any, Any]:
        """The range after one more batch."""
        before = tf.cast(steps, tf.float32)
        momentum = tf.minimum(MOMENTUM, before / (before + 1.0))
        if self.freeze is not None:
            momentum = tf.where(steps >= self.freeze, 1.0, momentum)
        smallest, largest = tf.minimum(tf.reduce_min(numbers), 0.0), tf.maximum(tf.reduce_max(numbers), 0.0)
        return momentum * low + (1.0 - momentum) * smallest, momentum * high + (1.0 - momentum) * largest

    def compute_output_shape(self, shape: Any) -> Any:
        """The shape of the input."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "delay": self.delay, "freeze": self.freeze}


def with_rounded_activations(model: keras.Model, delay: int = 0, freeze: int | None = None) -> keras.Model:
    """A model with the same layers, and a `RoundedActivation` after each layer whose output the file quantizes.

    Computation inside a layer, such as between the gates of an LSTM, stays float.

    Args:
        model: A functional or sequential Keras model. It is not changed, and the result shares all its weights.
        delay: See `RoundedActivation`.
        freeze: Likewise.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, (*UNROUNDED, keras.Model)):
            return outputs
        return keras.tree.map_structure(rounded, outputs)

    def rounded(tensor: Any) -> Any:
        if not keras.backend.is_float_dtype(tensor.dtype):
            return tensor
        return RoundedActivation(delay, freeze, dtype=tensor.dtype)(tensor)

    inputs = model.input if isinstance(getattr(model, "input", None), dict) else model.inputs[0]
    # Clone a new model of these layers: `clone_model` would also clone the optimizer and losses of a compiled model.
    view = keras.Model(inputs, model.outputs[0] if isinstance(model, keras.Sequential) else model.output)
    cloned: keras.Model = keras.models.clone_model(
        view, clone_function=lambda layer: layer, call_function=call, recursive=True
    )
    return cloned


def check_activation_bits(bits: int | None, embedding_bits: int) -> None:
    """Raises `ValueError` unless activations are float (None), or both they and embedding rows have 8 bits."""
    if bits not in (None, STORED_BITS):
        raise ValueError(f"`activation_bits` must be {STORED_BITS} or None. Received: activation_bits={bits}")
    if bits is not None and embedding_bits != STORED_BITS:
        raise ValueError(
            f"`activation_bits` needs tables of {STORED_BITS} bits too. Received: embedding_bits={embedding_bits}"
        )
