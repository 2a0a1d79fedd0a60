"""Rows are kept in order in a matrix that grows with what arrives, and with nothing else."""

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.row_collector import RowCollector


def place(i):
    return f"Datei:{i}"


@pytest.mark.parametrize("sizes", [[1] * 50, [7, 1, 40], [1000, 3000]])
def test_rows_survive_the_growth(monkeypatch, sizes):
    monkeypatch.setattr("textapp.vectors.row_collector._FIRST_BYTES", 0)
    matrix = np.random.default_rng(0).normal(size=(sum(sizes), 3)).astype(np.float32)
    words = [f"好{i}" for i in range(len(matrix))]
    rows, start = RowCollector(3), 0
    for size in sizes:
        rows.add(words[start : start + size], matrix[start : start + size], place)
        start += size
    found = rows.finish("Datei")
    assert found.words == tuple(words)
    np.testing.assert_array_equal(found.vectors, matrix)
    assert found.vectors.base.size == matrix.size  # the spare rows are given back


def test_room_is_what_the_limit_leaves():
    rows = RowCollector(1, limit=3)
    rows.add(["a", "a"], np.ones((2, 1)), place)
    assert (rows.room, rows.is_full, rows.num_read) == (2, False, 2)
    rows.add(["b", "c"], np.ones((2, 1)), place)
    assert (rows.room, rows.is_full) == (0, True)
    assert (RowCollector(1).room, RowCollector(1).is_full) == (None, False)


def test_repeats_are_counted_across_blocks_and_reported_once():
    rows, lines = RowCollector(1), []
    rows.add(["a", "好"], [[1], [2]], place)
    rows.add(["b", "好", "a", "b"], np.array([[3], [4], [5], [6]]), place)
    found = rows.finish("Datei", lines.append)
    assert dict(zip(found.words, found.vectors.ravel().tolist(), strict=True)) == {"a": 1, "好": 2, "b": 3}
    assert lines == [
        "Datei: 3 repeated words left out, the first vector of each kept; the first repeat is Datei:1: '好'"
    ]


def test_a_vector_that_is_not_finite_is_named_behind_repeats():
    rows = RowCollector(2)
    with pytest.raises(InputError, match="Datei:2: the vector of '好' holds NaN, infinity or a number too large"):
        rows.add(["a", "a", "好"], np.array([[1, 2], [3, 4], [5, 1e300]]), place)


def test_nothing_is_an_error():
    with pytest.raises(InputError, match="Datei: there is no vector to read"):
        RowCollector(2).finish("Datei")
