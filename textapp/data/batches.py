"""Encoded rows to tf.data batches: shuffled, bucketed by length, padded on the right, exactly repeatable.

A batch is `(inputs, targets)`. Inputs are `token_ids`, int32 `(B, T)` padded with 0; where a model reads more of each
token they are a dictionary of all inputs by name, as `char_ids`, int32 `(B, T, L)`, and `shape_ids`, int32 `(B, T)`. L
is the longest word of the batch, and with static shapes the longest that a model reads. Targets are `(B, ...)`, one a
text, or `(B, T, ...)`, one a token, -1 on padding. With static shapes a batch is `(inputs, targets, weights)`, where
rows that only fill up the last batch weigh 0. No row is ever empty.

The batches of an epoch depend on the seed and the epoch's number alone. Set `position` to any (epoch, step) and the
next iterator starts there: that lets a killed training resume as if nothing had happened.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.data.rows import EncodedRows

POOL = 64  # batches sorted by length together: little padding, yet hardly two epochs with the same company


class TrainingBatches:
    """The batches of each epoch, drawn anew: rows shuffled, pools of batches sorted by length, batches shuffled.

    Args:
        rows: What to draw from.
        batch_size: Rows a batch; the last of an epoch may have fewer.
        seed: With the epoch's number it fixes the epoch's batches.
        widths: Optional increasing lengths; a batch is padded to the smallest that holds it, by default to its longest.
        static_shapes: Whether each batch has exactly `batch_size` rows and one of `widths` (TPU, XLA).

    Attributes:
        dataset: Epoch after epoch without end, for `model.fit(..., steps_per_epoch=batches.steps_per_epoch)`.
        position: (epoch, step) at which the next iterator over `dataset` starts.
    """

    def __init__(
        self,
        rows: EncodedRows,
        batch_size: int,
        seed: int = 0,
        widths: Sequence[int] | None = None,
        static_shapes: bool = False,
    ):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: batch_size={batch_size}")
        if static_shapes and not widths:
            raise ValueError("`static_shapes` needs `widths`. Received: widths=None")
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.position = (0, 0)
        self.dataset = padded_batches(rows, self._numbers, widths, batch_size if static_shapes else None)

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch, the same for each."""
        return -(-len(self.rows) // self.batch_size)

    def _numbers(self) -> Iterator[np.ndarray]:
        """The row numbers of batch after batch, from `position` on."""
        epoch, step = self.position
        while True:
            yield from shuffled_batches(self.rows.lengths, self.batch_size, (self.seed, epoch))[step:]
            epoch, step = epoch + 1, 0


def shuffled_batches(lengths: np.ndarray, batch_size: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Splits the rows 0 to N - 1 into batches of similar length in random order.

    Args:
        lengths: Integer `(N,)`.
        batch_size: Rows a batch.
        seed: Entropy of the random order.

    Returns:
        Arrays int64 `(B,)` that together hold each row once.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def sorted_batches(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Splits the rows into batches from the shortest to the longest: the least padding, for evaluation."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def evaluation_batches(
    rows: EncodedRows,
    batch_size: int,
    widths: Sequence[int] | None = None,
    static_shapes: bool = False,
) -> tf.data.Dataset:
    """All rows once, sorted by length. Arguments as in `TrainingBatches`."""
    batches = sorted_batches(rows.lengths, batch_size)
    dataset = padded_batches(rows, lambda: iter(batches), widths, batch_size if static_shapes else None)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))


def padded_batches(
    rows: EncodedRows,
    batches: Callable[[], Iterator[np.ndarray]],
    widths: Sequence[int] | None = None,
    static_rows: int | None = None,
) -> tf.data.Dataset:
    """Gathers and pads rows.

    Args:
        rows: What to gather from.
        batches: Function that returns an iterator over row numbers, int64 `(B,)`.
        widths: As in `TrainingBatches`.
        static_rows: Rows that each batch is filled up to with weight 0, or None.

    Returns:
        A dataset of batches as the module describes them.

    Raises:
        ValueError: A row is longer than the largest of `widths`.
    """
    if widths and rows.lengths.max() > max(widths):
        longest = int(rows.lengths.max())
        raise ValueError(f"`widths` must hold the longest text, {longest} tokens. Received: widths={list(widths)}")
    gather = _gatherer(rows)
    lengths = tf.constant(rows.lengths)

    def batch(numbers: tf.Tensor) -> tuple[Any, ...]:
        width: int | tf.Tensor | None = widths[0] if widths and len(widths) == 1 else None
        if static_rows:
            real = tf.shape(numbers)[0]
            weights = tf.cast(tf.range(static_rows) < real, tf.float32)
            numbers = tf.gather(numbers, tf.range(static_rows) % real)
            numbers.set_shape([static_rows])
        if widths and width is None:
            allowed = tf.constant(widths, tf.int64)
            longest = tf.reduce_max(tf.gather(lengths, numbers))
            width = tf.gather(allowed, tf.searchsorted(allowed, [longest])[0])
        gathered = gather(numbers, [static_rows, width])
        return (*gathered, weights) if static_rows else gathered

    dataset = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec([None], tf.int64))
    return dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def model_inputs(inputs: dict[str, Any]) -> Any:
    """Inputs by name as a model takes them: the token ids alone where there are no others."""
    return inputs if len(inputs) > 1 else inputs["token_ids"]


def first_rows(rows: EncodedRows, numbers: np.ndarray) -> tuple[Any, tf.Tensor]:
    """Some rows as one batch, padded to the longest of them."""
    return _gatherer(rows)(tf.constant(numbers), [None, None])


def bucket_widths(max_tokens: int) -> list[int]:
    """Lengths for texts of up to `max_tokens`: powers of two from 16 on, unless they come close to the longest."""
    widths = []
    width = 16
    while 5 * width < 4 * max_tokens:
        widths.append(width)
        width *= 2
    return [*widths, max_tokens]


def _gatherer(rows: EncodedRows) -> Callable[[tf.Tensor, list[Any]], tuple[Any, tf.Tensor]]:
    """A TensorFlow function from row numbers `(B,)` and a shape `[B, T]` to inputs and targets.

    What of the shape is None is left to the rows.
    """
    index = tf.RaggedTensor.from_row_splits(rows.index, rows.offsets)
    tables = {name: tf.constant(table) for name, table in rows.inputs.items()}
    letters = tf.constant(np.count_nonzero(rows.inputs["char_ids"], axis=1)) if "char_ids" in tables else None
    padding = rows.padding() if rows.per_token else None
    if rows.per_token:
        targets = tf.RaggedTensor.from_row_splits(rows.targets, rows.offsets)
    else:
        targets = tf.constant(rows.targets)

    def gather(numbers: tf.Tensor, shape: list[Any]) -> tuple[Any, tf.Tensor]:
        places = tf.gather(index, numbers).to_tensor(0, shape=shape)
        inputs = {name: tf.gather(table, places) for name, table in tables.items()}
        if letters is not None and shape[0] is None:
            longest = tf.reduce_max(tf.gather(letters, places))
            # A convolution wants one character at least.
            inputs["char_ids"] = inputs["char_ids"][:, :, : tf.maximum(longest, 1)]
        chosen = tf.gather(targets, numbers)
        if rows.per_token:
            chosen = chosen.to_tensor(padding, shape=[*shape, *rows.targets.shape[1:]])
        return model_inputs(inputs), chosen

    return gather
