"""Scores of the validation split at the end of an epoch."""

import contextlib

import keras
import numpy as np
import pytest

from textapp.data.batches import evaluation_batches
from textapp.data.readers import Examples
from textapp.data.rows import EncodedRows
from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.task import task
from textapp.text.labels import Decision, ExclusiveLabels
from textapp.text.tag_set import TagSet
from textapp.training.validation import ValidationScores

TARGETS = {"classification": ExclusiveLabels(("N", "V")), "tagging": TagSet(("N", "V"), None)}


def scores_of(name, weights=contextlib.nullcontext):
    """Scores of a model in which word 1 is target 0 and word 2 target 1, and that model."""
    token_ids = keras.Input((None,), dtype="int32")
    outputs = keras.layers.Embedding(3, 2)(token_ids)
    if name == "classification":
        outputs = outputs[:, 0]
        texts, targets = ["a b", "b", "b"], np.array([0, 0, 1])
        offsets, examples = np.array([0, 2, 3, 4]), Examples(texts, ["N", "N", "V"], "样本")
        ids = [1, 2, 2, 2]
    else:
        examples = TaggedExamples([["a", "b"], ["b"]], [["N", "V"], ["N"]], "样本", PLAIN)
        offsets, targets, ids = np.array([0, 2, 3]), np.array([0, 1, 0]), [1, 2, 2]
    model = keras.Model(token_ids, outputs)
    model.set_weights([np.array([[0, 0], [1, 0], [0, 1]], "float32")])
    rows = EncodedRows(
        np.array(ids, "int32"),
        offsets,
        {"token_ids": np.arange(3, dtype="int32")},
        targets.astype("int32"),
        name == "tagging",
        np.arange(len(offsets) - 1),
    )
    batches = evaluation_batches(rows, 2)
    scores = ValidationScores(task(name), model, examples, rows, batches, 2, TARGETS[name], weights)
    return scores, model


@pytest.mark.parametrize("name", TARGETS)
def test_the_scores_are_put_into_the_logs(name):
    scores, model = scores_of(name)
    logs = {"loss": 1.0, "val_loss": 2.0}
    scores.on_epoch_end(0, logs)
    assert logs["val_accuracy"] == pytest.approx(2 / 3)
    assert (logs["loss"], logs["val_loss"]) == (1.0, 2.0)  # those of `fit`, of what it was compiled with
    assert scores.scores["accuracy"] == pytest.approx(2 / 3)
    decisions = task(name).decisions(scores.rows, scores.decoded, TARGETS[name])
    labels = [Decision(label, 0.5) for label in "NVV"]  # equal to those of any confidence
    assert decisions == (labels if name == "classification" else [["N", "V"], ["V"]])
    if name == "classification":
        assert scores.calibrated.temperature > 1  # of three texts one is wrong, and the model is 73 % sure of each
    model.set_weights([np.array([[0, 0], [1, 0], [1, 0]], "float32")])
    scores.on_epoch_end(1, logs)
    assert logs["val_accuracy"] == pytest.approx(2 / 3)
    decisions = task(name).decisions(scores.rows, scores.decoded, TARGETS[name])
    assert decisions == ([Decision("N", 0.5)] * 3 if name == "classification" else [["N", "N"], ["N"]])


def test_the_weights_that_count_are_scored():
    scores, model = scores_of("tagging", lambda: rounded())

    @contextlib.contextmanager
    def rounded():
        before = model.get_weights()
        model.set_weights([np.array([[0, 0], [0, 1], [1, 0]], "float32")])
        yield
        model.set_weights(before)

    scores.on_epoch_end(0, logs := {})
    assert logs == {"val_accuracy": pytest.approx(1 / 3)}
