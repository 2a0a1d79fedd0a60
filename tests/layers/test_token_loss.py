"""The loss of a tagger without a CRF, against NumPy and against a CRF without transitions."""

import keras
import numpy as np
import pytest

from textapp.layers import CRF, CRFLoss
from textapp.layers.token_loss import TokenLoss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (3, 5, 4)).astype("float32")
TAGS = np.array([[0, 3, 1, 2, 2], [1, -1, -1, -1, -1], [-1] * 5])


def by_hand(row: int) -> float:
    """Token by token."""
    probs = np.exp(LOGITS[row].astype("float64"))
    probs /= probs.sum(axis=1, keepdims=True)
    return -sum(np.log(probs[place, tag]) for place, tag in enumerate(TAGS[row]) if tag >= 0)


def test_each_sequence_equals_numpy():
    losses = keras.ops.convert_to_numpy(TokenLoss(reduction="none")(TAGS, LOGITS))
    np.testing.assert_allclose(losses, [by_hand(row) for row in range(3)], rtol=1e-5)
    assert losses[2] == 0


def test_weights_of_sequences_count():
    loss = TokenLoss(reduction="mean_with_sample_weight")
    weighted = float(loss(TAGS, LOGITS, sample_weight=np.array([1.0, 3.0, 0.0])))
    assert weighted == pytest.approx((by_hand(0) + 3 * by_hand(1)) / 4, rel=1e-5)


def test_it_is_a_crf_without_transitions():
    crf = CRF()
    mask = TAGS[:2] >= 0
    expected = float(CRFLoss(crf)(TAGS[:2], crf(LOGITS[:2], mask=mask)))
    assert float(TokenLoss()(TAGS[:2], LOGITS[:2])) == pytest.approx(expected, rel=1e-5)


def test_it_comes_back_from_its_config():
    copy = keras.losses.deserialize(keras.losses.serialize(TokenLoss(reduction="sum")))
    assert isinstance(copy, TokenLoss)
    assert float(copy(TAGS, LOGITS)) == pytest.approx(by_hand(0) + by_hand(1), rel=1e-5)


def test_a_mask_that_the_logits_carry_changes_nothing():
    ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    model = keras.Model(ids, embedding(ids))
    model.compile(loss=TokenLoss(reduction="mean_with_sample_weight"))
    token_ids = np.array([[3, 5, 7], [2, 0, 0]])
    tags, weights = np.array([[0, 1, 2], [3, -1, -1]]), np.array([1.0, 0.5])
    logits = model.predict(token_ids, verbose=0)
    expected = float(TokenLoss(reduction="mean_with_sample_weight")(tags, logits, sample_weight=weights))
    assert model.evaluate(token_ids, tags, sample_weight=weights, verbose=0) == pytest.approx(expected, rel=1e-5)
