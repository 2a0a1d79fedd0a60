"""Rows updated where they stand, against Adagrad written out in NumPy."""

import numpy as np
import tensorflow as tf

from textapp.vectors.adagrad_rows import AdagradRows


def test_two_steps_with_a_row_twice():
    rows = AdagradRows(5, 3, init_range=0.5, initial_accumulator=0.7, seed=1)
    start = rows.vectors.numpy()
    assert (np.abs(start) <= 0.5).all()
    assert len(np.unique(start)) == 15
    expected, accumulator = start.astype(np.float64), np.full(5, 0.7)
    rng = np.random.default_rng(0)
    for ids in ([1, 4, 1], [4, 0, 1]):
        gradients = rng.normal(size=(3, 3))
        rows.add(tf.constant(ids), tf.constant(gradients, tf.float32), tf.constant(0.2))
        for row, gradient in zip(ids, gradients, strict=True):  # all squares are added first
            accumulator[row] += (gradient**2).mean()
        for row, gradient in zip(ids, gradients, strict=True):
            expected[row] += 0.2 * gradient / np.sqrt(accumulator[row])
    np.testing.assert_allclose(rows.vectors.numpy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(rows.vectors.numpy()[[2, 3]], start[[2, 3]])
    np.testing.assert_array_equal(rows.read(tf.constant([3, 0, 3])), rows.vectors.numpy()[[3, 0, 3]])
    np.testing.assert_allclose(rows.accumulator.numpy(), accumulator, rtol=1e-5)


def test_without_an_init_range_all_is_zero():
    np.testing.assert_array_equal(AdagradRows(2, 3).vectors.numpy(), np.zeros((2, 3)))
