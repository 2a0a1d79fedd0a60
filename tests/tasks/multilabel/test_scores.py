import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from textapp.tasks.multilabel.scores import best_thresholds, multilabel_scores, sigmoid

NAMES = ["goût", "prix", "味道"]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    true, predicted = rng.random((40, 3)) < 0.3, rng.random((40, 3)) < 0.4
    scores = multilabel_scores(true, predicted, NAMES)
    assert scores["micro_f1"] == pytest.approx(f1_score(true, predicted, average="micro"))
    assert scores["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert scores["exact_match"] == accuracy_score(true, predicted)
    assert scores["count"] == 40
    for number, column in enumerate(zip(*precision_recall_fscore_support(true, predicted), strict=True)):
        found = scores["labels"][NAMES[number]]
        assert [found[key] for key in ("precision", "recall", "f1", "count")] == pytest.approx(list(column))


def test_a_label_that_does_not_occur_has_no_part_in_the_macro_f1():
    true = np.array([[True, False], [True, False]])
    scores = multilabel_scores(true, true, ["a", "b"])
    assert (scores["micro_f1"], scores["macro_f1"], scores["labels"]["b"]["f1"]) == (1.0, 1.0, 0.0)


def test_nothing_right_about_nothing_is_zero():
    none = np.zeros((2, 2), bool)
    scores = multilabel_scores(none, none, ["a", "b"])
    assert (scores["micro_f1"], scores["macro_f1"], scores["exact_match"]) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("shapes", [((2, 2), (2, 3)), ((0, 2), (0, 2)), ((2,), (2,))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="must be of one shape"):
        multilabel_scores(*(np.zeros(shape, bool) for shape in shapes), ["a", "b"])


def test_thresholds_of_frequent_labels_reach_the_best_micro_f1_of_a_search_over_all():
    rng = np.random.default_rng(1)
    true = rng.random((60, 2)) < [0.5, 0.3]
    # One label's probabilities lie high, the other's low.
    probs = np.clip(true * 0.2 + rng.random((60, 2)) * 0.3 + [0.5, 0.05], 0, 1)
    repeated, likely = np.repeat(true, 500, axis=0), np.repeat(probs, 500, axis=0)

    def micro(thresholds):
        return f1_score(true, probs >= np.asarray(thresholds), average="micro")

    grid = [np.concatenate([np.sort(probs[:, label]) - 1e-9, [2.0]]) for label in range(2)]
    best = max(micro(pair) for pair in itertools.product(*grid))
    assert micro(best_thresholds(repeated, likely)) == pytest.approx(best, abs=0.005)
    assert micro([0.5, 0.5]) < best - 0.05


def test_a_rare_label_stays_near_the_threshold_that_all_share():
    true, probs = np.zeros((200, 2), bool), np.full((200, 2), 0.1)
    true[:100, 0], probs[:100, 0], probs[100:, 0] = True, 0.9, 0.3  # parted at 0.6
    true[0, 1], probs[0, 1] = True, 0.2  # parted at 0.15
    assert best_thresholds(true, probs) == pytest.approx([0.6, (10 * 0.6 + 0.15) / 11])


def test_a_label_without_a_text_has_the_shared_threshold():
    true = np.array([[True, False], [False, False]])
    found = best_thresholds(true, np.array([[0.8, 0.3], [0.2, 0.3]]))
    assert found == pytest.approx([0.55, 0.55])


def test_equal_probabilities_are_not_parted():
    true = np.array([[True], [False], [False], [False]])
    probs = np.full((4, 1), 0.5)
    (threshold,) = best_thresholds(true, probs)
    assert (probs >= threshold).all()  # F1 0.4, and 0 where none is chosen


def test_sigmoid_of_any_size_is_a_probability():
    logits = np.array([-1e9, -1.0, 0.0, 1.0, 1e9], np.float32)
    np.testing.assert_allclose(sigmoid(logits), [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1], rtol=1e-7)
