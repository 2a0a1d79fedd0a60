"""A trained Keras classifier on single texts: what the device computes, computed by Keras."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from textapp.data.pipeline import EncodedExamples, TokenizedTexts
from textapp.layers import attention_scores
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
        tokenized = TokenizedTexts.read(texts, self.run.tokenizer, self.max_tokens)
        lengths = np.diff(tokenized.offsets)
        rows = np.flatnonzero(lengths)
        logits = np.empty((len(lengths), len(self.run.labels)), np.float32)
        if len(rows):
            encoded = EncodedExamples(
                token_ids=tokenized.encode(self.run.vocabulary),
                offsets=np.concatenate([[0], np.cumsum(lengths[rows])]),
                labels=np.zeros(len(rows), np.int32),
                rows=rows,
                oov_rate=0.0,
                cut=tokenized.cut,
            )
            logits[rows] = predict_logits(self.run.model, encoded)
        if len(rows) < len(lengths):
            logits[lengths == 0] = self.score([])[0]
        return logits
