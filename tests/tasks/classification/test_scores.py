"""Scores of classes against hand-worked numbers."""

import numpy as np
import pytest

from textapp.tasks.classification.scores import (
    accuracy,
    answer_scores,
    classification_scores,
    confidences,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    precision_thresholds,
    reliability,
)

# Ten reviews judged by hand: labels 好 (0), 坏 (1), 一般 (2).
TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
PREDICTED = [0, 0, 0, 1, 1, 1, 2, 2, 0, 1]


def test_rows_are_true_classes_and_columns_predicted_ones():
    matrix = confusion_matrix(TRUE, PREDICTED, classes=3)
    assert matrix.tolist() == [[3, 1, 0], [0, 2, 1], [1, 1, 1]]
    assert matrix.dtype == np.int64


def test_scores_worked_by_hand():
    matrix = confusion_matrix(TRUE, PREDICTED, classes=3)
    assert accuracy(matrix) == pytest.approx(6 / 10)
    # F1 per class: 2*3/(4+4), 2*2/(3+4), 2*1/(3+2)
    assert macro_f1(matrix) == pytest.approx((6 / 8 + 4 / 7 + 2 / 5) / 3)


def test_a_class_that_never_occurs_is_left_out_of_the_mean():
    with_spare_classes = confusion_matrix(TRUE, PREDICTED, classes=50)
    assert with_spare_classes.shape == (50, 50)
    assert macro_f1(with_spare_classes) == pytest.approx((6 / 8 + 4 / 7 + 2 / 5) / 3)


def test_a_class_only_predicted_and_a_class_only_true_count_as_zero():
    only_predicted = confusion_matrix([0, 0], [0, 2], classes=3)
    assert macro_f1(only_predicted) == pytest.approx((2 / 3 + 0) / 2)
    only_true = confusion_matrix([0, 1], [0, 0], classes=3)
    assert macro_f1(only_true) == pytest.approx((2 / 3 + 0) / 2)


def test_all_right_and_all_wrong():
    assert accuracy(confusion_matrix([0, 1, 2], [0, 1, 2], classes=3)) == 1.0
    assert macro_f1(confusion_matrix([0, 1, 2], [0, 1, 2], classes=3)) == 1.0
    assert accuracy(confusion_matrix([0, 1, 2], [1, 2, 0], classes=3)) == 0.0
    assert macro_f1(confusion_matrix([0, 1, 2], [1, 2, 0], classes=3)) == 0.0


def test_equals_a_count_over_pairs():
    rng = np.random.default_rng(7)
    true, predicted = rng.integers(0, 5, 400), rng.integers(0, 5, 400)
    pairs = list(zip(true, predicted, strict=True))
    matrix = confusion_matrix(true, predicted, classes=5)
    assert matrix.tolist() == [[pairs.count((t, p)) for p in range(5)] for t in range(5)]
    harmonic_means = []
    for c in range(5):
        precision = pairs.count((c, c)) / sum(p == c for _, p in pairs)
        recall = pairs.count((c, c)) / sum(t == c for t, _ in pairs)
        harmonic_means.append(2 * precision * recall / (precision + recall))
    assert macro_f1(matrix) == pytest.approx(sum(harmonic_means) / 5)


def test_narrow_integer_types_do_not_overflow():
    true = np.full(10, 199, np.uint8)
    assert confusion_matrix(true, true, classes=200)[199, 199] == 10


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([0, 1], [0], "must be of one length. Received: 2 and 1"),
        ([0, 2], [0, 1], "`true` must hold class indices from 0 to 1. Received: 2"),
        ([0, 1], [0, -1], "`predicted` must hold class indices from 0 to 1. Received: -1"),
        ([0.0, 1.0], [0, 1], "`true` must be a list of integers. Received: float64"),
        (["好", "坏"], [0, 1], "`true` must be a list of integers"),
        ([[0], [1]], [0, 1], r"`true` must be a list of integers. Received: int64 of shape \(2, 1\)"),
    ],
)
def test_what_is_not_a_list_of_class_indices_is_refused(true, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(true, predicted, classes=2)


def test_no_examples_have_no_score():
    matrix = confusion_matrix([], [], classes=2)
    assert matrix.tolist() == [[0, 0], [0, 0]]
    for score in (accuracy, macro_f1):
        with pytest.raises(ValueError, match="at least one example"):
            score(matrix)


def test_logits_are_scored():
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.0]], "float32")
    scores = classification_scores(np.array([0, 1, 1, 0]), logits)
    assert scores["accuracy"] == 0.75
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    nats = [np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(-1.0)), np.log(1 + np.exp(3.0)), np.log(2.0)]
    assert scores["loss"] == pytest.approx(np.mean(nats), rel=1e-5)
    assert scores["count"] == 4


