"""The linear model over n-grams, compared with TF-IDF that is computed by hand."""

import itertools
import re

import numpy as np
from sklearn.svm import LinearSVC

from textapp.data.readers import Examples
from textapp.data.rows import encode_rows
from textapp.task import task
from textapp.tasks.classification.baseline import linear_model
from textapp.tasks.classification.data import text_rows
from textapp.text.labels import IndependentLabels, Labels
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

EMPTY = "\N{ZERO WIDTH SPACE}"  # has no token
TEXTS = ["Très bon film", "好 看，很好看！", "a dull dull film", "不好看", "très mauvais \ud800", EMPTY, "how long ?"]
LABELS = ["good", "good", "bad", "bad", "bad", "bad", "question"]
SEVERAL = [("good", "film"), ("good",), ("film",), (), (), (), ()]
OTHER = ["Bon film \udfff", "好看", "long long film", EMPTY, "ß"]
TOKENIZER = Tokenizer()


def rows_of(examples, labels):
    rows = text_rows(task("classification").config(), examples, labels, TOKENIZER)
    return encode_rows(rows, TokenEncoder(None, Vocabulary.build(rows.tokens.counts(), 100, 1)))


def fitted(labels, targets, **limits):
    examples = Examples(TEXTS, labels, "文.tsv")
    return linear_model(examples, rows_of(examples, targets), TOKENIZER, len(targets), seed=3, **limits)


def margins(baseline, label, targets):
    """The margins of `OTHER`, of which one has no token and so no row."""
    examples = Examples(OTHER, [label] * len(OTHER), "внешние.tsv")
    return baseline.decoded(examples, rows_of(examples, targets))


def words(text):
    tokens = TOKENIZER.words(text)  # with U+FFFD for lone surrogates
    return [*tokens, *map(" ".join, itertools.pairwise(tokens))]


def characters(text):
    spaced = [f" {word} " for word in re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text.lower()).split()]
    return [word[start : start + n] for word in spaced for n in range(2, 6) for start in range(len(word) - n + 1)]


def tf_idf(texts, others, grams):
    """(1 + ln tf) (1 + ln((1 + N) / (1 + df))), rows of length 1: for two lists of texts, by n-grams of the first."""
    known = sorted({gram for text in texts for gram in grams(text)})
    frequency = {gram: sum(gram in grams(text) for text in texts) for gram in known}
    matrices = []
    for part in (texts, others):
        counts = np.array([[grams(text).count(gram) for gram in known] for text in part], float)
        weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
        weights *= [1 + np.log((1 + len(texts)) / (1 + frequency[gram])) for gram in known]
        matrices.append(weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9))
    return matrices


def by_hand(labels, kinds):
    """The margins of `OTHER`, from a machine over dense features."""
    train, other = ([text for text in texts if TOKENIZER.words(text)] for texts in (TEXTS, OTHER))
    matrices = zip(*(tf_idf(train, other, grams) for grams in kinds), strict=True)
    left, right = (np.hstack(parts) for parts in matrices)
    machine = LinearSVC(C=1.0, dual=True, tol=0.1, random_state=3).fit(left, labels)
    return machine.decision_function(right)


def test_margins_are_those_of_tf_idf_by_hand():
    targets = Labels(("bad", "good", "question"))
    labels = targets.encode(label for text, label in zip(TEXTS, LABELS, strict=True) if TOKENIZER.words(text))
    baseline = fitted(LABELS, targets)
    assert (baseline.title, baseline.extent) == ("linear model over n-grams", "words and characters of 6 texts")
    expected = by_hand(labels, [words, characters])
    np.testing.assert_allclose(margins(baseline, "bad", targets), expected, rtol=1e-6)
    assert len(expected) == 4
    cheap = fitted(LABELS, targets, most_work_with_characters=0)
    assert cheap.extent == "words of 6 texts"
    np.testing.assert_allclose(margins(cheap, "bad", targets), by_hand(labels, [words]), rtol=1e-6)


def test_held_out_texts_are_scored_in_chunks(monkeypatch):
    targets = Labels(("bad", "good", "question"))
    baseline = fitted(LABELS, targets)
    whole = margins(baseline, "bad", targets)
    monkeypatch.setattr("textapp.tasks.classification.baseline.CHUNK", 3)
    np.testing.assert_allclose(margins(baseline, "bad", targets), whole, rtol=1e-12)


def test_two_classes_have_a_margin_each():
    targets = Labels(("bad", "good"))
    labels = ["good" if label == "good" else "bad" for label in LABELS]
    values = margins(fitted(labels, targets), "bad", targets)
    numbers = targets.encode(label for text, label in zip(TEXTS, labels, strict=True) if TOKENIZER.words(text))
    expected = by_hand(numbers, [words, characters])
    np.testing.assert_allclose(values, np.stack([-expected, expected], axis=1), rtol=1e-6)


def test_each_of_several_labels_has_a_machine():
    targets = IndependentLabels(("film", "good"))
    values = margins(fitted(SEVERAL, targets), (), targets)
    for column, name in enumerate(targets.names):
        has = [int(name in names) for text, names in zip(TEXTS, SEVERAL, strict=True) if TOKENIZER.words(text)]
        np.testing.assert_allclose(values[:, column], by_hand(has, [words, characters]), rtol=1e-6)
    always = [(*names, "text") for names in SEVERAL]
    targets = IndependentLabels(("film", "good", "text"))
    assert (margins(fitted(always, targets), (), targets)[:, 2] == 1).all()


def test_a_sample_of_large_data_has_each_class():
    targets = Labels(("bad", "good", "question"))
    baseline = fitted(LABELS, targets, most_work=1, most_work_with_characters=0)
    assert baseline.extent == "words of 3 of 6 texts"
    values = margins(baseline, "bad", targets)
    assert values.shape == (4, 3)
    again = fitted(LABELS, targets, most_work=1, most_work_with_characters=0)
    np.testing.assert_array_equal(margins(again, "bad", targets), values)
    targets = IndependentLabels(("film", "good"))
    assert fitted(SEVERAL, targets, most_work=1).extent == "words and characters of 2 of 6 texts"
