"""Tags of the validation split at the end of an epoch."""

import keras
import numpy as np
import pytest

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.data.tagged_batches import EncodedSentences
from textapp.text.tag_set import TagSet
from textapp.training.validation_tags import ValidationTags


def test_the_scores_are_put_into_the_logs():
    token_ids = keras.Input((None,), dtype="int32")
    model = keras.Model(token_ids, keras.layers.Embedding(3, 2)(token_ids))
    model.set_weights([np.array([[0, 0], [1, 0], [0, 1]], "float32")])  # word 1 is tag 0, word 2 is tag 1
    rows, offsets = np.array([1, 2, 2], "int32"), np.array([0, 2, 3])
    encoded = EncodedSentences(rows, offsets, np.zeros(3, "int32"), {"token_ids": np.arange(3, dtype="int32")})
    examples = TaggedExamples([["a", "b"], ["b"]], [["N", "V"], ["N"]], "样本", PLAIN)
    scores = ValidationTags(examples, encoded, None, 2, TagSet(("N", "V"), None))
    scores.set_model(model)
    logs = {"loss": 1.0}
    scores.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_accuracy": pytest.approx(2 / 3)}
    assert scores.monitor == "val_accuracy"
    assert scores.predicted == [["N", "V"], ["V"]]
    spans = ValidationTags(examples, None, None, 2, TagSet.build([["B-人", "O"]], "IOBES"))
    assert spans.monitor == "val_entity_f1"
