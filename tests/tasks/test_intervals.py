"""Intervals and tests of differences, against scipy, scikit-learn and resamples that are drawn text by text."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from textapp.task import task
from textapp.tasks.intervals import (
    MCNEMAR,
    PAIRED_BOOTSTRAP,
    bootstrap,
    f1_of_counts,
    holm,
    macro_f1_of_counts,
    mcnemar,
    paired_bootstrap,
    share_of_counts,
    wilson,
)
from textapp.text.labels import Decision
from textapp.text.tag_set import TagSet

RESAMPLES = 1500
SPANS, PLAIN = TagSet(("O", "B-地", "I-地"), "IOB2"), TagSet(("N", "V"), None)


def intervals(name, true, decisions, targets=None):
    return task(name).intervals(SimpleNamespace(labels=true, tags=true), decisions, targets)


def difference(name, true, first, second, targets=None):
    return task(name).difference(SimpleNamespace(labels=true, tags=true), first, second, targets)


@pytest.mark.parametrize(("right", "count"), [(0, 7), (9, 10), (7, 7), (431, 872), (1, 1)])
def test_wilson_is_scipys(right, count):
    expected = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson(right, count)[:2] == pytest.approx((expected.low, expected.high))
    with pytest.raises(ValueError, match="`right` must be from 0"):
        wilson(count + 1, count)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 9), (5, 5), (40, 25), (700, 820)])
def test_mcnemar_is_the_exact_test_of_a_fair_coin(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_holm_raises_the_least_most():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def percentiles(score, count):
    """The 95 % interval of resamples of positions, one by one."""
    random = np.random.default_rng(7)
    return np.percentile([score(random.integers(0, count, count)) for _ in range(RESAMPLES)], [2.5, 97.5])


def labelled(seed, classes=3, count=150, error=0.3):
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, count)
    predicted = np.where(random.random(count) < error, random.integers(0, classes, count), true)
    return [f"标{number}" for number in true], [Decision(f"标{number}", 0.5) for number in predicted]


def test_the_interval_of_macro_f1_is_that_of_texts_drawn_one_by_one():
    true, decisions = labelled(1)
    labels, predicted = np.array(true), np.array([decision.label for decision in decisions])
    names = np.unique(labels)[:, None]
    of_true, of_predicted = labels == names, predicted == names

    def macro_f1(rows):
        right = (of_true[:, rows] & of_predicted[:, rows]).sum(axis=1)
        return (2 * right / (of_true[:, rows].sum(axis=1) + of_predicted[:, rows].sum(axis=1))).mean()

    assert macro_f1(slice(None)) == pytest.approx(f1_score(labels, predicted, average="macro"))
    expected = percentiles(macro_f1, len(true))
    found = intervals("classification", true, decisions)
    assert found["macro_f1"][:2] == pytest.approx(expected, abs=0.01)
    assert found["accuracy"] == wilson(int((labels == predicted).sum()), len(true))
    assert intervals("classification", true, decisions) == found  # repeatable


def test_the_interval_of_micro_f1_likewise():
    random = np.random.default_rng(3)
    true, chosen = random.random((120, 3)) < 0.4, random.random((120, 3)) < 0.4
    sets = [[tuple(f"l{n}" for n in np.flatnonzero(row)) for row in rows] for rows in (true, chosen)]
    found = intervals("multilabel", *sets)

    def micro_f1(rows):
        return 2 * (true[rows] & chosen[rows]).sum() / (true[rows].sum() + chosen[rows].sum())

    assert micro_f1(slice(None)) == pytest.approx(f1_score(true, chosen, average="micro"))
    expected = percentiles(micro_f1, 120)
    assert found["micro_f1"][:2] == pytest.approx(expected, abs=0.012)
    assert found["exact_match"] == wilson(int((true == chosen).all(axis=1).sum()), 120)
    assert found["macro_f1"].low < f1_score(true, chosen, average="macro") < found["macro_f1"].high


TRUE = [["B-地", "I-地", "O"], ["O", "B-地"], ["O"]] * 30
WORSE = [["B-地", "O", "O"], ["O", "B-地"], ["O"]] * 20 + [["B-地", "I-地", "O"], ["O", "O"], ["B-地"]] * 10


def test_the_intervals_of_entities_are_over_sentences():
    found = intervals("tagging", TRUE, WORSE, SPANS)
    counts = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 0]] * 20 + [[1, 1, 1], [0, 0, 1], [0, 1, 0]] * 10)

    def f1(rows):
        right, predicted, wanted = counts[rows].sum(axis=0)
        return 2 * right / (predicted + wanted)

    assert found["entity_f1"][:2] == pytest.approx(percentiles(f1, len(TRUE)), abs=0.02)
    assert found["precision"].low < counts[:, 0].sum() / counts[:, 1].sum() < found["precision"].high
    assert set(intervals("tagging", [["N", "V"]], [["N", "N"]], PLAIN)) == {"accuracy"}


def test_a_score_that_divides_by_nothing_has_no_interval():
    without, some = [["O", "O"]] * 9, [["B-地", "O"]] * 9
    assert set(intervals("tagging", without, without, SPANS)) == {"token_accuracy"}
    assert set(intervals("tagging", without, some, SPANS)) == {"entity_f1", "precision", "token_accuracy"}
    assert set(intervals("tagging", some, without, SPANS)) == {"entity_f1", "recall", "token_accuracy"}
    assert set(intervals("multilabel", [(), ()], [(), ()])) == {"exact_match"}
    assert set(intervals("multilabel", [("标",), ()], [(), ()])) == {"exact_match", "micro_f1", "macro_f1"}


def test_classifiers_are_compared_by_mcnemars_test():
    true, worse = labelled(1)
    better = [Decision(label, 0.5) for label in true[:75]] + worse[75:]
    found = difference("classification", true, worse, better)
    gained = sum(decision.label != label for decision, label in zip(worse[:75], true, strict=False))
    assert found.value == pytest.approx(gained / 150)
    assert found.low <= found.value <= found.high
    assert found.p == pytest.approx(stats.binomtest(0, gained).pvalue)
    assert found.method == MCNEMAR
    same = difference("classification", true, worse, worse)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_taggers_are_compared_by_the_paired_bootstrap():
    found = difference("tagging", TRUE, WORSE, TRUE, SPANS)
    assert found.value == pytest.approx(1 - 2 * 30 / (60 + 60))
    assert 0 < found.low < found.value < found.high
    assert found.p < 0.001
    assert found.method == PAIRED_BOOTSTRAP
    assert difference("tagging", TRUE, WORSE, WORSE, SPANS).p == 1.0
    assert difference("tagging", [["N", "V"]] * 9, [["N", "N"]] * 9, [["N", "V"]] * 9, PLAIN).value == 0.5
    sets = [("a",), (), ("a", "b")] * 9
    assert difference("multilabel", sets, [()] * 27, sets).value == pytest.approx(1.0)


def test_a_difference_by_chance_is_rarely_found():
    """Of two models that guess, p is below 0.05 about once in twenty, so below 0.2 about once in five."""
    random, ps = np.random.default_rng(11), []
    for _ in range(60):
        hits = (random.random((2, 80, 1)) < 0.7).astype(int)
        first, second = (np.concatenate([part, np.ones((80, 1), int)], axis=1) for part in hits)
        ps.append(paired_bootstrap(first, second, share_of_counts(0, 1)).p)
    assert sum(p < 0.05 for p in ps) <= 8
    assert 4 <= sum(p < 0.2 for p in ps) <= 22


def test_scores_of_sums():
    assert f1_of_counts(np.array([[1.0, 2, 2], [0, 0, 0]])).tolist() == [0.5, 0.0]
    assert macro_f1_of_counts(np.array([[1.0, 0, 2, 4], [1, 0, 2, 0]])).tolist() == [0.5, 1.0]
    assert share_of_counts(1, 0)(np.array([[4.0, 1], [0, 0]])).tolist() == [0.25, 0.0]
    assert bootstrap(np.array([[1, 1, 1]] * 5), f1_of_counts)[:2] == (1.0, 1.0)
