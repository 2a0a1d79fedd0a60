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

FINAL_RATE = 1 / 300  # of the highest
WARMUP = 0.01  # share of the training
# Where Adagrad's sums start. A word's gradient is the sum over its pairs: a rare word's few occurrences shall not carry
# it as far as a frequent word goes in all. Where vectors are means (of neighbours, of n-grams), the gradient of each
# part is a fraction of that.
SQUARES = 16.0
SQUARES_OF_MEANS = 0.1


class Word2Vec(keras.Model):
    """Learns an input and an output vector for each word; the input vectors are what people call word vectors.

    A step of `fit` takes a chunk of `TrainingBlocks`: some hundred updates of T words each, inside one compiled loop.
    On a CPU `threads` loops share the tables without locks; a GPU takes one loop.

    Args:
        vocabulary_size: V.
        dim: E.
        kind: `skip_gram` or `cbow`.
        shape: The layout of an update, as that of the `TrainingBlocks`; by default `BlockShape()`.
        window: The most distant neighbour.
        negatives: Noise words for each pair.
        ngrams: The buckets of each word's character n-grams, as `Subwords.flat_ids` gives them: ids, int32 `(N,)`, and
            offsets, int64 `(V + 1,)`. The input vector of a word is then the mean of its own row and theirs (fastText).
        buckets: Rows for n-grams.
        noise: float32 `(V,)`, the weight of each word as noise (`textapp.vectors.blocks.noise_ratios`); by default 1.
        threads: How many loops train side by side. With one, the same seed gives the same vectors.
        seed: Of the first vectors.

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
        squares = SQUARES if kind == "skip_gram" and not ngrams else SQUARES_OF_MEANS
        self.inputs_table = AdagradRows(vocabulary_size + buckets, dim, 0.5 / dim, squares, seed, name="inputs")
        self.outputs_table = AdagradRows(vocabulary_size, dim, squares=squares, name="outputs")
        self._noise = tf.constant(np.ones(vocabulary_size) if noise is None else noise, tf.float32)
        # A word's rows in the table, its own and its n-grams', one word after the other; and where each begins.
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
        """Sets the course of the learning rate: up within the first hundredth, then linearly down to nearly 0.

        Args:
            learning_rate: The highest. It is Adagrad's: word2vec's 0.025 is no measure for it.
            total_steps: Steps of `fit` in all, `epochs * blocks.steps_per_epoch`.
        """
        super().compile(optimizer=None, loss=None)
        self.learning_rate, self.total_steps = learning_rate, total_steps

    def vectors(self) -> np.ndarray:
        """The word vectors, float32 `(V, E)`."""
        if self._parts is None:
            return self.inputs_table.vectors.numpy()[: self.vocabulary_size]
        step = 1 << 14
        starts = range(0, self.vocabulary_size, step)
        words = [tf.range(start, min(start + step, self.vocabulary_size)) for start in starts]
        return np.concatenate([self._compose(batch)[0].numpy() for batch in words])

    def ngram_vectors(self) -> np.ndarray:
        """The vectors of the n-grams' rows, float32 `(buckets, E)`."""
        return self.inputs_table.vectors.numpy()[self.vocabulary_size :]

    def rate(self, done: Any) -> Any:
        """The learning rate when the share `done` of the training, in [0, 1], is behind."""
        falling = 1 + (FINAL_RATE - 1) * done
        return self.learning_rate * falling * tf.minimum(1.0, (done + 1e-4) / WARMUP)

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` calls for each element of the dataset: the loops, side by side."""
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
        """Updates for each of N steps in turn; returns the loss of the last one's words before its update."""
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
        """One step: reads the rows of T words, and moves them."""
        ids = tf.reshape(word_ids, [-1])
        inputs, add = self._read(ids)
        outputs = self.outputs_table.read(ids)
        by_inputs, by_outputs = self.objective.gradients(
            self._blocks(inputs), self._blocks(outputs), sentences, tf.gather(self._noise, word_ids)
        )
        add(tf.reshape(by_inputs, [-1, self.dim]), rate)
        self.outputs_table.add(ids, tf.reshape(by_outputs, [-1, self.dim]), rate)

    def _read(self, ids: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor, tf.Tensor], None]]:
        """Input vectors of words, float32 `(T, E)`, and the function that moves what they are made of."""
        if self._parts is None:
            return self.inputs_table.read(ids), lambda gradients, rate: self.inputs_table.add(ids, gradients, rate)
        # Each distinct word's n-grams are read and moved once a step: half the work.
        distinct, places = tf.unique(ids)
        vectors, parts, owners = self._compose(distinct)

        def add(gradients: tf.Tensor, rate: tf.Tensor) -> None:
            of_word = tf.math.unsorted_segment_sum(gradients, places, tf.size(distinct))
            count = tf.math.bincount(owners, minlength=tf.size(distinct), dtype=tf.float32)
            self.inputs_table.add(parts, tf.gather(of_word / count[:, None], owners), rate)

        return tf.gather(vectors, places), add

    def _compose(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Vectors of U words, float32 `(U, E)`, the rows whose means they are, `(P,)`, and the word of each, `(P,)`."""
        places = tf.ragged.range(tf.gather(self._offsets, words), tf.gather(self._offsets, words + 1))
        parts, owners = tf.gather(self._parts, places.values), tf.cast(places.value_rowids(), tf.int32)
        return tf.math.segment_mean(self.inputs_table.read(parts), owners), parts, owners

    def _blocks(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.reshape(rows, [self.shape.blocks, self.shape.words_per_block, self.dim])
