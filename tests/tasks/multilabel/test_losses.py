import keras
import numpy as np
import pytest

from textapp.tasks.multilabel.losses import WeightedBinaryCrossentropy, soft_distance

PROBS = np.array([[0.2, 0.9, 0.5], [0.01, 0.99, 0.3]], "float32")
LOGITS = np.array([[0.5, -1.0, 2.0], [0.0, 3.0, -3.0]], "float32")


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_kl_is_the_mean_over_labels_of_the_divergence_of_two_coins(temperature):
    def coin(logits):
        return 1 / (1 + np.exp(-logits / temperature))

    p, q = coin(np.log(PROBS / (1 - PROBS))), coin(LOGITS)
    expected = temperature**2 * np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)), axis=1)
    found = keras.ops.convert_to_numpy(soft_distance("kl", temperature)(PROBS, LOGITS, None))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_mse_is_that_of_logits():
    expected = np.mean((np.log(PROBS / (1 - PROBS)) - LOGITS) ** 2, axis=1)
    found = keras.ops.convert_to_numpy(soft_distance("mse", 1.0)(PROBS, LOGITS, None))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["kl", "mse"])
def test_certain_teachers_give_finite_distances(kind):
    certain = np.array([[0.0, 1.0]], "float32")
    found = keras.ops.convert_to_numpy(soft_distance(kind, 2.0)(certain, np.array([[60.0, -60.0]], "float32"), None))
    assert np.isfinite(found).all()
    assert (found > 1).all()


def test_the_teachers_own_logits_are_nearest():
    logits = np.log(PROBS / (1 - PROBS))
    found = keras.ops.convert_to_numpy(soft_distance("kl", 2.0)(PROBS, logits, None))
    np.testing.assert_allclose(found, 0, atol=1e-5)


TRUE = np.array([[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize(("gamma", "smoothing"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.2)])
def test_focal_loss_and_smoothing_are_those_of_keras(gamma, smoothing):
    options = {"from_logits": True, "label_smoothing": smoothing, "reduction": None}
    expected = keras.losses.BinaryFocalCrossentropy(gamma=gamma, **options)(TRUE.astype("float32"), LOGITS)
    found = WeightedBinaryCrossentropy(np.ones((3, 2)), gamma, smoothing).call(TRUE, LOGITS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_texts_with_and_without_a_label_have_weights_of_their_own():
    weights = np.array([[1, 2], [3, 4], [5, 6]])
    found = WeightedBinaryCrossentropy(weights).call(TRUE, np.zeros((2, 3)))
    np.testing.assert_allclose(found, np.log(2) * np.array([2 + 3 + 6, 1 + 4 + 5]) / 3, rtol=1e-6)
