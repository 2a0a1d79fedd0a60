"""Scores before and after: the signature for each text, and both models on the same ids."""

import keras
import numpy as np
import pytest
from keras import ops

from textapp.export import convert
from textapp.export.comparison import compare, keras_logits, padded_rows
from textapp.export.lowering import in_float32


def counting_model(offset: float) -> keras.Model:
    """Class 0 for short signatures, 1 from 4 tokens on: tells which signature a text went through."""
    ids = keras.Input((None,), dtype="int32")
    width = ops.sum(ops.ones_like(ops.cast(ids, "float32")), axis=1, keepdims=True)
    return keras.Model(ids, {"logits": ops.concatenate([width * 0 + 3.5 + offset, width], axis=1)})


def test_each_text_goes_through_the_shortest_signature_that_fits():
    content = convert(counting_model(0.0), [2, 4])
    reference = keras.Model((ids := keras.Input((None,), dtype="int32")), counting_model(0.0)(ids)["logits"])
    texts = [[], [5], [5, 6], [5, 6, 7], [5] * 4, [5] * 9]
    scores = compare(content, reference, [2, 4], texts, classes=[0, 0, 0, 1, 1, 0])
    assert scores["count"] == 6
    assert scores["label_agreement"] == 1.0
    assert scores["after"]["accuracy"] == pytest.approx(5 / 6)
    assert scores["after"]["macro_f1"] == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert scores["before"] == scores["after"]
    assert set(compare(content, reference, [2, 4], texts)) == {"count", "label_agreement"}


def test_disagreement_is_counted():
    content = convert(counting_model(5.0), [2, 4])  # always class 0
    reference = keras.Model((ids := keras.Input((None,), dtype="int32")), counting_model(0.0)(ids)["logits"])
    scores = compare(content, reference, [2, 4], [[5], [5] * 3, [5] * 4, [5, 6]], classes=[0, 1, 1, 0])
    assert scores["label_agreement"] == 0.5
    assert (scores["before"]["accuracy"], scores["after"]["accuracy"]) == (1.0, 0.5)


def test_rows():
    np.testing.assert_array_equal(padded_rows([[], [1], [1, 2, 3]], 2), [[0, 0], [1, 0], [1, 2]])


def test_logits_in_batches(attentive):
    rows = np.random.default_rng(0).integers(1, 40, (5, 4))
    reference = in_float32(attentive)
    np.testing.assert_allclose(keras_logits(reference, rows, batch=2), attentive(rows), atol=1e-6)
