"""LSTMs as the fused op UNIDIRECTIONAL_SEQUENCE_LSTM: small files, of the same size for every length.

A Keras 3 LSTM does not become that op without help, for two reasons.

1. Keras no longer marks its LSTM for the converter, which then writes a WHILE loop. The converter still fuses a
   `tf.function` that carries the attribute `api_implements="lstm_..."`, takes `(inputs, h, c, kernel, recurrent_kernel,
   bias)`, returns five results of which the second, the outputs, is the only one used, and has a static length.
2. The op keeps its state from call to call and has no mask. So the input gets one more feature: 0 on real tokens and
   large on padding, where it closes the input, forget and output gates. State and output are then 0, as in a masked
   LSTM before its first real token. One step of padding before the text resets the state of the previous call.

The kernel's new row holds, for each gate, minus the largest weight of that gate: an int8 kernel, which has a scale for
each gate, keeps its scales, and the row is exactly -127 in it. The feature is scaled to push every gate by `-CLOSED` or
more; its size costs no precision, since the op scales each step's input by itself.

With int8 activations the whole input has one scale, and a large feature would take all precision from the others. So
several rows share the work. Each has a small feature (about 2, where word vectors are below 1), and together they close
the gates by `CLOSED_IN_INT8`. The op's sigmoid then still keeps 1/3000 of the state; two steps of padding before the
text keep nothing.
"""

import itertools
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from textapp.compress.granularity import CLOSING_ROWS
from textapp.export.lowerings.padding import CLOSED, CLOSED_IN_INT8, in_order, outputs_over_padding

ALIGNMENT = 4  # ARM kernels copy each row of an int8 matrix whose width is not a multiple of this
_serial = itertools.count()


@keras.saving.register_keras_serializable("textapp")
class FusedLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` as a fused device op: the same weights and, for padding on either end, the same results.

    Attributes:
        integer: Whether activations will be int8.
    """

    integer = False

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Runs over `sequences (B, T, E)` with `mask (B, T)`."""
        del initial_state, training
        kernel, recurrent_kernel = (tf.convert_to_tensor(w) for w in (self.cell.kernel, self.cell.recurrent_kernel))
        bias = tf.convert_to_tensor(self.cell.bias) if self.use_bias else tf.zeros(4 * self.units)
        reset_rows, closing = _reset(kernel, self.units, self.integer)
        before = 2 if self.integer else 1  # steps of padding before the text

        real = tf.ones_like(sequences[..., 0]) if mask is None else tf.cast(in_order(self, mask), tf.float32)
        padding = tf.pad(1.0 - real, [[0, 0], [before, 0]], constant_values=1.0)
        inputs = tf.pad(in_order(self, sequences), [[0, 0], [before, 0], [0, 0]])
        inputs = tf.concat([inputs, tf.expand_dims(padding, -1) * closing], axis=-1)
        outputs = _lstm(inputs, tf.concat([kernel, reset_rows], axis=0), recurrent_kernel, bias)
        return outputs_over_padding(self, outputs[:, before:], mask)


def _reset(kernel: tf.Tensor, units: int, integer: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """New rows `(N, 4H)` of the kernel and their features `(N,)` on padding; the last rows may be 0, for alignment."""
    largest = tf.reduce_max(tf.abs(tf.reshape(kernel, [-1, 4, units])), axis=[0, 2])
    largest = tf.where(largest > 0.0, largest, 1.0)
    gates = tf.constant([1.0, 1.0, 0.0, 1.0])  # input, forget, candidate, output: the candidate needs no closing
    row = tf.reshape(tf.repeat(-largest * gates, units), [1, -1])
    count, closed = (CLOSING_ROWS, CLOSED_IN_INT8) if integer else (1, CLOSED)
    filling = -(kernel.shape[0] + count) % ALIGNMENT
    # Not with tf.repeat: the converter does not fold its TILE, so the op's weights would be computed at each call.
    rows = tf.concat([*[row] * count, tf.zeros((filling, 4 * units))], axis=0)
    features = tf.fill([count], closed / count / tf.reduce_min(largest))
    return rows, tf.concat([features, tf.zeros(filling)], axis=0)


def _lstm(inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """All outputs `(B, T, H)` of an LSTM over `inputs (B, T, E)`, in a function that the converter fuses."""

    def lstm(inputs: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            h, c = state
            i, f, candidate, o = tf.split(x + tf.matmul(h, recurrent_kernel), 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(candidate)
            return tf.sigmoid(o) * tf.tanh(c), c

        projected = tf.transpose(tf.matmul(inputs, kernel) + bias, [1, 0, 2])
        hs, cs = tf.scan(step, projected, (h, c))
        return hs[-1], tf.transpose(hs, [1, 0, 2]), hs[-1], cs[-1], tf.constant(0.0)

    attributes = {
        "api_implements": f"lstm_{next(_serial)}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,
    }
    zeros = ops.zeros((ops.shape(inputs)[0], recurrent_kernel.shape[0]))
    marked = tf.function(lstm, autograph=False, experimental_attributes=attributes)
    return marked(inputs, zeros, zeros, kernel, recurrent_kernel, bias)[1]


LOWERED: dict[type, type] = {keras.layers.LSTM: FusedLSTM}
