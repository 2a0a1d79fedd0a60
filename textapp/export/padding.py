"""What a masked recurrent layer gives out on padding."""

from typing import Any

import tensorflow as tf


def outputs_over_padding(layer: Any, outputs: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The output of a Keras recurrent layer, given what it computes at each step.

    Keras repeats the last real output over the padding that follows it, or gives zeros with `zero_output_for_mask` (as
    inside `Bidirectional` with `return_sequences`).

    Args:
        layer: The `keras.layers.RNN` that is lowered, for its settings.
        outputs: `(B, T, H)` in the order in which the steps were run; 0 on padding.
        mask: `(B, T)` in the same order, or None where every step is real.

    Returns:
        `(B, T, H)`, or `(B, H)` of the last step without `return_sequences`.
    """
    if mask is None or layer.zero_output_for_mask:
        return outputs if layer.return_sequences else outputs[:, -1]
    steps = tf.range(outputs.shape[1])
    last = tf.reduce_max(tf.where(mask, steps, 0), axis=1)
    if layer.return_sequences:
        return tf.gather(outputs, tf.minimum(steps, last[:, None]), batch_dims=1)
    return tf.gather(outputs, last, batch_dims=1)
