"""The scores of a tagger on its validation split, at the end of each epoch."""

from typing import Any

import keras
import tensorflow as tf

from textapp.data.tagged import TaggedExamples
from textapp.data.tagged_batches import EncodedSentences
from textapp.tasks.tagging.scores import tag_scores
from textapp.text.tag_set import TagSet
from textapp.training.tag_predictor import TagPredictor


class ValidationTags(keras.callbacks.Callback):
    """Tags the validation split at the end of each epoch, for early stopping and for dashboards.

    Entity F1 is that of whole sentences under the best sequence of tags, which no Keras metric of a batch's potentials
    is. So it is computed here and put into the epoch's logs: `val_entity_f1`, `val_precision`, `val_recall` and
    `val_token_accuracy`, or `val_accuracy` of tags that stand for themselves. It stands before all callbacks that read
    them.

    Args:
        examples: The validation split.
        encoded: The same, encoded.
        batches: What `evaluation_batches` makes of it.
        batch_size: Sentences a batch of them.
        tag_set: The tags.

    Attributes:
        monitor: What early stopping should look at.
        predicted: The tags last predicted, sentence by sentence; none before the first epoch has ended.
        scores: What `tag_scores` says of them.
    """

    def __init__(
        self,
        examples: TaggedExamples,
        encoded: EncodedSentences,
        batches: tf.data.Dataset,
        batch_size: int,
        tag_set: TagSet,
    ):
        super().__init__()
        self.examples = examples
        self.tag_set = tag_set
        self.monitor = "val_accuracy" if tag_set.scheme is None else "val_entity_f1"
        self.predicted: list[list[str]] = []
        self.scores: dict[str, Any] = {}
        self._encoded, self._batches, self._batch_size = encoded, batches, batch_size
        self._predictor: TagPredictor | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predicts, and adds to `logs`."""
        del epoch
        if self._predictor is None:
            self._predictor = TagPredictor(self.model, self.tag_set)
        self.predicted = self._predictor.predict(self._encoded, self._batch_size, self._batches)
        self.scores = tag_scores(self.examples.tags, self.predicted, self.tag_set)
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in self.scores.items() if isinstance(value, float)})
