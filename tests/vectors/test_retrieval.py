"""Nearest neighbours by cosine and CSLS, against all pairs at once."""

import numpy as np
import pytest

from textapp.vectors import retrieval
from textapp.vectors.retrieval import mean_cosines, nearest


def units(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1, 50, 2**24])
def test_batches_find_what_sorting_finds(monkeypatch, block):
    monkeypatch.setattr(retrieval, "_BLOCK", block)
    queries, keys = units(0, 40), units(1, 17)
    cosines = queries @ keys.T
    np.testing.assert_array_equal(nearest(queries, keys, 4), np.argsort(-cosines, axis=1)[:, :4])
    np.testing.assert_array_equal(nearest(queries, keys, 17), np.argsort(-cosines, axis=1))
    means = np.sort(cosines, axis=1)[:, -3:].mean(axis=1)
    np.testing.assert_allclose(mean_cosines(queries, keys, 3), means, rtol=1e-5)
    np.testing.assert_allclose(mean_cosines(queries, keys, 99), cosines.mean(axis=1), atol=1e-6)


def test_csls_as_the_paper_has_it():
    queries, keys = units(0, 40), units(1, 17)
    cosines = queries @ keys.T
    r_queries = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
    r_keys = np.sort(cosines, axis=0)[-10:].mean(axis=0)
    csls = 2 * cosines - r_queries[:, np.newaxis] - r_keys
    found = nearest(queries, keys, 5, mean_cosines(keys, queries, 10) / 2)
    np.testing.assert_array_equal(found, np.argsort(-csls, axis=1)[:, :5])
    assert (found != nearest(queries, keys, 5)).any()


def test_csls_passes_over_a_hub():
    degrees = np.radians([0, 25, 50, 24.9])
    keys = np.stack([np.cos(degrees), np.sin(degrees)], axis=1).astype(np.float32)
    queries = keys[:3]
    # Key 3 is a hub amid all the queries; a query at 13 degrees is nearer to it than to its own key 0.
    query = np.array([[np.cos(np.radians(12.6)), np.sin(np.radians(12.6))]], np.float32)
    assert nearest(query, keys[[0, 3]], 1).tolist() == [[1]]
    penalties = mean_cosines(keys[[0, 3]], queries, 3) / 2
    assert nearest(query, keys[[0, 3]], 1, penalties).tolist() == [[0]]


def test_equal_keys_come_in_their_order():
    keys = np.array([[0, 1], [1, 0], [1, 0], [1, 0]], np.float32)
    assert nearest(np.array([[1, 0]], np.float32), keys, 3).tolist() == [[1, 2, 3]]
