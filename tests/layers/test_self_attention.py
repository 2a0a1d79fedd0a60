"""SelfAttention against a loop over heads and pairs of tokens in NumPy, and its edge cases."""

import cmath

import keras
import numpy as np
import pytest

from textapp.layers import SelfAttention

RNG = np.random.default_rng(0)
SEQUENCES = RNG.normal(size=(3, 7, 8)).astype("float32")
MASK = np.arange(7) < np.array([[7], [3], [1]])


def built(heads=2):
    layer = SelfAttention(heads)
    layer.build(SEQUENCES.shape)
    for bias in (layer.bias, layer.output_bias):
        bias.assign(RNG.normal(size=bias.shape))
    return layer


def turned(vector, place):
    """Rotary positions by complex numbers: the pair (i, i + D/2) is one number, turned by its angle."""
    half = len(vector) // 2
    turns = [cmath.exp(1j * place * 10_000 ** (-index / half)) for index in range(half)]
    numbers = (vector[:half] + 1j * vector[half:]) * turns
    return np.concatenate([numbers.real, numbers.imag])


def reference(layer, sequences, mask):
    """The definition, a text, a head and a token at a time, over real tokens only."""
    kernel, bias, output_kernel, output_bias = layer.get_weights()
    outputs = np.zeros(sequences.shape)
    size = sequences.shape[-1] // layer.heads
    for row, real in enumerate(mask):
        query, key, value = np.split(sequences[row] @ kernel + bias, 3, axis=-1)
        for place in np.flatnonzero(real):
            parts = []
            for head in range(layer.heads):
                columns = slice(head * size, (head + 1) * size)
                own = turned(query[place, columns], place)
                scores = [own @ turned(key[other, columns], other) / size**0.5 for other in np.flatnonzero(real)]
                weights = np.exp(scores) / np.exp(scores).sum()
                parts.append(weights @ value[real][:, columns])
            outputs[row, place] = np.concatenate(parts) @ output_kernel + output_bias
    return outputs


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_equals_the_definition(heads):
    layer = built(heads)
    outputs = np.asarray(layer(SEQUENCES, mask=MASK))
    np.testing.assert_allclose(outputs[MASK], reference(layer, SEQUENCES, MASK)[MASK], atol=1e-5)


def test_only_distances_count():
    """Three tokens at the start of a text, or after four of padding."""
    layer = built()
    moved = np.concatenate([RNG.normal(size=(1, 4, 8)), SEQUENCES[:1, :3]], axis=1)
    alone = layer(SEQUENCES[:1, :3])
    np.testing.assert_allclose(layer(moved, mask=np.arange(7)[None] >= 4)[:, 4:], alone, atol=1e-5)


def test_the_order_of_tokens_counts():
    layer = built()
    assert not np.allclose(layer(SEQUENCES[:, ::-1])[:, ::-1], layer(SEQUENCES), atol=1e-2)


def test_a_row_of_padding_is_finite():
    assert np.isfinite(built()(SEQUENCES, mask=np.zeros_like(MASK))).all()


def test_half_precision_is_near():
    full = built()
    half = SelfAttention(2, dtype="mixed_float16")
    half.build(SEQUENCES.shape)
    half.set_weights(full.get_weights())
    outputs = half(SEQUENCES, mask=MASK)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(np.asarray(outputs)[MASK], full(SEQUENCES, mask=MASK)[MASK], atol=2e-2)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`heads` must be a positive integer"):
        SelfAttention(0)
    with pytest.raises(ValueError, match="H a multiple of 2 \\* heads, 8"):
        SelfAttention(4).build((None, None, 12))
