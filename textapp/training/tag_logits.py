"""A trained Keras tagger on single sentences: what the device computes, computed by Keras."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from textapp.tasks.tagging.head import without_crf


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

    def score(self, inputs: Mapping[str, NDArray[np.int32]]) -> NDArray[np.float32]:
        """Runs the model on one sentence.

        Args:
            inputs: int32 `(n, ...)` by the name of each input, of one token at least.

        Returns:
            Logits, float32 `(n, K)`.
        """
        batch = {name: ids[None] for name, ids in inputs.items()}
        return np.asarray(self._logits(batch if len(batch) > 1 else batch["token_ids"]))[0]
