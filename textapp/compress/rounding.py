"""Rounds weights to the integers that a file stores, with a straight-through gradient."""

from typing import Any

import numpy as np
import tensorflow as tf

from textapp.compress.granularity import Granularity

STORED_BITS = 8  # of all integer tensors except packed tables
PACKED_BITS = (4, 2)  # of packed rows


def levels(bits: int) -> int:
    """The largest integer n of a symmetric narrow range -n, ..., n: 127 for 8 bits, 7 for 4, 1 for 2."""
    return 2 ** (bits - 1) - 1


def check_bits(name: str, bits: int) -> None:
    """Raises `ValueError` unless a number of bits is from 2 to 8."""
    if not 2 <= bits <= STORED_BITS:
        raise ValueError(f"`{name}` must be from 2 to {STORED_BITS}. Received: {name}={bits}")


def stored_bits(granularity: Granularity, bits: int) -> int:
    """The bits in which a file stores weights of `bits`: 8, except for rows that can be packed."""
    return row_bits(granularity.view[1], bits) if granularity.kind == "row" else STORED_BITS


def row_bits(width: int, bits: int) -> int:
    """The bits in which a file stores rows of `width` numbers of `bits`.

    A row must fill whole bytes, because the device finds it by its byte offset: 4 bits need an even width, 2 bits a
    multiple of four. The result is the fewest bits that fit.
    """
    return min((packed for packed in PACKED_BITS if bits <= packed and width * packed % 8 == 0), default=STORED_BITS)


def largest(weight: tf.Tensor, granularity: Granularity) -> tf.Tensor:
    """The largest absolute weight of each group, in `granularity.shape`."""
    return tf.reduce_max(tf.abs(tf.reshape(weight, granularity.view)), axis=granularity.axes, keepdims=True)


def rounded(weight: tf.Tensor, granularity: Granularity, bits: int, limit: tf.Tensor | None = None) -> tf.Tensor:
    """The weights that the device computes with, bit for bit.

    With `limit` m of a group, `S = levels(stored bits)` and `L = levels(bits)`:

        k = round(w L / m),  q = round(k S / L),  forward: q * float32(m / S),  gradient: that of w if |w| <= m, else 0

    The file stores q, and m / S as its scale. If `bits` are fewer than the stored bits, q uses only some of the file's
    integers, spaced as evenly as possible. (Otherwise the second rounding changes nothing.)

    The converter takes the scale from the largest weight. float32(S * float32(m / S)) / S gives the same float32 scale
    again for S = 127, 7, 3 and 1 (10^6 random m each), so rounded weights are rounded to themselves. For this, a group
    always gets one weight of size m, even if `limit` is not the largest weight.

    A table with one scale uses `rounded_in_range` instead, with the range of its numbers.

    Args:
        weight: float32, with the shape of the variable.
        granularity: Its groups.
        bits: From 2 to 8.
        limit: The range of each group, in `granularity.shape`; by default `largest`.
    """
    if granularity.kind == "tensor":
        low, high = tf.reduce_min(weight), tf.reduce_max(weight)
        return rounded_in_range(weight, tf.stop_gradient(tf.minimum(low, 0.0)), tf.stop_gradient(tf.maximum(high, 0.0)))
    stored = stored_bits(granularity, bits)
    fine, coarse = float(levels(stored)), float(levels(bits))
    limits = largest(weight, granularity) if limit is None else limit

    @tf.custom_gradient
    def straight_through(weight: tf.Tensor) -> tuple[tf.Tensor, Any]:
        seen = tf.reshape(weight, granularity.view)
        inside = tf.abs(seen) <= limits
        if limit is not None:
            reaching = tf.where(tf.abs(seen) >= largest(weight, granularity), tf.sign(seen) * limit, seen)
            clipped = tf.clip_by_value(reaching, -limit, limit)
        else:
            clipped = seen
        steps = tf.round(tf.math.divide_no_nan(clipped, limits / coarse))
        integers = steps if coarse == fine else tf.round(steps * (fine / coarse))
        values = tf.where(_integer(granularity), integers * (limits / fine), seen)

        def gradient(upstream: Any) -> tf.Tensor:
            dense = tf.convert_to_tensor(upstream)  # for an embedding it is `IndexedSlices`
            return tf.where(tf.reshape(inside, tf.shape(dense)), dense, tf.zeros_like(dense))

        return tf.reshape(values, weight.shape), gradient

    return straight_through(weight)


def rounded_in_range(numbers: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Rounds numbers to eight bits with a zero point, clipped to a range that is first shifted so that 0 is exact.

    `S = (high - low) / 255`, zero point `z = round(-low / S)`, forward: `S (clip(round(x / S) + z, 0, 255) - z)`;
    gradient: that of the numbers inside the range, 0 outside.

    Args:
        numbers: float32, of any shape.
        low: float32 `()`, at most 0.
        high: float32 `()`, at least 0. If both are 0, all results are 0.
    """
    return tf.quantization.fake_quant_with_min_max_vars(numbers, low, high, num_bits=STORED_BITS)


def _integer(granularity: Granularity) -> np.ndarray:
    """Whether each group is stored as integers, in a shape that broadcasts over the view."""
    columns = granularity.view[-1]
    return np.arange(columns) < columns - granularity.float_columns
