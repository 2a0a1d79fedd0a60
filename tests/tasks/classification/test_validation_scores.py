"""Class probabilities of a validation set, by hand-worked examples."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.dashboards.models import echo
from textapp.tasks.classification.dashboards import ConfusionMatrix
from textapp.tasks.classification.validation_scores import ValidationScores

LABELS = np.array([1, 0, 1, 1, 0])


POSITIVE = np.array([0.9, 0.8, 0.7, 0.3, 0.1])


PROBS = np.stack([1 - POSITIVE, POSITIVE], axis=1)


@pytest.mark.parametrize("weights", [None, np.array([1, 1, 0, 1, 1])], ids=["arrays", "weighted dataset"])
def test_scores_are_softmaxed_and_filler_rows_left_out(weights):
    rows = slice(None) if weights is None else weights.astype(bool)
    data = (np.log(PROBS), LABELS)
    validation = data if weights is None else tf.data.Dataset.from_tensor_slices((*data, weights)).batch(2)
    labels, probs = ValidationScores(validation, batch_size=2).at(echo(2), step=0)
    np.testing.assert_array_equal(labels, LABELS[rows])
    np.testing.assert_allclose(probs, PROBS[rows], rtol=1e-5)


def test_scores_of_one_unit_one_hot_labels_and_nan():
    logits = np.log(POSITIVE / (1 - POSITIVE))[:, np.newaxis]
    logits[2] = np.nan
    labels, probs = ValidationScores((logits, LABELS[:, np.newaxis])).at(echo(1), step=0)
    np.testing.assert_array_equal(labels, LABELS[[0, 1, 3, 4]])
    np.testing.assert_allclose(probs, PROBS[[0, 1, 3, 4]], rtol=1e-5)
    labels, probs = ValidationScores((PROBS, np.eye(2)[LABELS]), from_logits=False).at(echo(2), step=0)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_allclose(probs, PROBS, rtol=1e-6)


def test_scores_are_computed_once_a_step_and_model():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    scores = ValidationScores((PROBS, LABELS))
    _, first = scores.at(model, step=1)
    model.set_weights([np.array([[1.0, -1.0], [3.0, 2.0]]), np.zeros(2)])
    assert scores.at(model, step=1)[1] is first
    assert not np.allclose(scores.at(model, step=2)[1], first)
    assert scores.at(echo(2), step=2)[1].shape == (5, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_names": ["一", "二", "三"]}, "`label_names` must name the model's 2 classes"),
        ({"validation": (np.log(PROBS), LABELS + 1)}, "labels must be class numbers from 0 to 1"),
        ({"validation": (PROBS, LABELS)}, "the model returns probabilities. Received: from_logits=True"),
        ({"from_logits": False}, "the model returns logits. Received: from_logits=False"),
        ({"validation": ()}, "at least one batch"),
    ],
)
def test_scores_that_do_not_fit_are_refused_before_training(tmp_path, arguments, message):
    validation = arguments.pop("validation", (np.log(PROBS) + 1, LABELS))
    scores = ValidationScores(validation or tf.data.Dataset.range(0), **arguments)
    callback = ConfusionMatrix(tmp_path, scores)
    callback.set_model(echo(2))
    with pytest.raises(ValueError, match=re.escape(message)):
        callback.on_train_begin()
