"""Encoded examples to tf.data batches: shuffled, bucketed by length, padded on the right, exactly repeatable.

A batch is `(token_ids, labels)`, int32 `(B, T)` padded with 0 and int32 `(B,)`; with static shapes it is
`(token_ids, labels, weights)`, where rows that only fill up the last batch weigh 0. No row is ever empty.

The batches of an epoch are a function of the seed and the epoch's number alone. Set `position` to any (epoch, step)
and the next iterator starts there: that is what lets a killed run go on as if nothing had happened.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from textapp.data.readers import Examples, check_labels, label_names
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary

POOL = 64  # batches sorted by length together: little padding, yet hardly two epochs with the same company
Gather = Callable[[tf.Tensor, list[Any]], tuple[Any, tf.Tensor]]


class Encoded(Protocol):
    """What batches are made of: rows of different lengths, none of them empty."""

    def __len__(self) -> int:
        """The number of rows, N."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 `(N,)`."""

    def gather(self) -> Gather:
        """A TensorFlow function from row numbers `(B,)` and a shape `[B, T]` to inputs and labels.

        What of the shape is None is left to the rows.
        """


@dataclasses.dataclass(frozen=True)
class TokenizedTexts:
    """Texts as indices into the list of their own distinct tokens; made in one pass, encoded by any vocabulary.

    Attributes:
        tokens: The distinct tokens, in order of first occurrence.
        indices: int32 `(sum of lengths,)`, all texts one after the other, each an index into `tokens`.
        offsets: int64 `(N + 1,)`; text n is `indices[offsets[n]:offsets[n + 1]]`.
        cut: How many texts were longer than the limit and lost their end.
    """

    tokens: list[str]
    indices: np.ndarray
    offsets: np.ndarray
    cut: int

    @classmethod
    def read(cls, texts: Iterable[str], tokenizer: Tokenizer, max_tokens: int) -> "TokenizedTexts":
        """Tokenizes `texts` and keeps the first `max_tokens` tokens of each."""
        index: dict[str, int] = collections.defaultdict(lambda: len(index))
        rows, lengths, cut = [], [0], 0
        for text in texts:
            words = tokenizer.words(text)
            cut += len(words) > max_tokens
            row = np.fromiter((index[word] for word in words[:max_tokens]), np.int32)
            rows.append(row)
            lengths.append(len(row))
        indices = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        return cls(list(index), indices, np.cumsum(lengths, dtype=np.int64), cut)

    def counts(self) -> collections.Counter[str]:
        """How often each token occurs."""
        return collections.Counter(
            dict(zip(self.tokens, np.bincount(self.indices, minlength=len(self.tokens)).tolist(), strict=True))
        )

    def encode(self, vocabulary: Vocabulary) -> np.ndarray:
        """The ids of all tokens, int32 of the shape of `indices`."""
        return np.asarray(vocabulary.encode(self.tokens), np.int32).reshape(-1)[self.indices]


@dataclasses.dataclass(frozen=True)
class EncodedExamples:
    """Labelled texts as ids, without the empty ones.

    Attributes:
        token_ids: int32 `(sum of lengths,)`, all texts one after the other.
        offsets: int64 `(N + 1,)`; text n is `token_ids[offsets[n]:offsets[n + 1]]`.
        labels: int32 `(N,)`.
        rows: int64 `(N,)`, each text's place among the texts given, which included the empty ones.
        oov_rate: Share of tokens that the vocabulary lacks, in [0, 1].
        cut: How many texts were longer than `max_tokens`.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    oov_rate: float
    cut: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 `(N,)`."""
        return np.diff(self.offsets)

    def gather(self) -> Gather:
        """See `Encoded`: `token_ids`, padded with 0, and labels."""
        ids = tf.RaggedTensor.from_row_splits(self.token_ids, self.offsets)
        labels = tf.constant(self.labels)
        return lambda rows, shape: (tf.gather(ids, rows).to_tensor(0, shape=shape), tf.gather(labels, rows))


def encode_examples(
    examples: Examples, tokenized: TokenizedTexts, vocabulary: Vocabulary, label_names: Sequence[str]
) -> EncodedExamples:
    """Encodes labelled texts and drops those without a single token.

    Raises:
        InputError: No text has a token.
    """
    lengths = np.diff(tokenized.offsets)
    rows = np.flatnonzero(lengths)
    if not len(rows):
        raise InputError(f"{examples.source}: no text has a token")
    index = {name: i for i, name in enumerate(label_names)}
    token_ids = tokenized.encode(vocabulary)
    return EncodedExamples(
        token_ids=token_ids,
        offsets=np.concatenate([[0], np.cumsum(lengths[rows])]),  # an empty text takes no room in `token_ids`
        labels=np.asarray([index[examples.labels[row]] for row in rows], np.int32),
        rows=rows,
        oov_rate=float(np.mean(token_ids == UNKNOWN_ID)),
        cut=tokenized.cut,
    )


