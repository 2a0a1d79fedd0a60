"""CharacterCNN against a loop over words and positions in NumPy."""

import keras
import numpy as np
import pytest

from tests.layers.gradients import gradients
from textapp.layers import CharacterCNN

RNG = np.random.default_rng(0)
CHAR_IDS = RNG.integers(1, 12, (2, 3, 6))
for word, length in zip(CHAR_IDS.reshape(-1, 6), [6, 1, 3, 0, 2, 4], strict=True):
    word[length:] = 0


def reference(layer, word):
    """One word: each filter's largest answer over the word's characters, zeros around them."""
    table, kernel, bias = layer.get_weights()
    vectors = table[[i for i in word if i]]
    if not len(vectors):
        return np.zeros(layer.filters)
    around = np.pad(vectors, [(layer.width // 2,) * 2, (0, 0)])
    answers = [
        np.tensordot(around[at : at + layer.width], kernel[0], axes=([0, 1], [0, 1])) + bias
        for at in range(len(vectors))
    ]
    return np.maximum(answers, 0.0).max(axis=0)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_equals_the_definition(width):
    layer = CharacterCNN(12, embedding_dim=4, filters=5, width=width)
    layer.build(CHAR_IDS.shape)
    layer.convolution.bias.assign(RNG.normal(size=5))
    expected = [[reference(layer, word) for word in words] for words in CHAR_IDS]
    np.testing.assert_allclose(layer(CHAR_IDS), expected, atol=1e-6)


def test_an_empty_word_is_zeros_and_has_a_finite_gradient():
    layer = CharacterCNN(12, filters=5)
    layer.build((None, None, None))
    layer.convolution.bias.assign(np.ones(5))

    def squares():
        vectors = layer(np.array([[[0, 0], [3, 4]]]))
        return keras.ops.sum(vectors**2), vectors

    vectors, found = gradients(squares, variables=layer.trainable_variables)
    vectors = np.asarray(vectors)
    assert np.all(vectors[0, 0] == 0.0)
    assert np.any(vectors[0, 1] != 0.0)
    assert len(found) == 3
    assert all(np.isfinite(gradient).all() and gradient.any() for gradient in found)


def test_more_padding_changes_nothing():
    layer = CharacterCNN(12, filters=5)
    vectors = layer(CHAR_IDS)
    wide = layer(np.pad(CHAR_IDS, [(0, 0), (0, 2), (0, 3)]))
    np.testing.assert_allclose(wide[:, :3], vectors, atol=1e-6)
    assert np.all(wide[:, 3:] == 0.0)


def test_words_of_one_spelling_are_one_vector_wherever_they_stand():
    layer = CharacterCNN(12, filters=5)
    vectors = layer(np.array([[[3, 4, 5], [6, 7, 0], [3, 4, 5]]]))
    np.testing.assert_allclose(vectors[0, 0], vectors[0, 2], atol=1e-6)
    assert not np.allclose(vectors[0, 0], vectors[0, 1])


def test_dropout_is_of_training_alone():
    keras.utils.set_random_seed(0)
    layer = CharacterCNN(12, filters=5, dropout=0.5)
    still = layer(CHAR_IDS)
    np.testing.assert_array_equal(layer(CHAR_IDS, training=False), still)
    assert not np.allclose(layer(CHAR_IDS, training=True), still)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 1}, "`vocabulary_size` must be 2 or more"),
        ({"width": 2}, "`width` must be odd, a character and its neighbours"),
        ({"width": -1}, "`width` must be odd"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CharacterCNN(**{"vocabulary_size": 12, **arguments})


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"shape \(B, T, L\)"):
        CharacterCNN(12)(np.zeros((2, 4), "int32"))
