"""The tags that a Keras tagger gives to encoded sentences."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from textapp.data.compiled import compiled
from textapp.data.pipeline import evaluation_batches, sorted_batches
from textapp.data.tagged_batches import NO_TAG, EncodedSentences
from textapp.layers import CRF
from textapp.text.tag_set import TagSet


class TagPredictor:
    """Finds the best tags: with a CRF the best sequence, otherwise the best tag of each token.

    Args:
        model: From `textapp.models.ner.entity_tagger`.
        tag_set: Its tags.
    """

    def __init__(self, model: keras.Model, tag_set: TagSet):
        self.tag_set = tag_set

        def best(outputs: Any, mask: Any, crf: CRF | None) -> Any:
            if crf is not None:
                return crf.decode(outputs, mask)[0]
            return ops.where(mask, ops.cast(ops.argmax(outputs, axis=-1), "int32"), NO_TAG)

        self._best = SentenceOutputs(model, best)

    def predict(
        self, sentences: EncodedSentences, batch_size: int = 256, batches: tf.data.Dataset | None = None
    ) -> list[list[str]]:
        """The tags of each sentence's tokens, in IOB2 or standing for themselves, in the order of `sentences`.

        Args:
            sentences: What to tag.
            batch_size: Sentences a batch.
            batches: What `evaluation_batches` makes of both, perhaps with static shapes; made here by default.
        """
        tags: list[list[str]] = [[] for _ in range(len(sentences))]
        for number, ids in self._best.each(sentences, batch_size, batches):
            tags[number] = self.tag_set.decode(ids)
        if sentences.firsts is None:
            return tags
        return [self.tag_set.of_tokens(*pieces) for pieces in zip(tags, sentences.firsts, strict=True)]


class TagMarginals:
    """The probability of each tag at each token: with a CRF that over all sequences, otherwise a softmax a token.

    Args:
        model: From `textapp.models.ner.entity_tagger`.
    """

    def __init__(self, model: keras.Model):
        self.tags: int = model.output_shape[-1]

        def marginals(outputs: Any, mask: Any, crf: CRF | None) -> Any:
            return ops.softmax(outputs, axis=-1) if crf is None else crf.marginals(outputs, mask)

        self._marginals = SentenceOutputs(model, marginals)

    def predict(self, sentences: EncodedSentences, batch_size: int = 256) -> np.ndarray:
        """Those of all sentences, one after the other, float32 `(sum of lengths, K)`."""
        probs = np.empty((len(sentences.rows), self.tags), np.float32)
        for number, rows in self._marginals.each(sentences, batch_size):
            probs[sentences.offsets[number] : sentences.offsets[number + 1]] = rows
        return probs


class SentenceOutputs:
    """Something that is computed from a tagger's outputs, for each of some sentences.

    Args:
        model: From `textapp.models.ner.entity_tagger`.
        compute: A function of what the model gives `(B, T, K)`, the mask `(B, T)` and its CRF, or None, to a tensor
            `(B, T, ...)`.
    """

    def __init__(self, model: keras.Model, compute: Callable[[Any, Any, CRF | None], Any]):
        crf = model.layers[-1] if isinstance(model.layers[-1], CRF) else None

        def outputs(inputs: Any) -> Any:
            token_ids = inputs["token_ids"] if isinstance(inputs, dict) else inputs
            return compute(model(inputs, training=False), ops.not_equal(token_ids, 0), crf)

        # Of unknown sizes: otherwise it would be traced for each of the first batches.
        signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input)
        self._outputs = compiled(model, outputs, [signature])

    def each(
        self, sentences: EncodedSentences, batch_size: int, batches: tf.data.Dataset | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of each sentence and its tokens' rows, short sentences first; `batches` as in `predict`."""
        lengths = sentences.lengths
        batches = evaluation_batches(sentences, batch_size) if batches is None else batches
        # Rows behind those of `numbers` only fill up a batch of static shape.
        for numbers, (inputs, *_) in zip(sorted_batches(lengths, batch_size), batches, strict=True):
            for number, rows in zip(numbers.tolist(), np.asarray(self._outputs(inputs)), strict=False):
                yield number, rows[: lengths[number]]
