"""Recurrent layers step by step: no loop, no variable tensor, about three times as fast as a loop.

The input projection of all steps is one matrix product before them. A step is one matrix product and some products of
gates. Running backwards is only another order of the steps and costs nothing. What padding must do is added to the
projection, so that it costs nothing in the steps either:

- LSTM: `-CLOSED` on the input, forget and output gates. State and output are 0 on padding, which is what a masked LSTM
  holds before its first real token.
- GRU: `CLOSED` on the update gate, which is then exactly 1: the state stays.
- Simple RNN has no gate; its state is multiplied by the mask.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from textapp.export.padding import outputs_over_padding

CLOSED = 60.0
Step = Callable[..., tuple[tf.Tensor, ...]]


@keras.saving.register_keras_serializable("textapp")
class UnrolledLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, unrolled: same weights and, for padding on either end, same results."""

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Runs over `sequences (B, T, E)` with `mask (B, T)`."""
        del initial_state, training
        units, recurrent_kernel = self.units, _reordered(self.cell.recurrent_kernel, self.units)
        projected = tf.matmul(sequences, _reordered(self.cell.kernel, units))
        if self.use_bias:
            projected += _reordered(self.cell.bias, units)
        if mask is not None:
            gates = tf.constant([[[-CLOSED] * 3 * units + [0.0] * units]])
            projected += tf.cast(tf.logical_not(mask), tf.float32)[..., None] * gates

        h = c = None
        outputs = []
        for gates in _steps(projected, self.go_backwards):
            if h is not None:
                gates = gates + tf.matmul(h, recurrent_kernel)
            opened, candidate = tf.split(gates, [3 * units, units], axis=-1)
            i, f, o = tf.split(self.recurrent_activation(opened), 3, axis=-1)
            candidate = i * self.activation(candidate)
            c = candidate if c is None else f * c + candidate
            h = o * self.activation(c)
            outputs.append(h)
        mask = mask if mask is None or not self.go_backwards else tf.reverse(mask, [1])
        return outputs_over_padding(self, tf.stack(outputs, axis=1), mask)


def _reordered(weights: Any, units: int) -> tf.Tensor:
    """Keras' gates i, f, candidate, o as i, f, o, candidate: one sigmoid over three neighbours."""
    i, f, candidate, o = tf.split(tf.convert_to_tensor(weights), 4, axis=-1)
    return tf.concat([i, f, o, candidate], axis=-1)


def _steps(projected: tf.Tensor, go_backwards: bool) -> list[tf.Tensor]:
    """The steps `(B, G)` of `projected (B, T, G)` in the order in which they run."""
    steps = tf.unstack(projected, axis=1)
    return steps[::-1] if go_backwards else steps
