"""Texts as rows of ids, for models of one input and of several."""

import keras
import numpy as np
from keras import layers, ops

from textapp.export.lowering import in_float32
from textapp.export.model_inputs import (
    TOKENS,
    empty_inputs,
    keras_logits,
    named_inputs,
    padded_rows,
    select,
    token_inputs,
)


def test_rows_are_cut_and_padded():
    rows = padded_rows([token_inputs([]), token_inputs([1]), token_inputs([1, 2, 3])], 2)
    np.testing.assert_array_equal(rows[TOKENS], [[0, 0], [1, 0], [1, 2]])
    assert rows[TOKENS].dtype == np.int32


def test_inputs_of_another_rank_are_padded_along_the_tokens():
    text = {TOKENS: np.array([4, 5]), "char_ids": np.array([[1, 2, 0], [3, 0, 0]])}
    rows = padded_rows([text, empty_inputs(text)], 3)
    np.testing.assert_array_equal(rows["char_ids"], [[[1, 2, 0], [3, 0, 0], [0, 0, 0]], [[0] * 3] * 3])
    np.testing.assert_array_equal(select(rows, slice(1, 2))[TOKENS], [[0, 0, 0]])


def test_logits_in_batches(attentive):
    rows = {TOKENS: np.random.default_rng(0).integers(1, 40, (5, 4))}
    expected = attentive(rows[TOKENS])
    np.testing.assert_allclose(keras_logits(in_float32(attentive), rows, batch=2), expected, atol=1e-6)


def test_logits_of_a_model_of_several_inputs():
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in (TOKENS, "shapes")}
    weighed = layers.Lambda(lambda ids: ops.cast(ids[TOKENS] * 10 + ids["shapes"], "float32"))(inputs)
    model = keras.Model(inputs, weighed)
    assert set(named_inputs(model)) == {TOKENS, "shapes"}
    rows = {TOKENS: np.array([[1, 2], [3, 4], [5, 6]]), "shapes": np.array([[7, 8], [9, 1], [2, 3]])}
    np.testing.assert_array_equal(keras_logits(model, rows, batch=2), [[17, 28], [39, 41], [52, 63]])
