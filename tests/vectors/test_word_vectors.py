"""Word vectors answer as brute force does, and refuse what breaks a rule."""

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors


def cosine(x, y):
    return float(np.dot(x, y) / np.sqrt(np.dot(x, x) * np.dot(y, y)))


@pytest.fixture(name="vectors")
def _vectors():
    words = ["der", "好", "Haus", "häuser", "吃", "naïve", "😀", "zu"]
    return WordVectors(words, np.random.default_rng(3).normal(size=(8, 5)), counts=np.arange(8, 0, -1))


@pytest.fixture(name="with_subwords")
def _with_subwords():
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    return WordVectors(["gut"], [[1, 0]], subwords=SubwordVectors(Subwords(3, 3, 50), rows))


def test_words_and_rows_belong_together(vectors):
    assert (len(vectors), vectors.dim) == (8, 5)
    assert vectors.vectors.dtype == np.float32
    assert vectors.counts.dtype == np.int64
    assert list(vectors) == list(vectors.words)
    assert "häuser" in vectors
    assert "Häuser" not in vectors
    assert (vectors.index("吃"), vectors.index("喝")) == (4, None)
    np.testing.assert_array_equal(vectors["吃"], vectors.vectors[4])


def test_float32_is_not_copied_and_nothing_can_be_written():
    rows = np.ones((2, 3), np.float32)
    vectors = WordVectors(["a", "b"], rows)
    assert np.shares_memory(vectors.vectors, rows)
    for array in (vectors.vectors, vectors.unit_vectors, vectors["a"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    rows[0] = 2  # the caller's own array is as it was


def test_an_unknown_word_names_similar_ones(vectors):
    with pytest.raises(InputError, match=r"no vector for the word 'haus'; words of similar spelling: Haus"):
        vectors["haus"]
    with pytest.raises(InputError, match=r"'häusern'; words of similar spelling: häuser$"):
        vectors["häusern"]
    with pytest.raises(InputError, match=r"no vector for the word '喝'$"):
        vectors["喝"]


def test_lookup_gives_zeros_where_unknown(vectors):
    matrix, known = vectors.lookup(["吃", "喝", "der", "吃"])
    assert known.tolist() == [True, False, True, True]
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [vectors["吃"], np.zeros(5), vectors["der"], vectors["吃"]])
    assert [part.shape for part in vectors.lookup([])] == [(0, 5), (0,)]


def test_subwords_serve_unseen_words(with_subwords):
    mean = with_subwords.subwords.vectors[Subwords(3, 3, 50).ids("gutes")].mean(axis=0)
    np.testing.assert_allclose(with_subwords["gutes"], mean, rtol=1e-6)
    matrix, known = with_subwords.lookup(["gut", "x", "gutes"])
    assert known.tolist() == [True, False, True]
    np.testing.assert_allclose(matrix, [[1, 0], [0, 0], mean], rtol=1e-6)
    assert "gutes" not in with_subwords
    assert [word for word, _ in with_subwords.neighbors("gutes")] == ["gut"]
    with pytest.raises(InputError, match="no vector for the word 'x'"):
        with_subwords["x"]


def test_unit_vectors_have_norm_one_and_zero_stays_zero():
    vectors = WordVectors(["a", "b"], [[3, 4], [0, 0]])
    np.testing.assert_allclose(vectors.unit_vectors, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert vectors.unit_vectors is vectors.unit_vectors
    assert vectors.norms.tolist() == [5, 0]


@pytest.mark.parametrize("k", [1, 3, 7, 100])
def test_neighbors_equal_brute_force(vectors, k):
    expected = sorted(
        ((word, cosine(vectors["好"], vectors[word])) for word in vectors if word not in ("好", "zu")),
        key=lambda pair: -pair[1],
    )[:k]
    found = vectors.neighbors("好", k, exclude=["zu", "nicht dabei"])
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], rtol=1e-5, atol=1e-6)


