"""Makes tf.data batches of encoded rows: shuffled, bucketed by length, padded on the right, reproducible.

A batch is `(inputs, targets)`. Inputs are `token_ids`, int32 `(B, T)` padded with 0. If a model reads more of each
token, inputs are a dictionary by name, with `char_ids`, int32 `(B, T, L)`, and `shape_ids`, int32 `(B, T)`. L is the
length of the batch's longest word, or with static shapes the largest length that a model reads. Targets are `(B, ...)`,
one per text, or `(B, T, ...)`, one per token, -1 on padding. With static shapes a batch is `(inputs, targets,
weights)`: rows that only fill the last batch have weight 0. No row is empty.

The batches of an epoch depend only on the seed and the epoch's number. Set `position` to any (epoch, step), and the
next iterator starts there. So a killed training can resume exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.data.rows import EncodedRows

POOL = 64  # batches that are sorted by length together: little padding, but rows rarely meet the same rows again


class TrainingBatches:
    """New batches for each epoch: rows are shuffled, pools of batches sorted by length, and batches shuffled.

    Args:
        rows: The rows.
        batch_size: Rows per batch; the last of an epoch may have fewer.
        seed: With the epoch's number, the seed of the epoch's batches.
        widths: Optional increasing lengths. A batch is padded to the smallest that fits; by default to its longest row.
        static_shapes: Whether each batch has exactly `batch_size` rows and one of `widths` (TPU, XLA).

    Attributes:
        dataset: Repeats epochs without end, for `model.fit(..., steps_per_epoch=batches.steps_per_epoch)`.
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
        """Batches per epoch, the same for each epoch."""
        return -(-len(self.rows) // self.batch_size)

    def _numbers(self) -> Iterator[np.ndarray]:
        """Yields the row numbers of each batch, from `position` on."""
        epoch, step = self.position
        while True:
            yield from shuffled_batches(self.rows.lengths, self.batch_size, (self.seed, epoch))[step:]
            epoch, step = epoch + 1, 0


def shuffled_batches(lengths: np.ndarray, batch_size: int, seed: Sequence[int]) -> list[np.ndarray]:
    """Splits the rows 0 to N - 1 into batches of similar length in random order.

    Args:
        lengths: Integer `(N,)`.
        batch_size: Rows per batch.
        seed: Seed of the random order.

    Returns:
        Arrays int64 `(B,)`, which together have each row once.
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
    """Splits rows into batches from the shortest to the longest rows, for evaluation with the least padding."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def evaluation_batches(
    rows: EncodedRows,
    batch_size: int,
    widths: Sequence[int] | None = None,
    static_shapes: bool = False,
) -> tf.data.Dataset:
    """Makes batches of all rows once, sorted by length. Arguments are as in `TrainingBatches`."""
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
        rows: The rows.
        batches: Function that returns an iterator over row numbers, int64 `(B,)`.
        widths: As in `TrainingBatches`.
        static_rows: Fixed number of rows of each batch, filled with rows of weight 0; or None.

    Returns:
        A dataset of batches, see the module.

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
    """The inputs of a model: the dictionary, or only the token ids if there are no other inputs."""
    return inputs if len(inputs) > 1 else inputs["token_ids"]


def first_rows(rows: EncodedRows, numbers: np.ndarray) -> tuple[Any, tf.Tensor]:
    """Makes one batch of some rows, padded to the longest of them."""
    return _gatherer(rows)(tf.constant(numbers), [None, None])


def bucket_widths(max_tokens: int) -> list[int]:
    """Bucket lengths for texts of up to `max_tokens`: powers of two from 16 on, except those close to `max_tokens`."""
    widths = []
    width = 16
    while 5 * width < 4 * max_tokens:
        widths.append(width)
        width *= 2
    return [*widths, max_tokens]


def _gatherer(rows: EncodedRows) -> Callable[[tf.Tensor, list[Any]], tuple[Any, tf.Tensor]]:
    """Returns a TensorFlow function from row numbers `(B,)` and a shape `[B, T]` to inputs and targets.

    For a None in the shape, the rows give the size.
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
            # A convolution needs at least one character.
            inputs["char_ids"] = inputs["char_ids"][:, :, : tf.maximum(longest, 1)]
        chosen = tf.gather(targets, numbers)
        if rows.per_token:
            chosen = chosen.to_tensor(padding, shape=[*shape, *rows.targets.shape[1:]])
        return model_inputs(inputs), chosen

    return gather
