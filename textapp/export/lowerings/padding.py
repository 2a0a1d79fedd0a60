"""The outputs of a masked recurrent layer on padding."""

from typing import Any

import tensorflow as tf

CLOSED = 60.0
"""Added to a gate to keep it open or closed: sigmoid(-60) is below 1e-26, and sigmoid(60) is 1 in float32."""

CLOSED_IN_INT8 = 8.0
"""The same for int8 activations. A range up to 60 would leave real tokens steps of half a unit. Since an int8 LOGISTIC
has steps of 1/256, sigmoid(-8) is 0."""


def in_order(layer: Any, sequences: tf.Tensor) -> tf.Tensor:
    """A sequence `(B, T, ...)` in the order in which the layer takes its steps."""
    return tf.reverse(sequences, [1]) if layer.go_backwards else sequences


def outputs_over_padding(layer: Any, outputs: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The output of a Keras recurrent layer, made from the outputs of a lowered layer at each step.

    Keras repeats the last real output over the padding that follows it, or gives zeros with `zero_output_for_mask` (as
    `Bidirectional` sets it for sequences).

    Args:
        layer: The `keras.layers.RNN`, for its settings.
        outputs: `(B, T, H)` in the order of the steps; 0 on padding.
        mask: `(B, T)`, True on real tokens, in the order of the text; None if every token is real.

    Returns:
        `(B, T, H)`, or `(B, H)` of the last step without `return_sequences`.
    """
    if mask is None or layer.zero_output_for_mask:
        return outputs if layer.return_sequences else outputs[:, -1]
    steps = tf.range(outputs.shape[1])
    last = tf.reduce_max(tf.where(in_order(layer, mask), steps, 0), axis=1)
    if layer.return_sequences:
        return tf.gather(outputs, tf.minimum(steps, tf.expand_dims(last, 1)), batch_dims=1)
    return tf.gather(outputs, last, batch_dims=1)