def test_neighbors_of_a_vector_hold_every_word(vectors):
    (word, score), *_ = vectors.neighbors(vectors["吃"] * 7)
    assert word == "吃"
    assert score == pytest.approx(1, abs=1e-6)
    assert len(vectors.neighbors(vectors["吃"], 100)) == 8


def test_equally_near_words_keep_their_order():
    vectors = WordVectors(["q", "c", "a", "d", "b"], [[1, 0], [0, 1], [1, 1], [0, 2], [2, 2]])
    assert [word for word, _ in vectors.neighbors("q", 3)] == ["a", "b", "c"]


def test_a_zero_vector_is_near_to_nothing():
    vectors = WordVectors(["a", "leer", "b"], [[1, 0], [0, 0], [-1, 0]])
    assert vectors.neighbors("a") == [("leer", 0.0), ("b", -1.0)]
    with pytest.raises(InputError, match="the vector of 'leer' must be finite and not zero"):
        vectors.neighbors("leer")


def test_analogy_is_3cosadd():
    # man + royal = king, woman + royal = queen; "prince" is nearest to man - woman + ... only when king is no answer
    words = ["man", "woman", "king", "queen", "prince", "王"]
    rows = np.array([[1, 0, 0.1], [0, 1, 0.1], [1, 0, 1], [0, 1, 1], [1, 0, 0.8], [-1, -1, 0]], np.float32)
    vectors = WordVectors(words, rows)
    assert vectors.analogy("man", "king", "woman")[0][0] == "queen"
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    target = unit[2] - unit[0] + unit[1]
    expected = sorted((-cosine(target, unit[i]), words[i]) for i in (3, 4, 5))
    found = vectors.analogy("man", "king", "woman", k=10)
    assert [word for word, _ in found] == [word for _, word in expected]
    np.testing.assert_allclose([score for _, score in found], [-score for score, _ in expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], np.zeros((0, 2))), "a row for each of the 0 words"),
        ((["a"], np.zeros((2, 2))), r"each of the 1 words.*shape=\(2, 2\)"),
        ((["a"], np.zeros((1, 0))), "and a column"),
        ((["a"], [1.0]), r"shape=\(1,\)"),
        ((["a", "a"], np.ones((2, 1))), "must differ. Received: 'a' as words 0 and 1"),
        ((["a", ""], np.ones((2, 1))), "word 1 is empty"),
        ((["a\nb"], np.ones((1, 1))), r"line break. Received: 'a\\nb'"),
        ((["\ud83d"], np.ones((1, 1))), "half a surrogate pair"),
        ((["a", "b"], [[0.0], [np.nan]]), "must be finite. Received: NaN or infinity in row 1"),
        ((["a"], [[-np.inf]]), "row 0"),
        ((["a"], [[1.0]], [1, 2]), r"`counts` must be 1 whole numbers"),
        ((["a"], [[1.0]], [-1]), "none negative"),
        ((["a"], [[1.0]], [1.5]), "dtype=float64"),
        ((["a"], [[1.0]], None, [[1.0, 2.0]]), "`outputs` must have 1 columns"),
        ((["a"], [[1.0]], None, None, SubwordVectors(Subwords(3, 3, 2), np.zeros((2, 3)))), "`subwords` must have 1"),
    ],
)
def test_what_breaks_a_rule_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        WordVectors(*arguments)


@pytest.mark.parametrize(
    ("query", "k", "message"),
    [
        ("好", 0, "`k` must be positive"),
        (np.ones(4), 1, r"must have the shape \(5,\). Received: shape=\(4,\)"),
        (np.zeros(5), 1, "finite and not zero"),
        (np.full(5, np.nan), 1, "finite and not zero"),
        ("unbekannt", 1, "no vector for the word 'unbekannt'"),
    ],
)
def test_a_wrong_question_is_refused(vectors, query, k, message):
    with pytest.raises(InputError, match=message):
        vectors.neighbors(query, k)
