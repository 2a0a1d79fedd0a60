"""The head of a tagger: with and without a CRF, the tags that it allows, its errors."""

import keras
import numpy as np
import pytest

from textapp.layers import CRF
from textapp.tasks.tagging.head import tagging_head, without_crf


def tagger(*args, **options) -> keras.Model:
    encoded, mask = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    return keras.Model([encoded, mask], tagging_head(*args, **options)(encoded, mask))


ENCODED = np.random.default_rng(0).normal(size=(20, 15, 6)).astype("float32")
REAL = np.arange(15) < np.arange(1, 21)[:, None]


def test_potentials_are_zero_on_padding():
    model = tagger(3, dropout=0.25)
    assert model.get_layer("encoded_dropout").rate == 0.25
    potentials = np.asarray(model([ENCODED, REAL]))
    assert potentials.shape == (20, 15, 3)
    assert np.all(potentials[~REAL] == 0)
    assert np.all(potentials[REAL] != 0)


def test_only_allowed_tags_are_decoded_untrained():
    transitions = np.array([[True, True, False], [True, True, True], [True, True, True]])  # O, B, I
    model = tagger(3, allowed=(transitions, np.array([True, True, False]), np.array([True] * 3)))
    tag_ids, _ = model.get_layer("crf").decode(model([ENCODED, REAL]) * 100, REAL)
    tag_ids = np.asarray(tag_ids)
    assert not np.any(tag_ids[:, 0] == 2)
    assert not np.any((tag_ids[:, :-1] == 0) & (tag_ids[:, 1:] == 2))
    assert np.any(tag_ids[:, 1:] == 2)


def test_without_a_crf_it_ends_in_logits():
    model = tagger(3, crf=False)
    assert model.layers[-1].name == "logits"
    assert without_crf(model) == (model, None)


def test_the_crf_is_split_off_with_the_same_weights():
    model = tagger(3)
    scoring, crf = without_crf(model)
    assert isinstance(crf, CRF)
    assert crf is model.get_layer("crf")
    crf.start.assign([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(crf(scoring([ENCODED, REAL]), mask=REAL), model([ENCODED, REAL]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tags": 1}, "`num_tags` must be 2 or more"),
        ({"crf": False, "allowed": ([[True]], [True], [True])}, "`allowed` needs `crf=True`"),
        ({"allowed": (np.ones((2, 2), bool), [True], [True])}, r"`allowed_transitions` must have shape \(3, 3\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tagger(**{"num_tags": 3, **arguments})
