"""Labels that may be wrong: some labels are changed, and should be found."""

import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

from textapp.data.readers import Examples
from textapp.errors import InputError
from textapp.task import task
from textapp.tasks.classification.label_check import FOLDS, assigned_folds, held_out_margins, label_doubts, tempered
from textapp.text.tokenizer import Tokenizer


def changed(labels, other, count):
    """Labels of which some are changed, and the positions of these."""
    wrong = set(random.Random(5).sample(range(len(labels)), count))
    return [other(label) if number in wrong else label for number, label in enumerate(labels)], wrong


def test_most_of_the_first_doubts_are_changed_labels():
    rng = random.Random(6)
    words = {"plaît": ["super", "bon", "好吃"], "déplaît": ["fade", "cher", "难吃"], "neutre": ["moyen", "correct"]}
    true = rng.choices(list(words), k=200)
    texts = [" ".join([*rng.choices("abcdefghij", k=5), rng.choice(words[label])]) for label in true]
    labels, wrong = changed(true, lambda label: rng.choice([name for name in words if name != label]), 10)
    lines = []
    doubts = label_doubts(Examples(texts, labels, "评论"), True, Tokenizer(), None, lines.append)
    assert len({doubt.number for doubt in doubts[:10]} & wrong) >= 8
    for doubt in doubts:
        assert doubt.given == labels[doubt.number] != doubt.suggested
        assert doubt.given_probability < doubt.suggested_probability
    assert len(lines) == FOLDS


def test_labels_that_are_missing_or_too_much_are_found(topic_corpus, tmp_path):
    read = task("multilabel").read(topic_corpus(tmp_path / "a.jsonl", 200, 4))
    labels, wrong = changed(read.labels, lambda some: tuple({"Preis"} ^ set(some)), 10)
    doubts = label_doubts(Examples(read.texts, labels, "a"), False, Tokenizer(), None, lambda line: None)
    assert len({doubt.number for doubt in doubts[:10]} & wrong) >= 8
    for doubt in doubts[:10]:
        assert (doubt.given in labels[doubt.number]) == (doubt.given is not None)
        assert doubt.suggested not in labels[doubt.number]


def test_a_model_counts_as_much_as_the_linear_model():
    """It is as sure as the linear model, but the other way round."""

    class Opposite:
        labels = ("b", "a")

        def predict(self, texts):
            probs = known[texts[0]]
            return [type("Prediction", (), {"probs": {"b": 1 - probs, "a": probs}})]

    texts = [f"{word} {number} film" for number in range(10) for word in ("gut", "плохо")]
    examples = Examples(texts, ["a", "b"] * 9 + ["b", "a"], "a")
    targets = np.array([0, 1] * 9 + [1, 0])
    folds = assigned_folds([text.strip() for text in texts], targets)
    margins = held_out_margins(texts, targets, 2, folds, Tokenizer(), lambda line: None)
    known = dict(zip(texts, tempered(margins, targets)[:, 1], strict=True))
    assert [doubt.number for doubt in label_doubts(examples, True, Tokenizer(), None, print)][:2] == [18, 19]
    for doubt in label_doubts(examples, True, Tokenizer(), Opposite(), print):
        assert doubt.suggested_probability == pytest.approx(0.5, abs=1e-6)


def test_texts_and_labels_that_cannot_be_judged_are_reported():
    texts = [*("gut 1", "gut 2", "плохо 1", "плохо 2", "plötzlich"), *("Einmal", "einmal!"), "\0", "gut 1."]
    labels = ["a", "a", "b", "b", "c", "d", "d", "a", "b"]
    lines = []
    found = label_doubts(Examples(texts, labels, "файл"), True, Tokenizer(), None, lines.append)
    assert lines[:2] == ["not judged: 1 text without a token", "not judged: 2 labels that only one text has"]
    assert {doubt.number for doubt in found} <= {0, 1, 2, 3, 8}
    with pytest.raises(InputError, match=r"^файл: labels are compared, so two of them must have two different texts"):
        label_doubts(Examples(texts[:3], labels[:3], "файл"), True, Tokenizer(), None, lines.append)


def test_equal_texts_are_in_one_fold_and_each_class_is_in_two():
    targets = np.array([0] * 50 + [1] * 7 + [2, 2])
    keys = [f"text {number // 2}" for number in range(50)] + [f"other {number}" for number in range(9)]
    folds = assigned_folds(keys, targets)
    assert (folds[:50:2] == folds[1:50:2]).all()
    assert folds[57] != folds[58]
    counts = np.stack([np.bincount(folds[targets == label], minlength=FOLDS) for label in (0, 1)])
    assert (np.ptp(counts, axis=1) <= [2, 1]).all()
    several = np.eye(3, dtype=bool)[targets]
    several[57:, 0] = True  # rare labels count
    assert assigned_folds(keys, several)[57] != assigned_folds(keys, several)[58]


def test_margins_are_those_of_scikit_learns_cross_validation():
    """With one set of weights of n-grams for all folds."""

    rng = random.Random(3)
    texts = [" ".join(rng.choices(["gut", "film", "很", "好", "плохо", "x"], k=8)) for _ in range(60)]
    targets = np.array([rng.randrange(3) for _ in texts])
    folds = assigned_folds(texts, targets)
    found = held_out_margins(texts, targets, 3, folds, Tokenizer(), lambda line: None)
    words = TfidfVectorizer(
        tokenizer=Tokenizer().words, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True
    )
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    matrix, model = make_union(words, characters).fit_transform(texts), LinearSVC(tol=1e-6, max_iter=10_000)
    parts = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    expected = cross_val_predict(model, matrix, targets, cv=parts, method="decision_function")
    np.testing.assert_allclose(found, expected, atol=0.05)  # the baseline's solver stops earlier
