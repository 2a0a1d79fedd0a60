"""Hashed n-grams: fastText's hash, from published values and an independent loop, and the vectors made of them."""

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.subwords import Subwords, SubwordVectors

WORDS = ["her", "where", "你好", "好", "naïve", "a", "😀x", "Straße", "internationalization", "क्षेत्र"]
LARGEST = 2**31 - 1


def fnv_1a(content: bytes) -> int:
    """fastText's variant: each byte is a signed char, widened with its sign."""
    value = 2166136261
    for byte in content:
        value ^= byte if byte < 128 else byte | 0xFFFFFF00
        value = value * 16777619 % 2**32
    return value


def grams(word, min_n, max_n):
    """The n-grams as texts, from the definition."""
    text = f"<{word}>"
    found = [text[i : i + n] for i in range(len(text)) for n in range(min_n, max_n + 1) if i + n <= len(text)]
    return [gram for gram in found if gram not in ("<", ">", text)]


@pytest.mark.parametrize(("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_loop_gives_the_published_values_of_fnv_1a(text, value):
    assert fnv_1a(text.encode()) == value  # the test vectors of draft-eastlake-fnv


def test_bytes_above_127_are_widened_with_their_sign():
    # "é" is C3 A9: the offset basis with FFFFFFC3, times the prime, with FFFFFFA9, times the prime
    value = ((0x811C9DC5 ^ 0xFFFFFFC3) * 0x01000193 % 2**32 ^ 0xFFFFFFA9) * 0x01000193 % 2**32
    assert Subwords(1, 1, LARGEST).ids("é").tolist() == [value % LARGEST]


def test_ids_are_the_published_hashes():
    assert Subwords(6, 6, LARGEST).ids("foobar")[1] == 0xBF9CF968 % LARGEST
    assert Subwords(1, 1, LARGEST).ids("a").tolist() == [0xE40C292C % LARGEST]


@pytest.mark.parametrize(("min_n", "max_n"), [(3, 6), (1, 2), (1, 6), (2, 2), (5, 40)])
@pytest.mark.parametrize("buckets", [1, 97, 2_000_000, LARGEST])
def test_ids_equal_the_definition(min_n, max_n, buckets):
    subwords = Subwords(min_n, max_n, buckets)
    for word in WORDS:
        expected = [fnv_1a(gram.encode()) % buckets for gram in grams(word, min_n, max_n)]
        ids = subwords.ids(word)
        assert ids.dtype == np.int32
        assert ids.tolist() == expected


def test_ids_equal_gensims():
    fasttext = pytest.importorskip("gensim.models.fasttext")
    for word in WORDS:
        theirs = fasttext.ft_ngram_hashes(word, 3, 6, 2_000_000)
        if 3 <= len(word) + 2 <= 6:  # there the bracketed word counts as an n-gram
            theirs.remove(fnv_1a(f"<{word}>".encode()) % 2_000_000)
        assert Subwords().ids(word).tolist() == theirs


def test_one_character_of_chinese_has_an_n_gram_from_one_on():
    assert len(Subwords(3, 6).ids("好")) == 0
    assert Subwords(1, 3, 1000).ids("好").tolist() == [fnv_1a(gram.encode()) % 1000 for gram in ("<好", "好", "好>")]


def test_many_words_have_the_ids_of_each(monkeypatch):
    monkeypatch.setattr("textapp.vectors.subwords._HASH_BATCH", 3)
    subwords = Subwords(2, 4, 1009)
    ids, offsets = subwords.flat_ids(iter(WORDS))
    assert offsets.dtype == np.int64
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    for i, word in enumerate(WORDS):
        assert ids[offsets[i] : offsets[i + 1]].tolist() == subwords.ids(word).tolist()


def test_the_table_is_padded_with_minus_one():
    table = Subwords(3, 3, 1009).table(["好", "her", "hers"])
    assert table.dtype == np.int32
    assert table.shape == (3, 4)
    assert (table >= 0).sum(axis=1).tolist() == [0, 3, 4]
    assert table[1].tolist() == [*Subwords(3, 3, 1009).ids("her").tolist(), -1]


def test_no_words_have_no_ids():
    ids, offsets = Subwords().flat_ids([])
    assert (len(ids), offsets.tolist()) == (0, [0])
    assert Subwords().table([]).shape == (0, 0)


@pytest.mark.parametrize("settings", [(0, 3), (4, 3), (3, 6, 0), (3, 6, 2**31), (-1, 2)])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(InputError, match=r"Received: (min_n|buckets)="):
        Subwords(*settings)


@pytest.fixture(name="vectors")
def _vectors():
    rows = np.random.default_rng(0).normal(size=(101, 5)).astype(np.float32)
    return SubwordVectors(Subwords(3, 4, 101), rows)


def test_a_word_is_the_mean_of_its_word_row_and_its_n_grams(vectors, monkeypatch):
    monkeypatch.setattr("textapp.vectors.subwords._SUM_BATCH", 4)
    word_rows = np.random.default_rng(1).normal(size=(len(WORDS), 5)).astype(np.float32)
    composed = vectors.compose(WORDS, word_rows)
    for i, word in enumerate(WORDS):
        parts = [word_rows[i], *(vectors.vectors[fnv_1a(gram.encode()) % 101] for gram in grams(word, 3, 4))]
        np.testing.assert_allclose(composed[i], np.mean(parts, axis=0), rtol=1e-5, atol=1e-6)
    assert composed.dtype == np.float32
    np.testing.assert_allclose(vectors.word_rows(WORDS, composed), word_rows, atol=1e-4)


def test_an_unseen_word_is_the_mean_of_its_n_grams(vectors):
    made, known = vectors.unseen(["好", "where"])
    assert known.tolist() == [False, True]
    assert not made[0].any()
    parts = [vectors.vectors[fnv_1a(gram.encode()) % 101] for gram in grams("where", 3, 4)]
    np.testing.assert_allclose(made[1], np.mean(parts, axis=0), rtol=1e-5, atol=1e-6)


def test_vectors_are_one_a_bucket_and_stay_as_they_are(vectors):
    with pytest.raises(InputError, match=r"101 rows.*shape=\(100, 5\)"):
        SubwordVectors(vectors.subwords, np.zeros((100, 5)))
    with pytest.raises(ValueError, match="read-only"):
        vectors.vectors[0, 0] = 1
