"""LightRecurrence and its scan against loops in NumPy, and its edge cases."""

import keras
import numpy as np
import pytest
from keras import ops

from textapp.layers import LightRecurrence
from textapp.layers.light_recurrence import CHUNK, linear_recurrence

RNG = np.random.default_rng(0)
LENGTHS = [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 3]


def loop(keep, new):
    """The definition, a step at a time."""
    states, state = np.zeros(new.shape), np.zeros(new[:, 0].shape)
    for step in range(new.shape[1]):
        states[:, step] = state = keep[:, step] * state + new[:, step]
    return states


def recurrence(length):
    return RNG.uniform(size=(3, length, 4)).astype("float32"), RNG.normal(size=(3, length, 4)).astype("float32")


@pytest.mark.parametrize("length", LENGTHS)
def test_the_scan_equals_a_loop(length):
    keep, new = recurrence(length)
    np.testing.assert_allclose(linear_recurrence(keep, new), loop(keep, new), atol=1e-6)


def test_closed_and_open_gates_stay_exact():
    """Where logarithms of gates would be infinite, and where their sums would overflow."""
    new = RNG.normal(size=(1, 600, 2)).astype("float32")
    keep = np.zeros((1, 600, 2), "float32")
    np.testing.assert_array_equal(linear_recurrence(keep, new), new)
    keep[:, ::2] = 1e-30
    np.testing.assert_allclose(linear_recurrence(keep, new), loop(keep, new), atol=1e-6)
    np.testing.assert_allclose(linear_recurrence(np.ones_like(keep), new), np.cumsum(new, axis=1), atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes a gradient with TensorFlow's tape")
@pytest.mark.parametrize("length", LENGTHS)
def test_the_gradient_is_that_of_a_loop(length):
    import tensorflow as tf

    keep, new = map(tf.constant, recurrence(length))

    def step_by_step(keep, new):
        states = [new[:, 0]]
        for step in range(1, length):
            states.append(keep[:, step] * states[-1] + new[:, step])
        return tf.stack(states, axis=1)

    gradients = []
    for compute in (step_by_step, linear_recurrence):
        with tf.GradientTape() as tape:
            tape.watch([keep, new])
            loss = tf.reduce_sum(tf.sin(compute(keep, new)))
        gradients.append(tape.gradient(loss, [keep, new]))
    # A single step has no state before it: the loop does not use its `keep`, and the gradient is 0.
    expected = [0.0 if gradient is None else gradient for gradient in gradients[0]]
    for received, wanted in zip(gradients[1], expected, strict=True):
        np.testing.assert_allclose(received, wanted, atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(layer, sequences, mask):
    """The definition, a text and a direction at a time, over its real tokens only."""
    kernel, bias = layer.get_weights()
    candidate, update = np.split(sequences @ kernel + bias, 2, axis=-1)
    outputs = np.zeros((*sequences.shape[:2], layer.width))
    for row, real in enumerate(mask):
        for start, order in ((0, 1), (layer.units, -1))[: 1 + layer.bidirectional]:
            columns, places = slice(start, start + layer.units), np.flatnonzero(real)[::order]
            state = np.zeros(layer.units)
            for place in places:
                gate = sigmoid(update[row, place, columns])
                state = (1 - gate) * state + gate * candidate[row, place, columns]
                outputs[row, place, columns] = state
    return outputs


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_equals_the_definition(bidirectional, side):
    layer = LightRecurrence(3, bidirectional=bidirectional)
    sequences = RNG.normal(size=(4, 11, 5)).astype("float32")
    mask = np.arange(11) < np.array([[11], [4], [1], [0]])
    if side == "left":
        mask = mask[:, ::-1]
    layer.build(sequences.shape)
    layer.bias.assign(RNG.normal(size=layer.bias.shape))
    outputs = np.asarray(layer(sequences, mask=mask))
    np.testing.assert_allclose(outputs[mask], reference(layer, sequences, mask)[mask], atol=1e-6)
    assert np.isfinite(outputs).all()


def test_without_a_mask_every_step_counts():
    layer, sequences = LightRecurrence(3), RNG.normal(size=(2, 9, 5)).astype("float32")
    np.testing.assert_array_equal(layer(sequences), layer(sequences, mask=np.ones((2, 9), bool)))


def test_the_state_is_float32_in_half_precision():
    """A state that forgets a hundredth a step: in half precision it would stop moving."""
    layer = LightRecurrence(1, bidirectional=False, dtype="mixed_float16")
    layer.build((None, None, 1))
    layer.set_weights([np.array([[1.0, 0.0]]), np.array([0.0, np.log(0.001 / 0.999)])])
    states = np.asarray(layer(np.ones((1, 4000, 1))), "float32")[0, :, 0]
    assert ops.dtype(layer(np.ones((1, 2, 1)))) == "float16"
    np.testing.assert_allclose(states[[999, 3999]], 1 - 0.999 ** np.array([1000.0, 4000.0]), atol=2e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`units` must be a positive integer"):
        LightRecurrence(0)
    with pytest.raises(ValueError, match=r"`sequences` must have shape \(B, T, E\)"):
        LightRecurrence(2).build((None, 4))
