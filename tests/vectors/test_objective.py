"""The blocked objective against word2vec's own, pair by pair."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from textapp.vectors.blocks import BlockShape
from textapp.vectors.objective import BlockObjective, context_weights, noise_weights

SHAPE = BlockShape(length=5, segments=3, blocks=2)
WINDOW, NEGATIVES, DIM = 3, 4.0, 7
M = SHAPE.words_per_block


@pytest.fixture
def step():
    """Of two blocks: inputs, outputs, sentences (one ends inside a segment, one is a word long), weights as noise."""
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(2, 2, M, DIM)).astype(np.float32)
    sentences = np.array([[0] * 5 + [1, 1, 1, 2, 2] + [3, 4, 4, 4, 4], [5] * 5 + [6] * 4 + [7] + [8] * 5], np.int32)
    return inputs, outputs, sentences, rng.uniform(0, 2, (2, M)).astype(np.float32)


def in_window(sentences):
    """Each pair (word, neighbour) of a block with its probability, by enumerating word2vec's draws of the window."""
    for word, drawn in itertools.product(range(M), range(1, WINDOW + 1)):
        for other in range(word - drawn, word + drawn + 1):
            inside = 0 <= other < M and other // SHAPE.length == word // SHAPE.length
            if inside and other != word and sentences[other] == sentences[word]:
                yield word, other, 1 / WINDOW


def noise_words(word, weights):
    """The words that noise is drawn from, with their probability times their weight."""
    others = [other for other in range(M) if other // SHAPE.length != word // SHAPE.length]
    return [(other, weights[other] / len(others)) for other in others]


def pairwise_skip_gram(x, y, sentences, weights):
    """Mikolov et al. 2013, eq. 4: the expectation over windows and noise words, one pair after the other."""
    log_sigmoid = tf.math.log_sigmoid
    total, mass = 0.0, 0.0
    for word, other, probability in in_window(sentences):
        total += probability * log_sigmoid(tf.tensordot(x[word], y[other], 1))
        mass += probability
        for noise, share in noise_words(word, weights):
            total += probability * NEGATIVES * share * log_sigmoid(-tf.tensordot(x[word], y[noise], 1))
    return total, mass


def pairwise_cbow(x, y, sentences, weights):
    """The same with the mean of a word's neighbours as input, weighted by their probability to be in the window."""
    total, mass = 0.0, 0.0
    for word in range(M):
        neighbours = [(other, p) for center, other, p in in_window(sentences) if center == word]
        if not neighbours:
            continue
        mean = sum(p * x[other] for other, p in neighbours) / sum(p for _, p in neighbours)
        total += tf.math.log_sigmoid(tf.tensordot(mean, y[word], 1))
        mass += 1
        for noise, share in noise_words(word, weights):
            total += NEGATIVES * share * tf.math.log_sigmoid(-tf.tensordot(mean, y[noise], 1))
    return total, mass


@pytest.mark.parametrize(("kind", "pairwise"), [("skip_gram", pairwise_skip_gram), ("cbow", pairwise_cbow)])
def test_gradient_and_loss_are_those_of_the_pairs(step, kind, pairwise):
    inputs, outputs, sentences, weights = step
    objective = BlockObjective(kind, SHAPE, WINDOW, NEGATIVES)
    by_inputs, by_outputs = objective.gradients(*map(tf.constant, step))
    totals, masses = [], []
    for block in range(SHAPE.blocks):
        x, y = tf.Variable(inputs[block]), tf.Variable(outputs[block])
        with tf.GradientTape() as tape:
            total, mass = pairwise(x, y, sentences[block], weights[block])
        expected = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(total, [x, y])]
        np.testing.assert_allclose(by_inputs[block], expected[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(by_outputs[block], expected[1], rtol=1e-4, atol=1e-5)
        totals.append(float(total))
        masses.append(mass)
    np.testing.assert_allclose(objective.loss(*map(tf.constant, step)), -sum(totals) / sum(masses), rtol=1e-5)


def test_a_word_alone_in_its_sentence_has_no_gradient_as_a_word(step):
    sentences = step[2]
    by_inputs, _ = BlockObjective("skip_gram", SHAPE, WINDOW, NEGATIVES).gradients(*map(tf.constant, step))
    assert sentences[0, 10] == 3
    np.testing.assert_array_equal(by_inputs[0, 10], np.zeros(DIM))
    assert np.abs(by_inputs[0, 9]).max() > 0


def test_loss_before_training_is_that_of_a_coin():
    zeros = tf.zeros((2, M, DIM))
    loss = BlockObjective("skip_gram", SHAPE, WINDOW, NEGATIVES).loss(
        zeros, zeros, tf.zeros((2, M), tf.int32), tf.ones((2, M))
    )
    np.testing.assert_allclose(loss, (1 + NEGATIVES) * np.log(2), rtol=1e-6)


def test_weights_by_hand():
    weights = context_weights(BlockShape(length=4, segments=2, blocks=1), window=2)
    np.testing.assert_allclose(weights[0], [0, 1, 0.5, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(weights[5], [0, 0, 0, 0, 1, 0, 1, 0.5])
    noise = noise_weights(BlockShape(length=4, segments=2, blocks=1))
    np.testing.assert_allclose(noise[0], [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25])


def test_one_segment_has_no_noise():
    with pytest.raises(ValueError, match="`segments` must be 2 or more"):
        BlockObjective("skip_gram", BlockShape(segments=1), 5, 5)
