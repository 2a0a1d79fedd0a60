"""BigramEmbedding against a loop over pairs in NumPy."""

import itertools
import math

import keras
import numpy as np
import pytest

from textapp.config import ModelConfig
from textapp.layers import BigramEmbedding
from textapp.layers.bigram_embedding import MOST_ROWS, MULTIPLIERS

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 90, (3, 7)).astype("int32")
IDS[1, 4:] = IDS[2, 1:] = 0


@pytest.mark.parametrize(("rows", "prime"), [(64, 7919), (7919, 7927), (7927 * 2, 7919), (7919 * 3, 7927)])
def test_equals_the_definition(rows, prime):
    layer = BigramEmbedding(rows, dim=4)
    vectors = np.asarray(layer(IDS))
    (table,) = layer.get_weights()
    assert table.shape == (rows, 4)
    for text, found in zip(IDS.tolist(), vectors, strict=True):
        for (own, following), vector in zip(itertools.pairwise([*text, 0]), found, strict=True):
            np.testing.assert_array_equal(vector, table[(own % rows * prime + following) % rows])


def test_the_setting_has_the_range_of_the_layer():
    """The layer knows no settings, and settings load no Keras: so each has its own constant."""
    assert ModelConfig.settings()["bigrams"].range.high == MOST_ROWS
    assert ModelConfig.settings()["bigrams"].range.low == 2
    assert MOST_ROWS * max(MULTIPLIERS) + 10**8 < 2**31


def test_pairs_with_one_token_in_common_never_share_a_row():
    layer, ids = BigramEmbedding(211, dim=1), np.arange(211)
    after, before = np.stack([np.full(211, 17), ids], 1), np.stack([ids, np.full(211, 17)], 1)
    for pairs in (after, before):
        assert len(set(np.asarray(layer.pair_rows(pairs))[:, 0].tolist())) == 211


def test_the_largest_numbers_stay_within_int32():
    rows, ids = 250_000, np.array([[249_999, 100_000_000, 99_999_999, 249_999]])
    prime = next(prime for prime in MULTIPLIERS if math.gcd(prime, rows) == 1)
    expected = [(a % rows * prime + b) % rows for a, b in itertools.pairwise([*ids[0].tolist(), 0])]
    assert np.asarray(BigramEmbedding(rows, dim=1).pair_rows(ids))[0].tolist() == expected


def test_more_padding_changes_nothing():
    layer = BigramEmbedding(50, dim=3)
    np.testing.assert_array_equal(np.asarray(layer(np.pad(IDS, [(0, 0), (0, 4)])))[:, :7], layer(IDS))


def test_dropout_leaves_out_whole_pairs_in_training_alone():
    keras.utils.set_random_seed(0)
    layer = BigramEmbedding(500, dim=6, dropout=0.5)
    still = np.asarray(layer(IDS))
    np.testing.assert_array_equal(layer(IDS, training=False), still)
    dropped = np.asarray(layer(IDS, training=True))
    out = np.all(dropped == 0, axis=-1)
    assert 0 < out.sum() < out.size
    np.testing.assert_allclose(dropped[~out], 2 * still[~out], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"rows": 1}, "`rows` must be from 2 to 250000"), ({"rows": 250_001}, "`rows`"), ({"dim": 0}, "`dim` must be 1")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BigramEmbedding(**{"rows": 10, **arguments})


def test_an_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"shape \(B, T\)"):
        BigramEmbedding(12)(np.zeros((2, 4, 1), "int32"))
