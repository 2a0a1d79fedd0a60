"""Log-probabilities of tags: their gradient against TensorFlow's own, through a sum over all sequences."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.gradients import gradients
from textapp.layers.linear_chain import tag_log_probabilities, tag_probabilities

K = 3
LENGTHS = np.array([5, 4, 1, 0])
RNG = np.random.default_rng(0)


def chain(tokens):
    """Potentials, transitions (one of them forbidden) and which tokens are real."""
    real = (np.arange(tokens) < LENGTHS[:, None]).astype("float32")
    potentials = RNG.normal(size=(len(LENGTHS), tokens, K)).astype("float32") * 2 * real[..., None]
    transitions = RNG.normal(size=(K, K)).astype("float32")
    transitions[0, 2] = -1e4
    return potentials, transitions, real


def by_enumeration(potentials, transitions, length):
    """The same `(length, K)` of one row, from the scores of all of its sequences, one by one."""
    sequences = np.array(list(itertools.product(range(K), repeat=length)))
    scores = tf.add_n([tf.gather(potentials[t], sequences[:, t]) for t in range(length)])
    for t in range(length - 1):
        scores += tf.gather_nd(transitions, sequences[:, t : t + 2])
    with_tag = [[tf.reduce_logsumexp(scores[sequences[:, t] == tag]) for tag in range(K)] for t in range(length)]
    return tf.convert_to_tensor(with_tag) - tf.reduce_logsumexp(scores)


@pytest.mark.parametrize("tokens", [5, 1])
@pytest.mark.parametrize("jit", [False, True])
def test_values_and_gradients_are_those_of_all_sequences(tokens, jit):
    potentials, transitions, real = chain(tokens)
    upstream = RNG.normal(size=potentials.shape).astype("float32")  # on padding too, where it must not count

    def weighed_logs(potentials, transitions):
        logs = tag_log_probabilities(potentials, transitions, keras.ops.convert_to_tensor(real))
        return keras.ops.sum(logs * upstream), logs

    logs, found = gradients(weighed_logs, [potentials, transitions], jit=jit)
    potentials, transitions = tf.constant(potentials), tf.constant(transitions)
    with tf.GradientTape() as tape:
        tape.watch([potentials, transitions])
        weighed = tf.constant(0.0)
        for row, length in enumerate(np.minimum(LENGTHS, tokens)):
            if length:
                expected = by_enumeration(potentials[row], transitions, length)
                np.testing.assert_allclose(logs[row, :length], expected, rtol=1e-4, atol=1e-4)
                weighed += tf.reduce_sum(expected * upstream[row, :length])
    wanted = tape.gradient(weighed, [potentials, transitions], unconnected_gradients="zero")
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert not np.asarray(logs)[real == 0].any()


def test_they_are_the_logarithms_of_the_probabilities():
    potentials, transitions, real = map(keras.ops.convert_to_tensor, chain(5))
    logs = tag_log_probabilities(potentials, transitions, real)
    probs = np.asarray(tag_probabilities(potentials, transitions, real))
    np.testing.assert_allclose(np.exp(logs) * np.asarray(real)[..., None], probs, atol=1e-6)


def test_a_probability_too_small_for_float32_still_teaches():
    def improbable(potentials):
        log = tag_log_probabilities(potentials, keras.ops.zeros((K, K)), keras.ops.ones((1, 1)))[0, 0, 1]
        return log, log

    log, [gradient] = gradients(improbable, [np.array([[[0.0, -200.0, -200.0]]], "float32")])
    assert float(log) == -200.0
    np.testing.assert_allclose(gradient, [[[-1.0, 1.0, 0.0]]])
