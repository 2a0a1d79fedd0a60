"""Words in the plane."""

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_map import map_words
from textapp.vectors.word_vectors import WordVectors


def three_groups() -> WordVectors:
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3), 20, axis=0)
    return WordVectors([f"词{i}" for i in range(60)], centres + 0.05 * rng.normal(size=(60, 3)))


def test_near_vectors_are_near_points():
    vectors = three_groups()
    found = map_words(vectors, vectors.words, seed=1)
    groups = np.repeat(np.arange(3), 20)
    distances = np.linalg.norm(found.positions[:, np.newaxis] - found.positions, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.95
    assert found.positions.dtype == np.float32
    np.testing.assert_allclose([found.positions.min(), found.positions.max()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(found.positions.min(axis=0) + found.positions.max(axis=0), 1, atol=1e-5)
    again = map_words(vectors, vectors.words, seed=1)
    np.testing.assert_array_equal(again.positions, found.positions)
    for cluster in range(4):  # a quarter of the words to 60 / 15 clusters: none mixes two groups
        assert len(set(groups[found.clusters == cluster])) == 1


def test_neighbours_are_the_nearest_of_the_map():
    vectors = three_groups()
    words = vectors.words[::7]
    found = map_words(vectors, [*words, words[0]])
    assert found.words == words
    for row, word in enumerate(words):
        expected = [pair for pair in vectors.neighbors(word, 59) if pair[0] in words][:8]
        assert [words[i] for i in found.neighbors[row]] == [other for other, _ in expected]
        np.testing.assert_allclose(found.cosines[row], [cosine for _, cosine in expected], atol=1e-5)
    assert found.ranks.tolist() == list(range(1, 61, 7))


def test_equal_vectors_are_no_neighbours_of_themselves():
    vectors = WordVectors([f"w{i}" for i in range(12)], np.repeat([[1.0, 0], [0, 1]], 6, axis=0))
    found = map_words(vectors, vectors.words)
    assert all(row not in neighbors for row, neighbors in enumerate(found.neighbors))


def test_unseen_words_have_no_rank():
    rng = np.random.default_rng(0)
    subwords = SubwordVectors(Subwords(buckets=50), rng.normal(size=(50, 4)).astype(np.float32))
    vectors = WordVectors(["gut", "böse", "слово", "word"], rng.normal(size=(4, 4)), subwords=subwords)
    assert map_words(vectors, [*vectors.words, "ungut"]).ranks.tolist() == [1, 2, 3, 4, 0]


def test_what_has_no_map_is_refused():
    vectors = three_groups()
    with pytest.raises(InputError, match="5 or more different words; received 4"):
        map_words(vectors, [*vectors.words[:4], vectors.words[0]])
    with pytest.raises(InputError, match="no vector for the word 'нет'"):
        map_words(vectors, [*vectors.words[:5], "нет"])
    with pytest.raises(InputError, match="all have the same direction"):
        map_words(WordVectors(vectors.words, np.ones((60, 3))), vectors.words)
