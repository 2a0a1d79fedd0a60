"""The loss of a tagger that is a student, against sums over all tag sequences in float64."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from textapp.compress.tagger_loss import UNLABELLED, TagDistillationLoss

from textapp.layers import CRF, CRFLoss
from textapp.layers.token_loss import TokenLoss

RNG = np.random.default_rng(0)
B, T, K = 3, 4, 3
LENGTHS = [4, 2, 3]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]
LOGITS = RNG.normal(size=(B, T, K)).astype("float32") * 2
MARGINALS = RNG.dirichlet(np.ones(K), (B, T)).astype("float32") * MASK[..., None]
TAG_IDS = np.where(MASK, RNG.integers(0, K, (B, T)), -1)
TAG_IDS[2, : LENGTHS[2]] = UNLABELLED
SAID = np.concatenate([TAG_IDS[..., None], MARGINALS], axis=2).astype("float32")


@pytest.fixture(name="crf")
def _crf():
    layer = CRF()
    layer.build((None, None, K))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    return layer


def parts(row, weights):
    """The negative log-likelihood of a row's true tags, and what its marginals add, from all of its sequences."""
    transitions, start, end = (np.float64(weight) for weight in weights)
    sequences = list(itertools.product(range(K), repeat=LENGTHS[row]))
    scores = np.array(
        [
            start[tags[0]]
            + end[tags[-1]]
            + sum(np.float64(LOGITS[row, t, tag]) for t, tag in enumerate(tags))
            + sum(transitions[pair] for pair in itertools.pairwise(tags))
            for tags in sequences
        ]
    )
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    soft = 0.0
    for t, tag in itertools.product(range(LENGTHS[row]), range(K)):
        soft -= MARGINALS[row, t, tag] * np.log(shares[[tags[t] == tag for tags in sequences]].sum())
    true = tuple(TAG_IDS[row, : LENGTHS[row]])
    return (-np.log(shares[sequences.index(true)]) if true in sequences else 0.0), soft


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_with_a_crf_it_is_that_of_all_sequences(crf, alpha):
    loss = TagDistillationLoss(CRFLoss(crf), alpha, reduction="none")
    both = [parts(row, crf.get_weights()) for row in range(B)]
    assert both[2][0] == 0.0  # nobody has tagged it
    expected = [alpha * hard + (1 - alpha) * soft for hard, soft in both]
    np.testing.assert_allclose(loss(SAID, crf(LOGITS, mask=MASK)), expected, rtol=1e-4)


def test_without_a_crf_each_token_is_by_itself():
    nothing = [np.zeros((K, K)), np.zeros(K), np.zeros(K)]
    expected = [0.3 * hard + 0.7 * soft for hard, soft in (parts(row, nothing) for row in range(B))]
    loss = TagDistillationLoss(TokenLoss(), 0.3, reduction="none")
    np.testing.assert_allclose(loss(SAID, LOGITS), expected, rtol=1e-4)
    masked = keras.layers.Masking(mask_value=9.0)(np.where(MASK[..., None], LOGITS, np.float32(9)))
    np.testing.assert_allclose(loss(SAID, masked), expected, rtol=1e-4)  # by the mask nothing is weighed


def test_a_student_that_says_what_its_teachers_say_stands_still(crf):
    potentials = tf.Variable(crf(LOGITS, mask=MASK))
    said = np.concatenate([np.where(MASK, UNLABELLED, -1)[..., None], crf.marginals(potentials, MASK)], axis=2)
    with tf.GradientTape() as tape:
        loss = TagDistillationLoss(CRFLoss(crf), 0.0)(said, potentials)
    for gradient in tape.gradient(loss, [potentials, crf.transitions.value]):
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)


def test_what_the_student_may_not_say_is_left_out():
    forbidden = CRF(allowed_starts=[True, True, False])
    forbidden.build((None, None, K))
    loss = TagDistillationLoss(CRFLoss(forbidden), 0.0)
    said = np.array([[[UNLABELLED, 0.5, 0.25, 0.25]]], "float32")
    value = float(loss(said, forbidden(np.zeros((1, 1, K)), mask=np.array([[True]]))))
    assert value == pytest.approx(0.75 * np.log(2))


def test_a_sentence_without_marginals_has_its_tags_alone(crf):
    said = np.concatenate([TAG_IDS[:1, :, None], np.zeros((1, T, K))], axis=2).astype("float32")
    potentials = crf(LOGITS[:1], mask=MASK[:1])
    received = TagDistillationLoss(CRFLoss(crf), 0.25)(said, potentials)
    np.testing.assert_allclose(received, 0.25 * CRFLoss(crf)(TAG_IDS[:1], potentials), rtol=1e-6)


def test_it_is_saved_and_read_back(crf):
    for own in (CRFLoss(crf), TokenLoss()):
        loss = TagDistillationLoss(own, 0.25, reduction="sum")
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
        assert (again.alpha, again.reduction, type(again.own)) == (0.25, "sum", type(own))
        if isinstance(own, TokenLoss):
            assert float(again(SAID, LOGITS)) == float(loss(SAID, LOGITS))
        else:
            with pytest.raises(ValueError, match="must be the CRF itself once a model is loaded"):
                again(SAID, crf(LOGITS, mask=MASK))


def test_a_weight_out_of_range_is_refused():
    with pytest.raises(ValueError, match="`alpha` must be from 0 to 1"):
        TagDistillationLoss(TokenLoss(), alpha=1.5)
