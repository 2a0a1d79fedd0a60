"""A trained Keras tagger on single sentences: what the device computes, computed by Keras."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from textapp.models.ner import without_crf


class TagLogits:
    """Scores the tags of a sentence's tokens.

    Args:
        model: From `textapp.models.ner.entity_tagger`.

    Attributes:
        crf_scores: What a decoder needs besides: `transitions` `(K, K)`, `start` `(K,)` and `end` `(K,)` of the CRF,
            float32; None for a model without one.
    """

    def __init__(self, model: keras.Model):
        scoring, crf = without_crf(model)
        scores = () if crf is None else (crf.transition_scores(), crf.start_scores(), crf.end_scores())
        self.crf_scores = tuple(map(keras.ops.convert_to_numpy, scores)) or None
        signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), scoring.input)
        self._logits = tf.function(  # an eager recurrent layer takes a tenth of a second a sentence
            lambda inputs: scoring(inputs, training=False), input_signature=[signature], autograph=False
        )

    def score(self, token_ids: NDArray[np.int32], char_ids: NDArray[np.int32] | None) -> NDArray[np.float32]:
        """Runs the model on one sentence.

        Args:
            token_ids: int32 `(n,)`, at least one.
            char_ids: int32 `(n, L)`; None for a model that reads no characters.

        Returns:
            Logits, float32 `(n, K)`.
        """
        inputs = token_ids[None] if char_ids is None else {"token_ids": token_ids[None], "char_ids": char_ids[None]}
        return np.asarray(self._logits(inputs))[0]
