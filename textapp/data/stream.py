"""Training data larger than memory: read anew each epoch, tokenized inside the tf.data graph.

A first pass counts what the vocabulary, the labels and the number of steps need; then only a shuffling buffer is held.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from textapp.data.graph_tokenizer import GraphTokenizer
from textapp.data.readers import Examples, iterate_examples
from textapp.data.splits import overlap_key
from textapp.text.characters import replace_surrogates
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

READ_TOGETHER = 256  # texts tokenized in one call


@dataclasses.dataclass(frozen=True)
class Source:
    """A labelled file to stream, and the held-out examples that must not be read from it.

    Args:
        path: As for `textapp.data.readers.iterate_examples`, and so the columns.
        text_column: Name of the text column.
        label_column: Name of the label column.
        held_out: Examples whose texts are skipped.
    """

    path: str
    text_column: str | None = None
    label_column: str | None = None
    held_out: Sequence[Examples] = ()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yields text and label of each example that is not held out."""
        skipped = {overlap_key(text) for examples in self.held_out for text in examples.texts}
        for text, label in iterate_examples(self.path, self.text_column, self.label_column):
            if not skipped or overlap_key(text) not in skipped:
                yield text, label


@dataclasses.dataclass(frozen=True)
class Scan:
    """What the first pass over a file counts.

    Attributes:
        words: How often each token occurs.
        labels: How often each label occurs, among texts with a token.
        lengths: int64 `(max_tokens + 1,)`, how many texts have each number of tokens; longer ones are cut.
        cut: How many texts were longer.
        fingerprint: Identifies the rows and their order, hexadecimal.
    """

    words: collections.Counter[str]
    labels: collections.Counter[str]
    lengths: np.ndarray
    cut: int
    fingerprint: str

    @classmethod
    def read(cls, source: Source, tokenizer: Tokenizer, max_tokens: int) -> "Scan":
        """Reads the whole file once, holding its distinct words only."""
        words: collections.Counter[str] = collections.Counter()
        labels: collections.Counter[str] = collections.Counter()
        lengths, cut, digest = np.zeros(max_tokens + 1, np.int64), 0, hashlib.sha256()
        for text, label in source:
            digest.update(f"{text}\0{label}\0".encode("utf-8", "surrogatepass"))
            tokens = tokenizer.words(text)
            cut += len(tokens) > max_tokens
            words.update(tokens[:max_tokens])
            lengths[min(len(tokens), max_tokens)] += 1
            if tokens:
                labels[label] += 1
        lengths[0] = 0  # a text without a token is never trained on
        return cls(words, labels, lengths, cut, digest.hexdigest())


class StreamedBatches:
    """The batches of each epoch, read from a file: shuffled in a buffer, bucketed by length, padded on the right.

    Made for `fit` as `textapp.data.pipeline.TrainingBatches`, and repeatable as that: an epoch's batches depend on the
    file, the seed and the epoch's number alone.

    Args:
        source: The file.
        scan: What the first pass over it counted.
        tokenizer: Cuts the texts.
        vocabulary: Their ids.
        label_names: The classes.
        max_tokens: Longer texts lose their end.
        batch_size: Rows a batch; the last of each bucket may have fewer.
        widths: Increasing upper lengths of the buckets, the last of them `max_tokens`.
        seed: With the epoch's number it fixes the order.
        buffer: Texts that are shuffled together; more cost memory, fewer leave more of the file's order.
        static_shapes: Whether each batch has exactly `batch_size` rows and its bucket's width; the rest of each bucket,
            fewer than `batch_size` texts, is then left out of the epoch.

    Attributes:
        dataset: Epoch after epoch without end, of `(token_ids, labels)`, int32 `(B, T)` and int32 `(B,)`.
        position: (epoch, step) at which the next iterator over `dataset` starts.
        steps_per_epoch: Batches an epoch.
    """

    def __init__(
        self,
        source: Source,
        scan: Scan,
        tokenizer: Tokenizer,
        vocabulary: Vocabulary,
        label_names: Sequence[str],
        *,
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
        self._index = {name: number for number, name in enumerate(label_names)}
        self._tokenizer, self._max_tokens = GraphTokenizer(tokenizer, vocabulary), max_tokens
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
        """(epoch, first step) of each epoch, from `position` on."""
        epoch, step = self.position
        while True:
            yield epoch, step
            epoch, step = epoch + 1, 0

    def _rows(self, epoch: np.int64) -> Iterator[tuple[str, int]]:
        """The texts and class numbers of one epoch, each swapped with a random one of the buffer."""
        rng = np.random.default_rng((self._seed, int(epoch)))
        buffer: list[tuple[str, int]] = []
        for text, label in self.source:
            row = replace_surrogates(text), self._index[label]
            if len(buffer) < self._buffer:
                buffer.append(row)
                continue
            chosen = int(rng.integers(self._buffer))
            yield buffer[chosen]
            buffer[chosen] = row
        for chosen in rng.permutation(len(buffer)):
            yield buffer[chosen]

    def _epoch(self, epoch: tf.Tensor, step: tf.Tensor) -> tf.data.Dataset:
        """The batches of one epoch from one step on."""

        def tokenize(texts: tf.Tensor, labels: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
            return self._tokenizer(texts)[:, : self._max_tokens], labels

        rows = tf.data.Dataset.from_generator(
            self._rows, args=(epoch,), output_signature=(tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32))
        )
        examples = (
            rows.batch(READ_TOGETHER)
            .map(tokenize, num_parallel_calls=tf.data.AUTOTUNE)
            .flat_map(lambda ids, labels: tf.data.Dataset.from_tensor_slices((ids, labels)))
            .map(lambda ids, label: (tf.identity(ids), label))  # from a ragged row to a plain vector
            .filter(lambda ids, _: tf.size(ids) > 0)
        )
        return examples.bucket_by_sequence_length(
            element_length_func=lambda ids, _: tf.size(ids),
            bucket_boundaries=[width + 1 for width in self._widths],
            bucket_batch_sizes=[self._batch_size] * (len(self._widths) + 1),
            pad_to_bucket_boundary=self._static,
            drop_remainder=self._static,
        ).skip(step)