def encode_splits(
    train: Examples,
    *held_out: Examples,
    tokenizer: Tokenizer,
    max_tokens: int,
    vocabulary_size: int = 20_000,
    min_count: int = 2,
) -> tuple[Vocabulary, list[str], list[EncodedExamples]]:
    """Takes vocabulary and classes from the training split and encodes all splits with them.

    Args:
        train: Training examples.
        *held_out: Validation examples, test examples.
        tokenizer: Cuts the texts.
        max_tokens: Longer texts lose their end.
        vocabulary_size: Largest size of the vocabulary, padding and the unknown word included.
        min_count: Rarer words are left out.

    Returns:
        The vocabulary, the classes, and each split encoded, the training split first.

    Raises:
        InputError: Training examples are of one class, or a held-out label is none of theirs.
    """
    labels = label_names(train.labels, train.source)
    for examples in held_out:
        check_labels(examples, labels)
    splits = (train, *held_out)
    tokenized = [TokenizedTexts.read(examples.texts, tokenizer, max_tokens) for examples in splits]
    vocabulary = Vocabulary.build(tokenized[0].counts(), vocabulary_size, min_count)
    encoded = [encode_examples(*pair, vocabulary, labels) for pair in zip(splits, tokenized, strict=True)]
    return vocabulary, labels, encoded


class TrainingBatches:
    """The batches of each epoch, drawn anew: examples shuffled, pools of batches sorted by length, batches shuffled.

    Args:
        examples: What to draw from.
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
        examples: Encoded,
        batch_size: int,
        seed: int = 0,
        widths: Sequence[int] | None = None,
        static_shapes: bool = False,
    ):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: batch_size={batch_size}")
        if static_shapes and not widths:
            raise ValueError("`static_shapes` needs `widths`. Received: widths=None")
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.position = (0, 0)
        self.dataset = padded_batches(examples, self._rows, widths, batch_size if static_shapes else None)

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch, the same for each."""
        return -(-len(self.examples) // self.batch_size)

    def _rows(self) -> Iterator[np.ndarray]:
        """The row numbers of batch after batch, from `position` on."""
        epoch, step = self.position
        while True:
            yield from shuffled_batches(self.examples.lengths, self.batch_size, (self.seed, epoch))[step:]
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
    examples: Encoded,
    batch_size: int,
    widths: Sequence[int] | None = None,
    static_shapes: bool = False,
) -> tf.data.Dataset:
    """All examples once, sorted by length. Arguments as in `TrainingBatches`."""
    batches = sorted_batches(examples.lengths, batch_size)
    dataset = padded_batches(examples, lambda: iter(batches), widths, batch_size if static_shapes else None)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))


def padded_batches(
    examples: Encoded,
    batches: Callable[[], Iterator[np.ndarray]],
    widths: Sequence[int] | None = None,
    static_rows: int | None = None,
) -> tf.data.Dataset:
    """Gathers and pads rows.

    Args:
        examples: What to gather from.
        batches: Function that returns an iterator over row numbers, int64 `(B,)`.
        widths: As in `TrainingBatches`.
        static_rows: Rows that each batch is filled up to with weight 0, or None.

    Returns:
        A dataset of batches as the module describes them.

    Raises:
        ValueError: A text is longer than the largest of `widths`.
    """
    if widths and examples.lengths.max() > max(widths):
        longest = int(examples.lengths.max())
        raise ValueError(f"`widths` must hold the longest text, {longest} tokens. Received: widths={list(widths)}")
    gather = examples.gather()
    lengths = tf.constant(examples.lengths)

    def batch(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        width: int | tf.Tensor | None = widths[0] if widths and len(widths) == 1 else None
        if static_rows:
            real = tf.shape(rows)[0]
            weights = tf.cast(tf.range(static_rows) < real, tf.float32)
            rows = tf.gather(rows, tf.range(static_rows) % real)
            rows.set_shape([static_rows])
        if widths and width is None:
            allowed = tf.constant(widths, tf.int64)
            longest = tf.reduce_max(tf.gather(lengths, rows))
            width = tf.gather(allowed, tf.searchsorted(allowed, [longest])[0])
        gathered = gather(rows, [static_rows, width])
        return (*gathered, weights) if static_rows else gathered

    dataset = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec([None], tf.int64))
    return dataset.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
