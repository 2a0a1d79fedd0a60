"""Recurrent layers step by step: no loop and no variable tensor. This is the fastest form, and every client runs it.

The input projection of all steps is one matrix product before them; a step is one product with the state and a few
elementwise ops. Running backwards is only another order of the steps and costs nothing. A constant is added to the
gates of padding in the projection, so that the mask costs nothing in the steps either:

- LSTM: `-CLOSED` on the input, forget and output gates. State and output are then 0, as in a masked LSTM before its
  first real token.
- GRU: `CLOSED` on the update gate, which is then exactly 1: the state stays, as in Keras.
- The simple RNN has no gates; its state is multiplied by the mask, and is 0 on padding.

With int8 activations one large number widens the range, and so the rounding step, of all others. So the LSTM's gates
are set to a small constant on padding. The GRU's update gate reaches 255/256 at most, so the GRU selects the old state.

The gates stay in Keras' order and are split evenly: XNNPACK does not run an uneven split, and passing an op to another
kernel takes longer than the op.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from textapp.export.lowerings.padding import CLOSED, CLOSED_IN_INT8, in_order, outputs_over_padding


@keras.saving.register_keras_serializable("textapp")
class UnrolledLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, unrolled: the same weights and, for padding on either end, the same results.

    Attributes:
        integer: Whether activations will be int8.
    """

    integer = False

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Runs over `sequences (B, T, E)` with `mask (B, T)`."""
        del initial_state, training
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        h = c = _zeros(self, sequences)
        outputs: list[tf.Tensor] = []
        for step in _steps(self, _projected(self, sequences, self.cell.bias, mask, [-1.0, -1.0, 0.0, -1.0])):
            if self.integer and not outputs:  # there is no state to forget
                i, candidate, o = _gates(self, step, 0, 2, 3)
                c = self.recurrent_activation(i) * self.activation(candidate)
            else:
                i, f, candidate, o = tf.split(step + tf.matmul(h, recurrent_kernel), 4, axis=-1)
                c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(candidate)
            h = self.recurrent_activation(o) * self.activation(c)
            outputs.append(h)
        return outputs_over_padding(self, tf.stack(outputs, axis=1), mask)


@keras.saving.register_keras_serializable("textapp")
class UnrolledGRU(keras.layers.GRU):
    """`keras.layers.GRU`, unrolled: the same weights and, for any mask, the same results.

    Attributes:
        integer: Whether activations will be int8.
    """

    integer = False

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Runs over `sequences (B, T, E)` with `mask (B, T)`."""
        del initial_state, training
        units, bias, recurrent_bias = self.units, self.cell.bias, 0.0
        if self.use_bias and self.reset_after:  # one bias for the input's gates and one for the state's
            bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(bias))
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        gate_kernel, candidate_kernel = tf.split(recurrent_kernel, [2 * units, units], axis=-1)

        steps = _steps(self, _projected(self, sequences, bias, None if self.integer else mask, [1.0, 0.0, 0.0]))
        real = [None] * len(steps) if mask is None or not self.integer else _steps(self, tf.expand_dims(mask, -1))
        h = _zeros(self, sequences)
        outputs: list[tf.Tensor] = []
        for step, kept in zip(steps, real, strict=True):
            state_z = state = 0.0
            if self.integer and not outputs and not self.reset_after:  # there is no state to reset
                z, candidate = _gates(self, step, 0, 2)
            else:
                z, r, candidate = tf.split(step, 3, axis=-1)
                if self.reset_after:
                    state_z, state_r, state = tf.split(tf.matmul(h, recurrent_kernel) + recurrent_bias, 3, axis=-1)
                    r = self.recurrent_activation(r + state_r)
                    state = r * state
                else:
                    state_z, state_r = tf.split(tf.matmul(h, gate_kernel), 2, axis=-1)
                    r = self.recurrent_activation(r + state_r)
                    state = tf.matmul(r * h, candidate_kernel)
            z = self.recurrent_activation(z + state_z)
            new = z * h + (1.0 - z) * self.activation(candidate + state)
            h = new if kept is None else tf.where(kept, new, h)
            outputs.append(h)
        stacked = tf.stack(outputs, axis=1)
        if mask is not None and self.zero_output_for_mask:
            stacked *= tf.expand_dims(tf.cast(in_order(self, mask), tf.float32), -1)
        return stacked if self.return_sequences else stacked[:, -1]


@keras.saving.register_keras_serializable("textapp")
class UnrolledSimpleRNN(keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, unrolled: the same weights and, for padding on either end, the same results."""

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Runs over `sequences (B, T, E)` with `mask (B, T)`."""
        del initial_state, training
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        steps = _steps(self, _projected(self, sequences, self.cell.bias, None, []))
        real = [1.0] * len(steps) if mask is None else _steps(self, tf.expand_dims(tf.cast(mask, tf.float32), -1))
        h = _zeros(self, sequences)
        outputs = []
        for step, kept in zip(steps, real, strict=True):
            h = kept * self.activation(step + tf.matmul(h, recurrent_kernel))
            outputs.append(h)
        return outputs_over_padding(self, tf.stack(outputs, axis=1), mask)


def _projected(layer: Any, sequences: Any, bias: Any, mask: Any, on_padding: list[float]) -> tf.Tensor:
    """The gates' inputs `(B, T, G)`. For padding, `on_padding` is 1 to open a gate, -1 to close it, 0 to leave it."""
    projected = tf.matmul(sequences, tf.convert_to_tensor(layer.cell.kernel))
    if bias is not None:
        projected += tf.convert_to_tensor(bias)
    if mask is not None and on_padding:
        padding = tf.expand_dims(tf.cast(tf.logical_not(mask), tf.float32), -1)
        closed = CLOSED_IN_INT8 if layer.integer else CLOSED
        if layer.integer:
            projected *= 1.0 - padding  # so that no bias is added to the small constant
        projected += padding * tf.repeat(tf.constant(on_padding) * closed, layer.units)
    return projected


def _gates(layer: Any, step: tf.Tensor, *numbers: int) -> list[tf.Tensor]:
    """Some of the gates `(B, H)` of a step `(B, G)`.

    A split into all gates would have unused outputs. Their ranges cannot be measured, so the converter would leave the
    whole split in float.
    """
    return [step[:, number * layer.units : (number + 1) * layer.units] for number in numbers]


def _zeros(layer: Any, sequences: Any) -> Any:
    """The state `(B, H)` before the first step."""
    return ops.zeros((ops.shape(sequences)[0], layer.units))


def _steps(layer: Any, sequences: tf.Tensor) -> list[tf.Tensor]:
    """The steps `(B, G)` of `(B, T, G)` in the order in which the layer takes them."""
    steps = tf.unstack(sequences, axis=1)
    return steps[::-1] if layer.go_backwards else steps


LOWERED: dict[type, type] = {
    keras.layers.LSTM: UnrolledLSTM,
    keras.layers.GRU: UnrolledGRU,
    keras.layers.SimpleRNN: UnrolledSimpleRNN,
}
