"""A trained Keras classifier on single texts: what the device computes, computed by Keras."""

import functools
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from textapp.data.pipeline import EncodedExamples, TokenizedTexts, evaluation_batches, sorted_batches
from textapp.layers import attention_scores, attention_states
from textapp.layers.attention_scores import AttentionStates
from textapp.training.evaluate import predict_logits
from textapp.training.run import Run


class RunPredictor:
    """Scores texts with the model of a run.

    Args:
        run: A finished run.

    Attributes:
        max_tokens: How many tokens of a text the model reads.
    """

    def __init__(self, run: Run):
        self.run = run
        self.max_tokens = run.config.max_tokens
        self._scores = tf.function(  # an eager recurrent layer takes a tenth of a second a text
            attention_scores(run.model), input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False
        )

    def score(self, words: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Runs the model on one text.

        Args:
            words: Its tokens, `max_tokens` of them at most; none for an empty text.

        Returns:
            Logits, float32 `(C,)`, and attention weights, float32 `(T,)`.
        """
        ids = np.zeros((1, max(2, len(words))), np.int32)  # Keras warns of a softmax over one step
        ids[0, : len(words)] = self.run.vocabulary.encode(words)
        logits, weights = self._scores(ids)
        return np.asarray(logits)[0], np.asarray(weights)[0, : len(words)]

    def classify(self, texts: Iterable[str]) -> np.ndarray:
        """The class of each text, int64 `(N,)`."""
        return self.logits(texts).argmax(axis=1)

    def logits(self, texts: Iterable[str]) -> np.ndarray:
        """The logits of each text, float32 `(N, C)`, many texts at a time; empty texts share one row."""
        encoded, count = self._encode(texts)
        logits = np.empty((count, len(self.run.labels)), np.float32)
        if len(encoded):
            logits[encoded.rows] = predict_logits(self.run.model, encoded)
        if len(encoded) < count:
            logits[np.setdiff1d(np.arange(count), encoded.rows)] = self.score([])[0]
        return logits

    def states(self, texts: Iterable[str], batch_size: int = 256) -> tuple[list[np.ndarray], np.ndarray]:
        """What the attention makes of each text, many texts at a time.

        Returns:
            Attention weights of each text, float32 `(T,)`, and pooled contexts, float32 `(N, H)`: 0 for an empty text.
        """
        encoded, count = self._encode(texts)
        weights = [np.zeros(0, np.float32)] * count
        contexts = np.zeros((count, 2 * self.run.config.units), np.float32)  # the encoder reads in both directions
        if not len(encoded):
            return weights, contexts
        batches = sorted_batches(encoded.lengths, batch_size)
        for numbers, (ids, _) in zip(batches, evaluation_batches(encoded, batch_size), strict=True):
            _, pooled, attention = self._states(ids)
            rows = encoded.rows[numbers]
            contexts[rows] = pooled
            for row, length, line in zip(rows, encoded.lengths[numbers], np.asarray(attention), strict=True):
                weights[row] = line[:length]
        return weights, contexts

    @functools.cached_property
    def _states(self) -> Callable[[tf.Tensor], AttentionStates]:
        """The model, cut open and compiled."""
        opened: Callable[[tf.Tensor], AttentionStates] = tf.function(
            attention_states(self.run.model),
            input_signature=[tf.TensorSpec((None, None), tf.int32)],
            autograph=False,
        )
        return opened

    def _encode(self, texts: Iterable[str]) -> tuple[EncodedExamples, int]:
        """The texts that have a token, encoded, and the number of all."""
        tokenized = TokenizedTexts.read(texts, self.run.tokenizer, self.max_tokens)
        lengths = np.diff(tokenized.offsets)
        rows = np.flatnonzero(lengths)
        encoded = EncodedExamples(
            token_ids=tokenized.encode(self.run.vocabulary),
            offsets=np.concatenate([[0], np.cumsum(lengths[rows])]),
            labels=np.zeros(len(rows), np.int32),
            rows=rows,
            oov_rate=0.0,
            cut=tokenized.cut,
        )
        return encoded, len(lengths)
