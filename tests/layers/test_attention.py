"""AttentionPooling against a NumPy computation, and its edge cases."""

import keras
import numpy as np
import pytest

from tests.layers.gradients import gradients
from textapp.layers import AttentionPooling

RNG = np.random.default_rng(0)
ENCODED = RNG.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)


def reference(layer, encoded, mask):
    """The definition, a text at a time, over its real tokens only."""
    kernel, bias, query = layer.get_weights()
    contexts, weights = np.zeros((len(encoded), encoded.shape[-1])), np.zeros(mask.shape)
    for row, real in enumerate(mask):
        steps = encoded[row][real]
        if len(steps):
            powers = np.exp(np.tanh(steps @ kernel + bias) @ query)[:, 0]
            weights[row, real] = powers / powers.sum()
            contexts[row] = weights[row, real] @ steps
    return contexts, weights


def test_equals_the_definition():
    layer = AttentionPooling(6)
    layer.build(ENCODED.shape)
    layer.bias.assign(RNG.normal(size=6))
    context, weights = layer(ENCODED, mask=MASK, return_attention_scores=True)
    expected_context, expected_weights = reference(layer, ENCODED, MASK)
    np.testing.assert_allclose(context, expected_context, atol=1e-6)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-6)
    assert np.all(np.asarray(weights)[~MASK] == 0.0)


def test_a_row_of_padding_gives_zeros_and_a_finite_gradient():
    layer = AttentionPooling(6)
    layer.build(ENCODED.shape)

    def squares(encoded):
        context = layer(encoded, mask=MASK)
        return keras.ops.sum(context**2), context

    context, found = gradients(squares, [ENCODED], layer.trainable_variables)
    assert np.all(np.asarray(context)[2] == 0.0)
    assert len(found) == 4
    assert all(np.isfinite(gradient).all() for gradient in found)
    assert all(gradient.any() for gradient in found)


def test_without_a_mask_every_step_counts():
    layer = AttentionPooling(6)
    np.testing.assert_allclose(layer(ENCODED), layer(ENCODED, mask=np.ones_like(MASK)), atol=1e-6)


def test_takes_the_mask_that_its_input_carries():
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    layer = AttentionPooling(6)
    model = keras.Model(ids, layer(embedded))
    short, padded = np.array([[3, 4]]), np.array([[3, 4, 0, 0, 0]])
    np.testing.assert_allclose(model(short), model(padded), atol=1e-6)


def test_weights_are_an_output_of_a_functional_model():
    encoded = keras.Input((None, 4))
    layer = AttentionPooling(6)
    model = keras.Model(encoded, layer(encoded, return_attention_scores=True))
    assert [tuple(output.shape) for output in model.outputs] == [(None, 4), (None, None)]
    for got, expected in zip(model(ENCODED), reference(layer, ENCODED, np.ones_like(MASK)), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("units", [0, -1, 2.5, "8"])
def test_units_must_be_positive_integers(units):
    with pytest.raises(ValueError, match=r"`units` must be a positive integer\. Received: units="):
        AttentionPooling(units)


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"shape \(B, T, H\)"):
        AttentionPooling(3)(np.zeros((2, 4), "float32"))
