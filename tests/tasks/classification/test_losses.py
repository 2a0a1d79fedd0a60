"""The weighted loss of a classifier against Keras' own losses, and by hand."""

import keras
import numpy as np
import pytest

from textapp.tasks.classification.losses import WeightedCrossentropy

LABELS = np.array([0, 2, 1, 2])
LOGITS = np.array([[2.0, -1, 0.5], [0, 0, 0], [-3, 4, 1], [5, 1, -2]], "float32")
SAME = np.ones(3)


def losses(loss, labels=LABELS, logits=LOGITS):
    return keras.ops.convert_to_numpy(loss.call(labels, logits))


def test_without_settings_it_is_the_cross_entropy():
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)(LABELS, LOGITS)
    np.testing.assert_allclose(losses(WeightedCrossentropy(SAME)), expected, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_and_smoothing_are_those_of_keras(gamma, smoothing):
    reference = keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, from_logits=True, label_smoothing=smoothing, reduction=None
    )
    expected = reference(np.eye(3, dtype="float32")[LABELS], LOGITS)
    np.testing.assert_allclose(losses(WeightedCrossentropy(SAME, gamma, smoothing)), expected, rtol=1e-4)


def test_a_text_counts_by_the_weight_of_its_class_and_not_if_it_only_fills_a_batch():
    """Two texts of probability 1/2 and 1/4: weight x (1 - p)^2 x -log p; the third fills the batch."""
    loss = WeightedCrossentropy(np.array([0.5, 3.0]), focal_gamma=2.0)
    logits = np.array([[0, 0], [np.log(3), 0], [9, 0]], "float32")
    by_hand = [0.5 * 0.25 * np.log(2), 3 * 0.5625 * np.log(4)]
    labels = np.array([0, 1, 1])
    np.testing.assert_allclose(losses(loss, labels, logits)[:2], by_hand, rtol=1e-5)
    assert float(loss(labels, logits, np.array([1.0, 1.0, 0.0]))) == pytest.approx(np.mean(by_hand), rel=1e-5)


def test_certain_predictions_have_finite_gradients():
    import tensorflow as tf

    logits = tf.constant([[1e4, 0.0], [0.0, 1e4]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = WeightedCrossentropy(np.ones(2), focal_gamma=0.5)(np.array([0, 0]), tf.cast(logits, "float16"))
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()
