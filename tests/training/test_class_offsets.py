"""The offsets of classes: against a logistic regression, and nothing where margins say nothing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from textapp.training.class_offsets import class_offsets


def drawn(rng, count, shift, classes=2):
    """Targets, and margins that tell them apart but for a shift of each class."""
    targets = rng.integers(classes, size=count)
    margins = rng.normal(size=(count, classes)) + 1.5 * np.eye(classes)[targets] + shift
    return margins, targets


def test_offsets_of_two_classes_are_those_of_a_logistic_regression():
    margins, targets = drawn(np.random.default_rng(1), 4000, [0.0, 1.2])
    found = class_offsets(margins, targets)
    line = LogisticRegression(C=np.inf, tol=1e-8).fit(margins[:, 1:] - margins[:, :1], targets)
    expected = line.intercept_[0] / line.coef_[0, 0]
    assert found[1] - found[0] == pytest.approx(expected, rel=0.01)
    assert found[1] == pytest.approx(-found[0], abs=1e-3)


@pytest.mark.parametrize("classes", [2, 5])
def test_offsets_undo_a_shift(classes):
    rng = np.random.default_rng(classes)
    shift = rng.normal(size=classes)
    margins, targets = drawn(rng, 3000, shift, classes)
    found = class_offsets(margins, targets)
    np.testing.assert_allclose(found - found.mean(), shift.mean() - shift, atol=0.15)
    shares = np.bincount((margins + found).argmax(axis=1), minlength=classes) / len(targets)
    np.testing.assert_allclose(shares, 1 / classes, atol=0.03)


def test_what_is_no_more_than_chance_is_left_out():
    rng = np.random.default_rng(6)
    sizes = [np.abs(class_offsets(*drawn(rng, 100, 0.0))).max() for _ in range(40)]
    assert np.mean(np.array(sizes) == 0) > 0.5
    assert max(sizes) < 1


def test_margins_that_do_not_tell_classes_apart_stay_finite():
    targets = np.array([0, 1] * 50)
    assert np.isfinite(class_offsets(np.zeros((100, 2)), targets)).all()
    margins = np.where(np.eye(2)[targets], 5.0, -5.0)  # all right
    found = class_offsets(margins, targets)
    assert ((margins + found).argmax(axis=1) == targets).all()
