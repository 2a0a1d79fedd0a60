"""Doubts about labels, by hand."""

import numpy as np
import pytest

from textapp.data.doubts import Confusion, confusions, exclusive_doubts, independent_doubts, mean_probabilities

NAMES = ["a", "好", "c"]


def test_one_label_is_doubted_if_another_one_is_more_probable():
    probs = np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.0, 0.3, 0.7], [0.2, 0.5, 0.3]])
    found = exclusive_doubts(np.array([0, 0, 0, 2]), probs, NAMES)
    assert [tuple(doubt) for doubt in found] == [
        (2, "a", "c", 0.0, 0.7),
        (0, "a", "好", 0.1, 0.8),
        (3, "c", "好", 0.3, 0.5),
    ]
    assert confusions(found) == [
        Confusion("a", "c", [2]),
        Confusion("a", "好", [0]),
        Confusion("c", "好", [3]),
    ]
    assert probs[0, 0] == 0.1  # the input is not changed


def test_a_text_may_have_a_label_too_much_and_lack_another():
    given = np.array([[True, False, False], [False, True, False]])
    found = independent_doubts(given, np.array([[0.25, 0.1, 0.9], [0.4, 0.9, 0.8]]), NAMES)
    assert [tuple(doubt) for doubt in found] == [
        (0, None, "c", pytest.approx(0.1), 0.9),
        (1, None, "c", pytest.approx(0.2), 0.8),
        (0, "a", None, 0.25, 0.75),
    ]
    assert confusions(found)[0] == Confusion(None, "c", [0, 1])


def test_two_models_count_by_their_log_odds():
    one, other = np.array([[0.9, 0.1], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]])
    assert mean_probabilities([one], exclusive=True).tolist() == one.tolist()
    both = mean_probabilities([one, other], exclusive=True)
    assert both[0].tolist() == pytest.approx([0.75, 0.25])  # odds of 9 and 1: 3
    assert both[1].tolist() == pytest.approx([0.5, 0.5])
    np.testing.assert_allclose(mean_probabilities([one, other], exclusive=False), both, atol=1e-6)
