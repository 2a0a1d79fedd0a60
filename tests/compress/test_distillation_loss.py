"""The loss of a student against hand-worked numbers and Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from textapp.compress.distillation_loss import NO_LABEL, DistillationLoss, LabelAccuracy, targets


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(name="rows")
def _rows():
    rng = np.random.default_rng(0)
    logits, teacher = 2 * rng.normal(size=(2, 6, 3)).astype("float32")
    return logits, teacher, np.array([0, 2, 1, 1, 0, 2])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_kl_is_that_of_keras_distillation(rows, temperature, alpha):
    logits, teacher, labels = rows
    # Given as an instance: by the name "kl_divergence" Keras 3.15.1 takes the divergence of the logits themselves.
    divergence = keras.distillation.LogitsDistillation(temperature, keras.losses.KLDivergence())
    keras_soft = divergence.compute_loss(teacher, logits)
    keras_hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    loss = DistillationLoss("kl", temperature, alpha)(targets(labels, softmax(teacher)), logits)
    np.testing.assert_allclose(loss, alpha * keras_hard + (1 - alpha) * keras_soft, rtol=1e-4)


def test_mse_is_the_distance_of_logits_but_for_a_constant(rows):
    logits, teacher, labels = rows
    loss = DistillationLoss("mse", alpha=0.0)
    centred = [x - x.mean(axis=1, keepdims=True) for x in (logits, teacher)]
    np.testing.assert_allclose(
        loss(targets(labels, softmax(teacher)), logits), np.mean((centred[0] - centred[1]) ** 2), rtol=1e-4
    )
    np.testing.assert_allclose(loss(targets(labels, softmax(teacher)), teacher + 7), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_rows_that_lack_a_part(rows, kind):
    logits, teacher, labels = rows
    probs = softmax(teacher)
    half = DistillationLoss(kind, alpha=0.5, reduction=None)
    both = np.asarray(half(targets(labels, probs), logits))
    unlabelled = np.asarray(half(targets(np.full(6, NO_LABEL), probs), logits))
    untaught = np.asarray(half(targets(labels, np.zeros((6, 3))), logits))
    assert (unlabelled > 0).all()
    assert (untaught > 0).all()
    np.testing.assert_allclose(unlabelled + untaught, both, rtol=1e-5)


def test_hand_worked():
    # At T = 2 the teacher's 0.8 : 0.2 becomes 2 : 1; the student says 1 : 1, and its cross-entropy is log 2.
    kl = np.log(2) + 2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)
    loss = DistillationLoss("kl", 2.0, 0.25)(targets(np.array([1]), np.array([[0.8, 0.2]])), np.zeros((1, 2)))
    assert float(loss) == pytest.approx(0.25 * np.log(2) + 0.75 * 4 * kl, rel=1e-5)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_a_teacher_that_is_certain_gives_a_finite_gradient(kind):
    logits = keras.Variable(np.array([[30.0, -30.0]], "float32"))
    with tf.GradientTape() as tape:
        loss = DistillationLoss(kind, 2.0, 0.1)(targets(np.array([1]), np.array([[0.0, 1.0]])), logits.value)
    assert np.isfinite(loss)
    assert np.isfinite(np.asarray(tape.gradient(loss, logits.value))).all()


def test_the_loss_is_saved_with_its_arguments():
    loss = keras.losses.deserialize(keras.losses.serialize(DistillationLoss("mse", 3.0, 0.2)))
    assert (loss.kind, loss.temperature, loss.alpha) == ("mse", 3.0, 0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "ce"}, "`kind` must be kl or mse"),
        ({"temperature": 0}, "`temperature` must be above 0"),
        ({"alpha": 1.1}, "`alpha` must be from 0 to 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DistillationLoss(**arguments)


def test_accuracy_counts_labelled_rows_alone():
    metric = LabelAccuracy()
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [5.0, 0.0], [0.0, 1.0]])
    said = targets(np.array([0, NO_LABEL, 1, 1]), np.full((4, 2), 0.5))
    metric.update_state(said, logits)
    assert float(metric.result()) == pytest.approx(2 / 3)
    metric.reset_state()
    metric.update_state(said, logits, sample_weight=np.array([1.0, 1.0, 1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1 / 2)
