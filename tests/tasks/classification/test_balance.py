"""Weights of classes against scikit-learn and by hand, and the score that chooses the epoch."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from textapp.data.readers import Examples
from textapp.data.rows import UNLABELLED, EncodedRows
from textapp.errors import InputError
from textapp.task import task
from textapp.tasks.classification.balance import class_weights, report_unpredicted
from textapp.text.labels import ExclusiveLabels, IndependentLabels

TARGETS = {"classification": ExclusiveLabels(("差", "好")), "multilabel": IndependentLabels(("差", "好"))}


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [70, 20, 3])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights("balanced", np.bincount(labels)), expected)


def test_effective_weights_worked_by_hand():
    """The effective numbers are 1, 1 + 0.999, 1 + 0.999 + 0.999**2 and, for very many texts, 1000."""
    counts = np.array([1, 2, 3, 10**6])
    weights = class_weights("effective", counts)
    np.testing.assert_allclose(weights[0] / weights, [1, 1.999, 2.997001, 1000], rtol=1e-9)
    assert np.average(weights, weights=counts) == pytest.approx(1)


def test_each_of_several_labels_is_a_choice_between_two_classes():
    """Three labels of 10 texts: one is rare, one is that of all texts."""
    counts = np.array([[8, 2], [5, 5], [0, 10]])
    assert class_weights("balanced", counts).tolist() == [[10 / 16, 10 / 4], [1, 1], [0, 1]]
    np.testing.assert_allclose(class_weights("effective", counts)[1:], [[1, 1], [0, 1]])
    assert class_weights("none", counts).tolist() == np.ones((3, 2)).tolist()


def test_unlabelled_rows_of_a_student_do_not_count():
    def counts(targets):
        numbers = np.zeros(len(targets), np.int32)
        rows = EncodedRows(numbers, np.arange(len(targets) + 1), {}, np.array(targets), False, numbers)
        return rows.target_counts(3).tolist()

    assert counts([2, UNLABELLED, 0, 2]) == [1, 0, 2]
    assert counts([[0, 1, 1], [UNLABELLED] * 3, [0, 0, 1]]) == [[2, 0], [1, 1], [0, 2]]


@pytest.mark.parametrize(
    ("name", "monitor", "counts", "expected"),
    [
        ("classification", "auto", [29, 10], "accuracy"),
        ("classification", "auto", [10, 30], "macro_f1"),
        ("classification", "accuracy", [10, 30], "accuracy"),
        ("classification", "loss", [10, 30], "loss"),
        ("multilabel", "auto", [[10, 30], [39, 1]], "micro_f1"),
        ("multilabel", "macro_f1", [[10, 30], [39, 1]], "macro_f1"),
    ],
)
def test_the_score_that_chooses_the_epoch(name, monitor, counts, expected):
    found = task(name)
    for config in (found.config(), found.student_config()):
        config = config.override([f"monitor={monitor}"])
        assert found.monitor(config, TARGETS[name], np.array(counts)) == expected


def test_settings_of_the_other_kind_of_labels_and_of_trainings_alone_are_refused():
    with pytest.raises(InputError, match="monitor=micro_f1: must be auto or accuracy or macro_f1 or loss"):
        task("classification").config().override(["monitor=micro_f1"])
    with pytest.raises(InputError, match="monitor=accuracy: must be auto or micro_f1"):
        task("multilabel").student_config().override(["monitor=accuracy"])
    for setting in ("class_weights=balanced", "focal_gamma=1", "label_smoothing=0.1"):
        with pytest.raises(InputError, match=r"unknown setting .*; it is one of `textapp train classifier`"):
            task("classification").student_config().override([setting])


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_labels_that_no_text_gets_are_named(weights):
    lines: list[str] = []
    config = task("classification").config().override([f"class_weights={weights}"])
    examples = Examples(["a", "b", "c"], ["好", ("差", "好"), ()], "Prüfung")
    report_unpredicted(config, examples, {"好"}, lines.append)
    report_unpredicted(config, examples, {"好", "差"}, lines.append)
    (line,) = lines
    assert "the model predicts no text of valid as '差'; try more training texts" in line
    assert ("class_weights=balanced" in line) is (weights == "none")
