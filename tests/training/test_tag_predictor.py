"""Predicted tags come back in order, whatever the batches."""

import itertools

import keras
import numpy as np
import pytest
from textapp.data.pipeline import evaluation_batches
from textapp.data.tagged_batches import EncodedSentences
from textapp.models.ner import entity_tagger
from textapp.training.tag_predictor import TagMarginals, TagPredictor

from textapp.layers import CRF
from textapp.text.tag_set import TagSet

TAGS = TagSet.build([["B-地", "I-地", "I-地", "B-人", "O"]], "IOBES")


def sentences(count=23) -> EncodedSentences:
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 6, count))])
    rows = rng.integers(1, 12, offsets[-1]).astype("int32")
    return EncodedSentences(rows, offsets, np.zeros(offsets[-1], "int32"), {"token_ids": np.arange(12, dtype="int32")})


def tagger(crf: bool) -> keras.Model:
    """Word number k gives scores of its own to the tags; transitions do so too."""
    token_ids = keras.Input((None,), dtype="int32")
    logits = keras.layers.Embedding(12, len(TAGS), mask_zero=True)(token_ids)
    outputs = CRF(*TAGS.allowed(), name="crf")(logits) if crf else logits
    model = keras.Model(token_ids, outputs)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 2, weight.shape) for weight in model.get_weights()])
    return model


def best_by_brute_force(model: keras.Model, ids: np.ndarray) -> list[int]:
    """Scores every sequence of tags."""
    scores = model.get_layer(index=1).get_weights()[0][ids]
    if len(model.layers) == 2:
        return scores.argmax(axis=1).tolist()
    transitions, start, end = model.get_layer("crf").get_weights()
    allowed = [np.asarray(values) for values in TAGS.allowed()]
    transitions, start, end = (
        np.where(mask, weight, -1e4) for mask, weight in zip(allowed, (transitions, start, end), strict=True)
    )
    return max(
        itertools.product(range(len(TAGS)), repeat=len(ids)),
        key=lambda tags: (
            start[tags[0]]
            + end[tags[-1]]
            + sum(scores[range(len(ids)), tags])
            + sum(transitions[one, two] for one, two in itertools.pairwise(tags))
        ),
    )


@pytest.mark.parametrize("crf", [True, False])
def test_tags_are_the_best_and_in_order(crf):
    encoded, model = sentences(), tagger(crf)
    wanted = [
        TAGS.decode(best_by_brute_force(model, encoded.rows[start:end]))
        for start, end in itertools.pairwise(encoded.offsets)
    ]
    predictor = TagPredictor(model, TAGS)
    assert predictor.predict(encoded, batch_size=4) == wanted
    assert predictor.predict(encoded) == wanted
    static = evaluation_batches(encoded, 4, [3, 5], static_shapes=True)
    assert predictor.predict(encoded, batch_size=4, batches=static) == wanted


def test_the_model_of_the_package_is_understood():
    model = entity_tagger(12, len(TAGS), embedding_dim=4, units=3, cell="rnn", allowed=TAGS.allowed())
    predicted = TagPredictor(model, TAGS).predict(sentences(3))
    assert list(map(len, predicted)) == sentences(3).lengths.tolist()


@pytest.mark.parametrize("crf", [True, False])
def test_marginals_come_back_in_order_too(crf):
    given, model = sentences(), tagger(crf)
    received = TagMarginals(model).predict(given, batch_size=4)
    assert received.shape == (len(given.rows), len(TAGS))
    for start, end in itertools.pairwise(given.offsets):
        outputs = model(given.word_ids()[start:end][None])
        alone = model.get_layer("crf").marginals(outputs)[0] if crf else keras.ops.softmax(outputs[0])
        np.testing.assert_allclose(received[start:end], alone, atol=1e-5)
