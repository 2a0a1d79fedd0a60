"""Scores before and after: the signature for each text, and both models on the same ids."""

import keras
import pytest
from keras import ops

from textapp.export import convert
from textapp.export.comparison import both_logits, compare_labels
from textapp.export.model_inputs import token_inputs


def counting_model(offset: float) -> keras.Model:
    """Class 0 for short signatures, 1 from 4 tokens on: tells which signature a text went through."""
    ids = keras.Input((None,), dtype="int32")
    width = ops.sum(ops.ones_like(ops.cast(ids, "float32")), axis=1, keepdims=True)
    return keras.Model(ids, {"logits": ops.concatenate([width * 0 + 3.5 + offset, width], axis=1)})


def test_each_text_goes_through_the_shortest_signature_that_fits():
    content = convert(counting_model(0.0), [2, 4])
    reference = keras.Model((ids := keras.Input((None,), dtype="int32")), counting_model(0.0)(ids)["logits"])
    texts = [token_inputs(ids) for ids in ([], [5], [5, 6], [5, 6, 7], [5] * 4, [5] * 9)]
    logits = both_logits(content, reference, [2, 4], texts)
    scores = compare_labels(logits, classes=[0, 0, 0, 1, 1, 0])
    assert scores["count"] == 6
    assert scores["label_agreement"] == 1.0
    assert scores["after"]["accuracy"] == pytest.approx(5 / 6)
    assert scores["after"]["macro_f1"] == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert scores["before"] == scores["after"]
    assert set(compare_labels(logits)) == {"count", "label_agreement"}


def test_disagreement_is_counted():
    content = convert(counting_model(5.0), [2, 4])  # always class 0
    reference = keras.Model((ids := keras.Input((None,), dtype="int32")), counting_model(0.0)(ids)["logits"])
    texts = [token_inputs(ids) for ids in ([5], [5] * 3, [5] * 4, [5, 6])]
    scores = compare_labels(both_logits(content, reference, [2, 4], texts), classes=[0, 1, 1, 0])
    assert scores["label_agreement"] == 0.5
    assert (scores["before"]["accuracy"], scores["after"]["accuracy"]) == (1.0, 0.5)


def test_of_tokens_the_real_ones_are_compared():
    ids = keras.Input((None,), dtype="int32")
    scores = ops.stack([ops.cast(ids, "float32"), ops.cast(-ids, "float32")], axis=2)
    model = keras.Model(ids, {"logits": scores})
    texts = [token_inputs(ids) for ids in ([7, 8, 9], [], [1])]
    logits = both_logits(convert(model, [2, 4]), keras.Model(ids, scores), [2, 4], texts)
    for rows in logits:
        assert [row[:, 0].tolist() for row in rows] == [[7.0, 8.0, 9.0], [], [1.0]]
