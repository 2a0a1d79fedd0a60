"""Rounding agrees with TensorFlow's op, is exact in float32, is its own fixed point, and lets the gradient through."""

import numpy as np
import pytest
import tensorflow as tf

from textapp.compress.granularity import Granularity
from textapp.compress.rounding import check_bits, largest, levels, rounded, row_bits, stored_bits

ROWS, CHANNELS = Granularity("row", (9, 32), (1,)), Granularity("channel", (32, 9), (0,))
GATES = Granularity("gate", (6, 4, 5), (0, 2))


def weights(*shape: int, seed: int = 1) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_rows_agree_with_tensorflows_op(bits):
    """The op that tfmot's quantizers call, whose groups are on the last axis and whose values are off by an ulp."""
    weight = weights(9, 32)
    limits = tf.reduce_max(tf.abs(weight), axis=1)
    reference = tf.transpose(
        tf.quantization.fake_quant_with_min_max_vars_per_channel(
            tf.transpose(weight), -limits, limits, num_bits=bits, narrow_range=True
        )
    )
    assert stored_bits(ROWS, bits) == bits
    np.testing.assert_allclose(rounded(weight, ROWS, bits), reference, atol=1e-6)


def test_values_are_the_products_that_the_device_computes():
    weight = weights(32, 9)
    scales = (np.abs(weight).max(axis=0) / np.float32(127)).astype("f4")
    expected = np.rint(weight / scales).astype("f4") * scales
    np.testing.assert_array_equal(rounded(weight, CHANNELS, 8), expected)


def test_a_gate_has_one_scale():
    weight = weights(6, 20)
    values = rounded(weight, GATES, 8).numpy()
    for gate in range(4):
        part, before = values[:, 5 * gate : 5 * gate + 5], weight.numpy()[:, 5 * gate : 5 * gate + 5]
        scale = np.float32(np.abs(before).max() / np.float32(127))
        np.testing.assert_array_equal(part, np.rint(before / scale).astype("f4") * scale)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize(("granularity", "shape"), [(ROWS, (9, 32)), (CHANNELS, (32, 9)), (GATES, (6, 20))])
def test_coarse_values_are_some_of_the_files(granularity, shape, bits):
    weight = weights(*shape)
    stored = levels(stored_bits(granularity, bits))
    values = np.reshape(rounded(weight, granularity, bits), granularity.view)
    scales = np.float32(largest(weight, granularity)) / np.float32(stored)
    integers = np.rint(values / scales)
    np.testing.assert_array_equal(integers.astype("f4") * scales, values)
    allowed = {round(k * stored / levels(bits)) for k in range(-levels(bits), levels(bits) + 1)}
    assert set(integers.astype(int).ravel().tolist()) <= allowed
    step = np.float32(largest(weight, granularity)) / levels(bits)
    assert np.all(np.abs(values - np.reshape(weight, granularity.view)) <= 0.5 * step + 0.51 * scales * (bits < 8))


@pytest.mark.parametrize("stored", [8, 4, 3, 2])
def test_a_scale_is_found_again_from_the_largest_value(stored):
    """What exactness in the file rests on: float32(S float32(m / S)) / S is float32(m / S)."""
    rng = np.random.default_rng(stored)
    limits = (rng.uniform(0.5, 1.0, 1_000_000) * 2.0 ** rng.integers(-20, 5, 1_000_000)).astype("f4")
    scales = limits / np.float32(levels(stored))
    again = (scales * np.float32(levels(stored))) / np.float32(levels(stored))
    np.testing.assert_array_equal(again, scales)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize(("granularity", "shape"), [(ROWS, (9, 32)), (CHANNELS, (32, 9)), (GATES, (6, 20))])
def test_rounded_weights_round_to_themselves(granularity, shape, bits):
    once = rounded(weights(*shape), granularity, bits)
    np.testing.assert_array_equal(rounded(once, granularity, bits), once)
    if stored_bits(granularity, bits) == 8:  # what the converter does to them
        np.testing.assert_array_equal(rounded(once, granularity, 8), once)


def test_zeros_stay_zeros():
    weight = tf.concat([tf.zeros((1, 32)), weights(8, 32)], axis=0)
    values = rounded(weight, ROWS, 4).numpy()
    assert np.isfinite(values).all()
    assert not values[0].any()


def test_float_columns_are_left_alone():
    granularity = Granularity("channel", (32, 9), (0,), float_columns=3)
    weight = weights(32, 9)
    values = rounded(weight, granularity, 2)
    np.testing.assert_array_equal(values[:, 6:], weight[:, 6:])
    np.testing.assert_array_equal(values[:, :6], rounded(weight, CHANNELS, 2)[:, :6])
    assert granularity.count == 6


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_the_gradient_passes_straight_through(bits):
    weight = weights(9, 32)
    factors = weights(9, 32, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        loss = tf.reduce_sum(rounded(weight, ROWS, bits) * factors)
    np.testing.assert_array_equal(tape.gradient(loss, weight), factors)  # the largest weight's too


def test_looked_up_rows_have_a_gradient():
    weight = weights(9, 32)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        loss = tf.reduce_sum(tf.gather(rounded(weight, ROWS, 4), [2, 2, 5]))
    expected = np.zeros((9, 32), "f4")
    expected[2], expected[5] = 2, 1
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(loss, weight)), expected)


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_given_limit_is_reached_and_clips(factor):
    weight = weights(9, 32)
    limit = largest(weight, ROWS) * factor
    with tf.GradientTape() as tape:
        tape.watch(weight)
        values = rounded(weight, ROWS, 4, limit)
    np.testing.assert_allclose(largest(values, ROWS), limit, rtol=1e-6)
    np.testing.assert_array_equal(rounded(values, ROWS, 4), values)  # the file's scale is the limit's
    inside = np.abs(weight) <= np.asarray(limit)
    np.testing.assert_array_equal(tape.gradient(values, weight), inside.astype("f4"))
    assert inside.all() == (factor > 1)


def test_rows_are_packed_where_they_fill_bytes():
    assert [stored_bits(ROWS, bits) for bits in range(2, 9)] == [2, 4, 4, 8, 8, 8, 8]
    assert [stored_bits(Granularity("row", (9, 30), (1,)), bits) for bits in (2, 4, 8)] == [4, 4, 8]
    assert [stored_bits(Granularity("row", (9, 31), (1,)), bits) for bits in (2, 4, 8)] == [8, 8, 8]
    assert {stored_bits(CHANNELS, bits) for bits in range(2, 9)} == {8}
    assert [row_bits(64, bits) for bits in (2, 4, 8)] == [2, 4, 8]


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_are_checked(bits):
    with pytest.raises(ValueError, match="`bits` must be from 2 to 8"):
        check_bits("bits", bits)
