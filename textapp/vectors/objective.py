"""Skip-gram and CBOW with negative sampling on blocks of words: the objective and its gradient, in closed form.

For each pair of a word and a neighbour, word2vec draws a window and some noise words at random. Here all words of a
block are scored against each other, `S = X Y^T` with input vectors X and output vectors Y, `(M, E)` each. Expectations
replace the random draws: weights `A` of the pairs in context, and weights `N` of each word with its noise words. The
objective to be maximized (Mikolov et al. 2013, equation 4) is

    sum(A log sigmoid(S) + N log sigmoid(-S))

Its gradient with respect to S is `G = A - (A + N) sigmoid(S)`; so it is `G Y` with respect to X, and `G^T X` with
respect to Y.
"""

from typing import Literal

import numpy as np
import tensorflow as tf

from textapp.vectors.blocks import BlockShape

Kind = Literal["skip_gram", "cbow"]


def context_weights(shape: BlockShape, window: int) -> np.ndarray:
    """Returns the probability that each word of a block is in another's window, float32 `(M, M)`.

    word2vec draws the window of a word uniformly from 1 to `window`, so a neighbour at distance d is in it with the
    probability `(window - d + 1) / window`. Ends of sentences are not regarded here.
    """
    place = np.arange(shape.words_per_block)
    distance = np.abs(place[:, None] - place)
    near = _same_segment(shape) & (distance > 0) & (distance <= window)
    return np.where(near, (window - distance + 1) / window, 0).astype(np.float32)


def noise_weights(shape: BlockShape) -> np.ndarray:
    """Returns the probability that each word of a block is drawn as noise for another, float32 `(M, M)`, row sums 1."""
    return (~_same_segment(shape) / (shape.words_per_block - shape.length)).astype(np.float32)


def _same_segment(shape: BlockShape) -> np.ndarray:
    """Whether two words of a block belong to one segment, bool `(M, M)`."""
    segment = np.arange(shape.words_per_block) // shape.length
    return segment[:, None] == segment


class BlockObjective:
    """The objective of a step of T words in blocks of M words.

    Args:
        kind: `skip_gram`: each word predicts its neighbours. `cbow`: the mean of the neighbours predicts the word.
        shape: The arrangement of a step.
        window: Distance of the farthest neighbours, in words.
        negatives: Number of noise words for each positive pair.

    Call arguments of its methods:
        inputs, outputs: X and Y, float32 `(blocks, M, E)`.
        sentences: Sentence number of each word, int32 `(blocks, M)`; words of two sentences are not in context.
        noise: float32 `(blocks, M)`, the weight of each word as noise, 1 on average; see
            `textapp.vectors.blocks.noise_ratios`.

    Reference:
        Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality.
        Ji et al. 2016, Parallelizing Word2Vec in Shared and Distributed Memory (noise words shared by neighbours).
    """

    def __init__(self, kind: Kind, shape: BlockShape, window: int, negatives: float):
        if shape.segments < 2:
            raise ValueError(f"`segments` must be 2 or more, as noise is of other ones. Received: {shape.segments}")
        self.kind = kind
        self.negatives = negatives
        self._band = tf.constant(context_weights(shape, window))
        self._noise = tf.constant(noise_weights(shape))
        self._diagonal = tf.eye(shape.words_per_block)
        # XLA reads and writes each score once; the matrix products before and after it are faster in the CPU's library.
        self._slope = tf.function(self._slope, jit_compile=True)  # type: ignore[method-assign]

    def gradients(
        self, inputs: tf.Tensor, outputs: tf.Tensor, sentences: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the gradients of the objective with respect to X and to Y, float32 `(blocks, M, E)` each."""
        if self.kind == "skip_gram":
            slope = self._slope(tf.matmul(inputs, outputs, transpose_b=True), sentences, noise)
            return tf.matmul(slope, outputs), tf.matmul(slope, inputs, transpose_a=True)
        mean = self._mean(sentences)
        means = tf.matmul(mean, inputs)
        slope = self._slope(tf.matmul(means, outputs, transpose_b=True), sentences, noise)
        by_inputs = tf.matmul(mean, tf.matmul(slope, outputs), transpose_a=True)
        return by_inputs, tf.matmul(slope, means, transpose_a=True)

    def loss(self, inputs: tf.Tensor, outputs: tf.Tensor, sentences: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns minus the objective per positive pair, a float32 scalar: `(1 + negatives) log 2` before training."""
        if self.kind == "cbow":
            inputs = tf.matmul(self._mean(sentences), inputs)
        scores = tf.matmul(inputs, outputs, transpose_b=True)
        positive, negative = self._weights(sentences, noise)
        gain = positive * tf.math.log_sigmoid(scores) + negative * tf.math.log_sigmoid(-scores)
        return -tf.math.divide_no_nan(tf.reduce_sum(gain), tf.reduce_sum(positive))

    def _slope(self, scores: tf.Tensor, sentences: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """G, float32 `(blocks, M, M)`."""
        positive, negative = self._weights(sentences, noise)
        return positive - (positive + negative) * tf.sigmoid(scores)

    def _weights(self, sentences: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A and N, float32 `(blocks, M, M)` both."""
        positive = self._context(sentences)
        mass = tf.reduce_sum(positive, -1, keepdims=True)
        if self.kind == "cbow":  # one positive pair for each word that has neighbours
            mass = tf.cast(mass > 0, tf.float32)
            positive = self._diagonal * mass
        return positive, mass * self.negatives * self._noise * noise[:, None, :]

    def _mean(self, sentences: tf.Tensor) -> tf.Tensor:
        """The weights of CBOW's mean over a word's neighbours, float32 `(blocks, M, M)`, row sums 1 or 0."""
        context = self._context(sentences)
        return tf.math.divide_no_nan(context, tf.reduce_sum(context, -1, keepdims=True))

    def _context(self, sentences: tf.Tensor) -> tf.Tensor:
        """The weights of the neighbours within each word's sentence, float32 `(blocks, M, M)`."""
        return tf.where(sentences[:, :, None] == sentences[:, None, :], self._band, 0.0)
