"""Rows found, rows drawn, extra words, on vectors of four words."""

import numpy as np
import pytest

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.vectors.embedding_table import embedding_table, extend_vocabulary, names_in_file
from textapp.vectors.word_vectors import WordVectors

VECTORS = WordVectors(
    ["The", "好", "film", "New_York", "très", "[UNK]", "差", "rare"],
    np.array([[9, 9], [1, -2], [3, 0], [9, 9], [5, 2], [9, 9], [-1, 4], [7, 8]], np.float32),
)
VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "film", "外", "好"])
COUNTS = {"film": 6, "外": 4, "好": 3, "rare": 1, "差": 2, "weg": 5}


def test_found_rows_are_the_files():
    rows, found = embedding_table(VECTORS, VOCABULARY, COUNTS)
    assert (rows.dtype, rows.shape) == (np.float32, (5, 2))
    assert found.tolist() == [False, False, True, False, True]
    np.testing.assert_array_equal(rows[[2, 4]], [[3, 0], [1, -2]])
    np.testing.assert_array_equal(rows[0], [0, 0])


def test_the_unknown_word_is_the_mean_of_what_it_stands_for():
    rows, _ = embedding_table(VECTORS, VOCABULARY, COUNTS)
    np.testing.assert_allclose(rows[1], [(7 + 2 * -1) / 3, (8 + 2 * 4) / 3], rtol=1e-6)  # rare once, 差 twice
    rows, _ = embedding_table(VECTORS, VOCABULARY, {"film": 6, "好": 3, "weg": 5})
    np.testing.assert_allclose(rows[1], [(3 + 1) / 2, (0 - 2) / 2], rtol=1e-6)


def test_words_left_out_may_be_many(monkeypatch):
    monkeypatch.setattr("textapp.vectors.embedding_table._LOOKUP_BATCH", 2)
    rows, _ = embedding_table(VECTORS, VOCABULARY, {"a": 1, "rare": 1, "b": 1, "c": 9, "d": 9, "e": 9, "差": 2})
    np.testing.assert_allclose(rows[1], [5 / 3, 16 / 3], rtol=1e-6)


def test_other_rows_are_drawn_to_the_spread_of_the_found():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([2.0, -1.0, 0.0]), np.array([0.1, 3.0, 1.0])
    known = [f"wort{i}" for i in range(3000)]
    vectors = WordVectors(known, rng.normal(mean, deviation, (3000, 3)).astype("float32"))
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *known, *(f"外{i}" for i in range(3000))])
    rows, found = embedding_table(vectors, vocabulary, {}, seed=1)
    assert found.sum() == 3000
    drawn = rows[~found][2:]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=4 * deviation.max() / np.sqrt(3000))
    np.testing.assert_allclose(drawn.std(axis=0), deviation, rtol=0.06)
    assert len(np.unique(drawn[:, 0])) > 2900, "each its own"
    again, _ = embedding_table(vectors, vocabulary, {}, seed=1)
    np.testing.assert_array_equal(rows, again)
    other, _ = embedding_table(vectors, vocabulary, {}, seed=2)
    assert (other[~found][2:] != drawn).any()


def test_where_nothing_is_found_nothing_is_made_up():
    rows, found = embedding_table(VECTORS, Vocabulary(["[PAD]", "[UNK]", "외국어"]), {"외국어": 3})
    assert not rows.any()
    assert not found.any()


@pytest.mark.parametrize(
    ("extra_words", "tokenizer", "words"),
    [
        (0, Tokenizer(), []),
        (1, Tokenizer(), ["très"]),  # "The" would be lower-cased, "New_York" cut
        (2, Tokenizer(), ["très", "差"]),
        (9, Tokenizer(), ["très", "差", "rare"]),
        (2, Tokenizer(lowercase=False), ["The", "très"]),
        (9, Tokenizer("char"), ["差"]),
        (3, None, ["The", "New_York", "très"]),
    ],
)
def test_extra_words_are_the_first_that_can_be_tokens(extra_words, tokenizer, words):
    extended = extend_vocabulary(VOCABULARY, VECTORS, extra_words, tokenizer)
    assert extended.tokens == (*VOCABULARY.tokens, *words)


FORM = WordForm(zero_digits=True)


@pytest.mark.parametrize(
    ("tokenizer", "form", "words"),
    [
        (
            Tokenizer(lowercase=False),
            FORM,
            ["film", "00"],
        ),  # no token has the word "The" or "1996", or is cut like "U.S."
        (None, FORM, ["u.s.", "film", "00"]),  # a token of a file may be one
        (None, WordForm(lowercase=False), ["The", "1996", "u.s.", "film", "00"]),
    ],
)
def test_extra_words_of_a_tagger_are_words_that_it_looks_up(tokenizer, form, words):
    vectors = WordVectors(["The", "1996", "u.s.", "film", "00"], np.ones((5, 2), np.float32))
    empty = Vocabulary(["[PAD]", "[UNK]"])
    extended = extend_vocabulary(empty, vectors, 9, tokenizer, form)
    assert extended.tokens == (*empty.tokens, *words)
    for token in words:
        assert extended.encode([form.word(token)]) == [extended.tokens.index(token)]


@pytest.mark.parametrize("normalization", ["nfkc", "nfc", "none"])
def test_a_word_is_found_by_the_name_that_the_file_has_before_normalization(normalization):
    tokenizer = Tokenizer(normalization=normalization)
    vectors = WordVectors(["，", "ㅋㅋㅋ", "Film"], np.arange(6, dtype=np.float32).reshape(3, 2))
    words = [word for text in ("，", "ㅋㅋㅋ", "Film") for word in tokenizer.words(text)]
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *words])
    rows, found = embedding_table(vectors, vocabulary, {}, names=names_in_file(vectors, words, tokenizer))
    assert found.tolist() == [False, False, True, True, False]  # capitals are no matter of normalization
    np.testing.assert_array_equal(rows[2:4], vectors.vectors[:2])
