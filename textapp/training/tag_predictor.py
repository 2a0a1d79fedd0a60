"""The tags that a Keras tagger gives to encoded sentences."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from textapp.data.pipeline import evaluation_batches, sorted_batches
from textapp.data.tagged_batches import NO_TAG, EncodedSentences
from textapp.layers import CRF
from textapp.text.tag_set import TagSet
from textapp.training.tensorboard.compiled import compiled


class TagPredictor:
    """Finds the best tags: with a CRF the best sequence, otherwise the best tag of each token.

    Args:
        model: From `textapp.models.ner.entity_tagger`.
        tag_set: Its tags.
    """

    def __init__(self, model: keras.Model, tag_set: TagSet):
        self.tag_set = tag_set
        crf = model.layers[-1] if isinstance(model.layers[-1], CRF) else None

        def best(inputs: Any) -> Any:
            token_ids = inputs["token_ids"] if isinstance(inputs, dict) else inputs
            mask = ops.not_equal(token_ids, 0)
            outputs = model(inputs, training=False)
            if crf is not None:
                return crf.decode(outputs, mask)[0]
            return ops.where(mask, ops.cast(ops.argmax(outputs, axis=-1), "int32"), NO_TAG)

        # Of unknown sizes: otherwise it would be traced for each of the first batches.
        signature = keras.tree.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input)
        self._best = compiled(model, best, [signature])

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
        lengths = sentences.lengths
        batches = evaluation_batches(sentences, batch_size) if batches is None else batches
        # Rows behind those of `numbers` only fill up a batch of static shape.
        for numbers, (inputs, *_) in zip(sorted_batches(lengths, batch_size), batches, strict=True):
            for number, ids in zip(numbers, np.asarray(self._best(inputs)), strict=False):
                tags[number] = self.tag_set.decode(ids[: lengths[number]])
        if sentences.firsts is None:
            return tags
        return [self.tag_set.of_tokens(*pieces) for pieces in zip(tags, sentences.firsts, strict=True)]