def test_calibration_error_equals_a_loop_over_predictions():
    rng = np.random.default_rng(4)
    probs, right = rng.random(500), rng.random(500) < 0.6
    error = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [(p, r) for p, r in zip(probs, right, strict=True) if low < p <= high]
        if inside:
            error += len(inside) / 500 * abs(np.mean([p for p, _ in inside]) - np.mean([r for _, r in inside]))
    assert expected_calibration_error(reliability(right, probs)) == pytest.approx(error)
    (whole,) = reliability([True, False], [1.0, 1.0])
    assert (whole.count, whole.confidence, whole.accuracy) == (2, 1.0, 0.5)
    assert reliability([True], [np.nan]) == ()
    assert expected_calibration_error(()) == 0


def test_the_temperature_changes_confidence_alone():
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 1e4]], "float32")
    assert confidences(logits, 2.0) == pytest.approx([1 / (1 + np.exp(-x)) for x in (1, 0.5, 1.5, 5000)])
    plain, cooled = (classification_scores(np.array([0, 1, 1, 1]), logits, one) for one in (1.0, 0.5))
    assert cooled.pop("ece") != plain.pop("ece")
    assert cooled == plain


def test_a_model_that_may_stay_silent():
    right, probs, outside = [True, True, False, True], [0.9, 0.5, 0.7, 0.4], [0.45, 0.6, 0.2]
    assert answer_scores(right, probs, [], 0.5) == {
        "min_confidence": 0.5,
        "coverage": 0.75,
        "selective_accuracy": pytest.approx(2 / 3),
    }
    scores = answer_scores(right, probs, outside, 0.5)
    assert (scores["in_scope_accuracy"], scores["out_of_scope_recall"]) == (0.5, pytest.approx(2 / 3))
    silent = answer_scores(right, probs, outside, 1)
    assert (silent["coverage"], silent["selective_accuracy"], silent["out_of_scope_recall"]) == (0, None, 1)


@pytest.mark.parametrize("precision", [0.6, 0.8, 1.0])
def test_thresholds_have_the_most_answers_of_all_that_reach_the_precision(precision):
    """Against every threshold; some probabilities are equal, some unknown, and no label fits some texts."""
    rng = np.random.default_rng(3)
    names = ["好", "坏", None]
    true = [names[number] for number in rng.choice(3, 60, p=[0.5, 0.35, 0.15])]
    probs = rng.integers(30, 60, 60) / 60
    right = rng.random(60) < probs
    wrong = {"好": "坏", "坏": "好", None: "好"}
    predicted = [name if hit and name else wrong[name] for name, hit in zip(true, right, strict=True)]
    probs[:2] = np.nan
    found = precision_thresholds(true, predicted, probs.tolist(), precision)
    assert found["precision"] == precision
    assert list(found["labels"]) == ["坏", "好"]
    for label, row in {None: found["overall"], **found["labels"]}.items():

        def answers(least, label=label):
            return [
                one == other
                for one, other, prob in zip(true, predicted, probs, strict=True)
                if prob >= least and label in (None, other)
            ]

        reaching = [hits for least in probs if (hits := answers(least)) and np.mean(hits) >= precision]
        best = max(reaching, key=len, default=[])
        having = sum(name is not None if label is None else name == label for name in true)
        assert (row["recall"], row["coverage"]) == (sum(best) / having, len(best) / 60)
        if best:
            assert answers(row["min_confidence"]) == best
            assert row["precision"] == np.mean(best)
            assert row["min_confidence"] == round(row["min_confidence"], 3), "few decimals"
        else:
            assert row["min_confidence"] is row["precision"] is None


def test_no_threshold_is_between_equal_probabilities_and_none_reaches_all():
    wrong = precision_thresholds(["a", "b"], ["a", "a"], [0.9, 0.9], 0.95)
    assert wrong["overall"] == {"min_confidence": None, "precision": None, "recall": 0.0, "coverage": 0.0}
    assert wrong["labels"]["b"]["recall"] == 0
    near = precision_thresholds(["a", "b"], ["a", "a"], [0.9, np.nextafter(0.9, 0)], 0.95)
    assert near["overall"]["min_confidence"] == 0.9
    assert precision_thresholds(["a"], ["a"], [0.7], 0.95)["overall"]["min_confidence"] == 0


def test_classes_that_the_model_lacks_are_wrong_and_have_no_loss():
    logits = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    scores = classification_scores(np.array([1, 3, 2]), logits)
    assert scores["accuracy"] == 0
    assert scores["macro_f1"] == 0
    assert scores["loss"] == pytest.approx(np.log(2))
    assert scores["count"] == 3
    assert classification_scores(np.array([2]), logits[:1])["loss"] == 0
