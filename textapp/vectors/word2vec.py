"""word2vec as a Keras model: skip-gram or CBOW with negative sampling, on blocks of words."""

import concurrent.futures
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.vectors.adagrad_rows import AdagradRows
from textapp.vectors.blocks import BlockShape
from textapp.vectors.objective import BlockObjective, Kind

FINAL_RATE = 1 / 300  # share of the highest learning rate
WARMUP = 0.01  # share of the training
# Initial accumulators of Adagrad. The gradient of a word is the sum over its pairs; a large accumulator keeps the few
# occurrences of a rare word from moving it as far as a frequent word moves in the whole training. Of a vector that is a
# mean (of neighbours or n-grams), each part gets a fraction of the gradient and so needs a smaller accumulator.
INITIAL_ACCUMULATOR = 16.0
INITIAL_ACCUMULATOR_OF_MEANS = 0.1


class Word2Vec(keras.Model):
    """Learns an input and an output vector for each word. The input vectors are the word vectors.

    A step of `fit` takes a chunk of `TrainingBlocks`: some hundred updates of T words each, in one compiled loop. On a
    CPU, `threads` loops share the tables without locks; a GPU runs one loop.

    Args:
        vocabulary_size: Number of words, V.
        dim: Length of a vector, E.
        kind: `skip_gram` or `cbow`.
        shape: The arrangement of an update, equal to that of the `TrainingBlocks`; by default `BlockShape()`.
        window: Distance of the farthest neighbours, in words.
        negatives: Number of noise words for each pair.
        ngrams: The buckets of each word's character n-grams, from `Subwords.flat_ids`: ids, int32 `(N,)`, and offsets,
            int64 `(V + 1,)`. The input vector of a word is then the mean of its word row and its n-grams' rows, as in
            fastText.
        buckets: Number of rows for n-grams.
        noise: float32 `(V,)`, the weight of each word as noise (`textapp.vectors.blocks.noise_ratios`); by default 1.
        threads: Number of loops that train in parallel. With one, the same seed gives the same vectors.
        seed: Seed of the initial vectors.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> model = Word2Vec(vocabulary_size=1000, dim=50)
        >>> model.compile(learning_rate=0.5, total_steps=100)
        >>> model.vectors().shape
        (1000, 50)

    Reference:
        Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality.
        Bojanowski et al. 2017, Enriching Word Vectors with Subword Information.
    """

    def __init__(
        self,
        vocabulary_size: int,
        dim: int = 100,
        *,
        kind: Kind = "skip_gram",
        shape: BlockShape | None = None,
        window: int = 5,
        negatives: float = 5,
        ngrams: tuple[np.ndarray, np.ndarray] | None = None,
        buckets: int = 0,
        noise: np.ndarray | None = None,
        threads: int = 1,
        seed: int = 0,
    ):
        super().__init__(name=kind)
        shape = shape or BlockShape()
        if not 0 < window < shape.length:
            raise ValueError(f"`window` must be from 1 to {shape.length - 1}, within a segment. Received: {window}")
        if ngrams and (len(ngrams[1]) != vocabulary_size + 1 or ngrams[0].max(initial=-1) >= buckets):
            raise ValueError(
                f"`ngrams` must be those of {vocabulary_size} words, numbers below `buckets`. Received: "
                f"{len(ngrams[1]) - 1} words, largest number {ngrams[0].max(initial=-1)}, buckets={buckets}"
            )
        if threads < 1:
            raise ValueError(f"`threads` must be positive. Received: threads={threads}")
        self.vocabulary_size, self.dim, self.shape, self.threads = vocabulary_size, dim, shape, threads
        self.objective = BlockObjective(kind, shape, window, negatives)
        has_means = kind == "cbow" or ngrams is not None
        accumulator = INITIAL_ACCUMULATOR_OF_MEANS if has_means else INITIAL_ACCUMULATOR
        self.inputs_table = AdagradRows(vocabulary_size + buckets, dim, 0.5 / dim, accumulator, seed, name="inputs")
        self.outputs_table = AdagradRows(vocabulary_size, dim, initial_accumulator=accumulator, name="outputs")
        self._noise = tf.constant(np.ones(vocabulary_size) if noise is None else noise, tf.float32)
        # The rows of each word in the table (its word row, then those of its n-grams), and where each word's begin.
        self._parts = self._offsets = None
        if ngrams:
            ids, offsets = ngrams
            self._parts = tf.constant(
                np.insert(ids + np.int32(vocabulary_size), offsets[:-1], np.arange(vocabulary_size))
            )
            self._offsets = tf.constant(offsets + np.arange(vocabulary_size + 1))
        self.train_function: Callable[..., Any] | None = None
        self.steps_done = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="steps_done"
        )
        self.built = True

    def compile(self, learning_rate: float = 0.5, total_steps: int = 1) -> None:
        """Sets the learning rate schedule: it rises in the first hundredth, then falls linearly to nearly 0.

        Args:
            learning_rate: The highest rate. Adagrad's rates are larger than word2vec's 0.025, which is of plain SGD.
            total_steps: Steps of all calls of `fit`, `epochs * blocks.steps_per_epoch`.
        """
        super().compile(optimizer=None, loss=None)
        self.learning_rate, self.total_steps = learning_rate, total_steps

    def vectors(self) -> np.ndarray:
        """Returns the word vectors, float32 `(V, E)`."""
        if self._parts is None:
            return self.inputs_table.vectors.numpy()[: self.vocabulary_size]
        step = 1 << 14
        starts = range(0, self.vocabulary_size, step)
        words = [tf.range(start, min(start + step, self.vocabulary_size)) for start in starts]
        return np.concatenate([self._compose(batch)[0].numpy() for batch in words])

    def ngram_vectors(self) -> np.ndarray:
        """Returns the vectors of the n-grams, float32 `(buckets, E)`."""
        return self.inputs_table.vectors.numpy()[self.vocabulary_size :]

    def rate(self, done: Any) -> Any:
        """Returns the learning rate after the share `done` of the training, in [0, 1]."""
        falling = 1 + (FINAL_RATE - 1) * done
        return self.learning_rate * falling * tf.minimum(1.0, (done + 1e-4) / WARMUP)

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that `fit` calls for each element of the dataset: it runs the loops in parallel."""
        if self.train_function is not None and not force:
            return
        spec = tf.TensorSpec((None, self.shape.blocks, self.shape.words_per_block), tf.int32)
        scalar = tf.TensorSpec((), tf.float32)
        loop: Callable[..., tf.Tensor] = tf.function(self._loop, input_signature=(spec, spec, scalar, scalar))
        pool = concurrent.futures.ThreadPoolExecutor(self.threads)

        def train(iterator: Iterator[tuple[tf.Tensor, tf.Tensor]]) -> dict[str, tf.Tensor]:
            word_ids, sentences = next(iterator)
            step = int(self.steps_done)
            start, end = np.float32(step / self.total_steps), np.float32((step + 1) / self.total_steps)
            parts = range(min(self.threads, len(word_ids)))
            losses = list(
                pool.map(lambda k: loop(word_ids[k :: len(parts)], sentences[k :: len(parts)], start, end), parts)
            )
            self.steps_done.assign(step + 1)
            return {"loss": tf.reduce_mean(losses), "learning_rate": self.rate(end)}

        self.train_function = train

    def _loop(self, word_ids: tf.Tensor, sentences: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Updates the tables for N steps in turn. Returns the loss of the last step's words before the first update."""
        count = tf.shape(word_ids)[0]
        loss = self._loss(word_ids[-1], sentences[-1])
        for i in tf.range(count):
            done = start + (end - start) * tf.cast(i, tf.float32) / tf.cast(count, tf.float32)
            self._update(word_ids[i], sentences[i], self.rate(done))
        return loss

    def _loss(self, word_ids: tf.Tensor, sentences: tf.Tensor) -> tf.Tensor:
        ids = tf.reshape(word_ids, [-1])
        inputs, outputs = self._blocks(self._read(ids)[0]), self._blocks(self.outputs_table.read(ids))
        return self.objective.loss(inputs, outputs, sentences, tf.gather(self._noise, word_ids))

    def _update(self, word_ids: tf.Tensor, sentences: tf.Tensor, rate: tf.Tensor) -> None:
        """Reads the rows of T words and moves them: one step."""
        ids = tf.reshape(word_ids, [-1])
        inputs, add = self._read(ids)
        outputs = self.outputs_table.read(ids)
        by_inputs, by_outputs = self.objective.gradients(
            self._blocks(inputs), self._blocks(outputs), sentences, tf.gather(self._noise, word_ids)
        )
        add(tf.reshape(by_inputs, [-1, self.dim]), rate)
        self.outputs_table.add(ids, tf.reshape(by_outputs, [-1, self.dim]), rate)

    def _read(self, ids: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor, tf.Tensor], None]]:
        """Returns input vectors of words, float32 `(T, E)`, and the function that moves the rows they consist of."""
        if self._parts is None:
            return self.inputs_table.read(ids), lambda gradients, rate: self.inputs_table.add(ids, gradients, rate)
        # The n-grams of each distinct word are read and moved once a step, which is half the work.
        distinct, position = tf.unique(ids)
        vectors, parts, owners = self._compose(distinct)

        def add(gradients: tf.Tensor, rate: tf.Tensor) -> None:
            of_word = tf.math.unsorted_segment_sum(gradients, position, tf.size(distinct))
            count = tf.math.bincount(owners, minlength=tf.size(distinct), dtype=tf.float32)
            self.inputs_table.add(parts, tf.gather(of_word / count[:, None], owners), rate)

        return tf.gather(vectors, position), add

    def _compose(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns vectors of U words `(U, E)`, the P rows that they are means of `(P,)`, and each row's word `(P,)`."""
        positions = tf.ragged.range(tf.gather(self._offsets, words), tf.gather(self._offsets, words + 1))
        parts, owners = tf.gather(self._parts, positions.values), tf.cast(positions.value_rowids(), tf.int32)
        return tf.math.segment_mean(self.inputs_table.read(parts), owners), parts, owners

    def _blocks(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.reshape(rows, [self.shape.blocks, self.shape.words_per_block, self.dim])
