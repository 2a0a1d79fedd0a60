"""Training data larger than memory: rows are read again each epoch.

A first pass counts what the vocabulary, the targets and the number of steps need. After it, only a shuffle buffer is in
memory.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.data.batches import model_inputs
from textapp.data.rows import NO_TARGET
from textapp.text.token_encoder import TokenEncoder

Row = tuple[list[str], Any]
"""Tokens, one or more, and their target by name: a label, or a tag for each token."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """The counts of the first pass over rows.

    Attributes:
        tokens: The count of each token.
        names: The count of each target.
        lengths: int64 `(max_tokens + 1,)`, the number of rows of each length; longer rows are cut.
        cut: The number of longer rows.
        fingerprint: Identifies the rows and their order, hexadecimal.
    """

    tokens: collections.Counter[str]
    names: collections.Counter[str]
    lengths: np.ndarray
    cut: int
    fingerprint: str

    @classmethod
    def read(cls, rows: Iterable[Row], max_tokens: int) -> "Scan":
        """Reads all rows once, keeping only distinct tokens in memory."""
        counts: collections.Counter[str] = collections.Counter()
        names: collections.Counter[str] = collections.Counter()
        lengths, cut, digest = np.zeros(max_tokens + 1, np.int64), 0, hashlib.sha256()
        for tokens, target in rows:
            targets = [target] if isinstance(target, str) else target
            digest.update("\0".join((*tokens, "", *targets, "\n")).encode("utf-8", "surrogatepass"))
            cut += len(tokens) > max_tokens
            counts.update(tokens[:max_tokens])
            lengths[min(len(tokens), max_tokens)] += 1
            names.update(targets[:max_tokens])
        return cls(counts, names, lengths, cut, digest.hexdigest())


class StreamedBatches:
    """Batches of rows from a source, read again each epoch: shuffled in a buffer, bucketed by length, padded.

    For `fit`, like `textapp.data.batches.TrainingBatches`, and reproducible in the same way: an epoch's batches depend
    only on the source, the seed and the epoch's number.

    Args:
        source: The rows; iterated again in each epoch.
        scan: The counts of the first pass.
        encoder: Converts tokens to ids.
        names: The names of the targets, by number.
        per_token: Whether each token has a target.
        max_tokens: Longer rows lose their end.
        batch_size: Rows per batch; the last of each bucket may have fewer.
        widths: Increasing upper lengths of the buckets; the last is `max_tokens`.
        seed: With the epoch's number, the seed of the order.
        buffer: Rows that are shuffled together. More rows need more memory; fewer keep more of the source's order.
        static_shapes: Whether each batch has exactly `batch_size` rows and its bucket's width. The rest of each bucket,
            fewer than `batch_size` rows, is then left out of the epoch.

    Attributes:
        dataset: Repeats epochs without end; for the batches see `textapp.data.batches`.
        position: (epoch, step) at which the next iterator over `dataset` starts.
        steps_per_epoch: Batches per epoch.
    """

    def __init__(
        self,
        source: Iterable[Row],
        scan: Scan,
        encoder: TokenEncoder,
        names: Sequence[str],
        *,
        per_token: bool,
        max_tokens: int,
        batch_size: int,
        widths: Sequence[int],
        seed: int = 0,
        buffer: int = 50_000,
        static_shapes: bool = False,
    ):
        if list(widths) != sorted(set(widths)) or widths[-1] != max_tokens:
            raise ValueError(
                f"`widths` must increase up to {max_tokens}, `max_tokens`. Received: widths={list(widths)}"
            )
        self.source, self.position = source, (0, 0)
        self._number = {name: number for number, name in enumerate(names)}
        self._encoder, self._per_token, self._max_tokens = encoder, per_token, max_tokens
        self._widths, self._batch_size, self._static = list(widths), batch_size, static_shapes
        self._seed, self._buffer = seed, buffer
        starts = [0, *(width + 1 for width in widths)]
        in_bucket = np.add.reduceat(scan.lengths, starts[:-1])
        per_bucket = in_bucket // batch_size if static_shapes else -(-in_bucket // batch_size)
        self.steps_per_epoch = int(per_bucket.sum())
        positions = tf.data.Dataset.from_generator(
            self._positions, output_signature=(tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.int64))
        )
        self.dataset = positions.flat_map(self._epoch).prefetch(tf.data.AUTOTUNE)

    def _positions(self) -> Iterator[tuple[int, int]]:
        """Yields (epoch, first step) for each epoch, from `position` on."""
        epoch, step = self.position
        while True:
            yield epoch, step
            epoch, step = epoch + 1, 0

    def _shuffled(self, epoch: int) -> Iterator[Row]:
        """Yields the rows of one epoch, each exchanged with a random row of the buffer."""
        rng = np.random.default_rng((self._seed, epoch))
        buffer: list[Row] = []
        for tokens, target in self.source:
            row = tokens[: self._max_tokens], target[: self._max_tokens] if self._per_token else target
            if len(buffer) < self._buffer:
                buffer.append(row)
                continue
            chosen = int(rng.integers(self._buffer))
            yield buffer[chosen]
            buffer[chosen] = row
        for chosen in rng.permutation(len(buffer)):
            yield buffer[chosen]

    def _rows(self, epoch: np.int64) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Yields inputs and target of each row of one epoch."""
        for tokens, target in self._shuffled(int(epoch)):
            inputs = {name: np.array(ids, np.int32) for name, ids in self._encoder.encode(tokens).items()}
            numbers = [self._number[name] for name in target] if self._per_token else self._number[target]
            yield inputs, np.array(numbers, np.int32)

    def _epoch(self, epoch: tf.Tensor, step: tf.Tensor) -> tf.data.Dataset:
        """The batches of one epoch from one step on."""
        shapes = {name: [None, *shape] for name, shape in self._encoder.inputs.items()}
        target_shape: list[int | None] = [None] if self._per_token else []
        rows = tf.data.Dataset.from_generator(
            self._rows,
            args=(epoch,),
            output_signature=(
                {name: tf.TensorSpec(shape, tf.int32) for name, shape in shapes.items()},
                tf.TensorSpec(target_shape, tf.int32),
            ),
        )
        batches = rows.bucket_by_sequence_length(
            element_length_func=lambda inputs, _: tf.shape(inputs["token_ids"])[0],
            bucket_boundaries=[width + 1 for width in self._widths],
            bucket_batch_sizes=[self._batch_size] * (len(self._widths) + 1),
            padded_shapes=(shapes, target_shape),
            padding_values=(dict.fromkeys(shapes, 0), NO_TARGET),
            pad_to_bucket_boundary=self._static,
            drop_remainder=self._static,
        )
        return batches.map(lambda inputs, targets: (model_inputs(inputs), targets)).skip(step)
