"""The temperature against a search over a grid by scikit-learn, and where there is little to learn it from."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from textapp.tasks.classification.temperature import best_temperature
from textapp.text.labels import LEAST_TEMPERATURE, MOST_TEMPERATURE


def drawn(count: int, factor: float, classes: int = 4, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn with the probabilities of logits, and these logits times a factor."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return labels, (factor * logits).astype(np.float32)


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_it_is_the_most_likely_of_a_grid(factor):
    labels, logits = drawn(2000, factor)
    grid = np.geomspace(0.1, 10, 201)
    losses = [log_loss(labels, softmax(logits.astype(float) / temperature, axis=1)) for temperature in grid]
    found = best_temperature(labels, logits)
    assert found == pytest.approx(grid[np.argmin(losses)], rel=0.05)
    assert found == pytest.approx(factor, rel=0.1)


def test_few_texts_count_with_ten_that_are_as_the_model_says():
    labels, logits = drawn(8, 3.0)
    probs = softmax(logits.astype(float), axis=1)
    grid = np.geomspace(0.05, 20, 2001)

    def loss(temperature):
        scaled = np.log(softmax(logits / temperature, axis=1))
        return -(scaled[np.arange(8), labels].sum() + 10 * (probs * scaled).sum(axis=1).mean())

    assert best_temperature(labels, logits) == pytest.approx(grid[np.argmin([loss(one) for one in grid])], rel=0.01)
    right = [best_temperature(np.zeros(count, int), np.array([[2.0, 0.0]] * count)) for count in (1, 10, 1000)]
    assert 1 > right[0] > right[1] > right[2] > 0.2


def test_where_no_temperature_is_best_it_keeps_its_range():
    logits = np.array([[3.0, 0.0, 1.0]] * 5000)
    assert best_temperature(np.ones(5000, int), logits) == MOST_TEMPERATURE
    assert best_temperature(np.zeros(5000, int), logits / 100) == LEAST_TEMPERATURE
    assert best_temperature(np.array([0, 1]), np.array([[0.0, 0.0], [5.0, 5.0]])) == 1
    assert best_temperature(np.array([0, 1]), np.full((2, 2), np.nan)) == 1
    labels, logits = drawn(100, 2.0)
    logits[5:] *= 1e30
    assert best_temperature(labels, logits) == MOST_TEMPERATURE
    logits[5:] = np.nan
    assert best_temperature(labels, logits) == best_temperature(labels[:5], logits[:5])
