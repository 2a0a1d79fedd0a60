"""The baseline of a text classifier: a linear support vector machine over TF-IDF n-grams of words and characters.

Word order and similar words are unknown to it. But a few hundred texts are enough for it, it takes seconds, and on many
data sets it is hard to beat.

Reference: Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification" (2012).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from sklearn.svm import LinearSVC

from textapp.data.readers import Examples
from textapp.data.rows import EncodedRows
from textapp.task import Baseline
from textapp.text.characters import counted
from textapp.text.tokenizer import Tokenizer

TITLE = "linear model over n-grams"
MOST_FEATURES = 200_000  # of a kind; the most frequent n-grams are kept
MOST_WEIGHTS = 15_000_000  # of a kind, features times classes: 120 MB
# What a fit may cost. A unit is the time that the n-grams of one code point take to be counted: microseconds.
MOST_WORK_WITH_CHARACTERS = 100_000_000
MOST_WORK = 500_000_000
WORK_OF_CLASS = 1  # the fit of a class takes this many units a code point
WORK_OF_COUNTING = 10


def linear_model(
    train: Examples,
    rows: EncodedRows,
    tokenizer: Tokenizer,
    classes: int,
    seed: int,
    most_work: int = MOST_WORK,
    most_work_with_characters: int = MOST_WORK_WITH_CHARACTERS,
) -> Baseline:
    """Fits the baseline. It is exact for small data and bounded for large data.

    Above `most_work_with_characters` the n-grams are only those of words; above `most_work` the texts are a random
    sample, with a text of each class.

    Args:
        train: The training texts.
        rows: The same texts, encoded: the texts to use and their targets, `(N,)` or `(N, C)`.
        tokenizer: Cuts texts into words.
        classes: The number of classes, `C`.
        seed: Seed of the sample and of the fit.
        most_work: The most code points of all texts, times the work for each.
        most_work_with_characters: The same, with n-grams of characters.
    """
    texts, targets = _texts(train, rows), rows.targets
    lengths = np.fromiter(map(len, texts), np.int64)
    work = WORK_OF_COUNTING + WORK_OF_CLASS * classes
    with_characters = int(lengths.sum()) * work <= most_work_with_characters
    chosen = _sample(lengths, targets, most_work // work, seed)
    features = _features(tokenizer, with_characters, min(MOST_FEATURES, max(1, MOST_WEIGHTS // classes)))
    matrix = features.fit_transform([texts[number] for number in chosen.tolist()])
    margins = _fitted(matrix, targets[chosen], seed)
    kinds = "words and characters" if with_characters else "words"
    share = counted(len(texts), "text") if len(chosen) == len(texts) else f"{len(chosen):,} of {len(texts):,} texts"
    return Baseline(
        TITLE,
        f"{kinds} of {share}",
        lambda examples, rows: margins(features.transform(_texts(examples, rows))),
    )


def _texts(examples: Examples, rows: EncodedRows) -> list[str]:
    """The text of each row."""
    return [examples.texts[number] for number in rows.sources.tolist()]


def _sample(lengths: np.ndarray, targets: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Numbers of texts of at most `most` code points in all, but one text of each class at least; all if they fit."""
    if lengths.sum() <= most:
        return np.arange(len(lengths))
    order = np.random.default_rng(seed).permutation(len(lengths))
    shuffled = targets[order]
    first = np.unique(shuffled.argmax(axis=0) if targets.ndim == 2 else np.unique(shuffled, return_index=True)[1])
    order = np.concatenate([order[first], np.delete(order, first)])
    fitting = int(np.searchsorted(np.cumsum(lengths[order]), most, side="right"))
    return np.sort(order[: max(len(first), fitting)])


def _features(tokenizer: Tokenizer, with_characters: bool, most: int) -> FeatureUnion:
    """TF-IDF of words, one and two, and of two to five characters within white space."""
    common: dict[str, Any] = {"sublinear_tf": True, "max_features": most}
    kinds = [
        (
            "words",
            TfidfVectorizer(
                tokenizer=tokenizer.words, token_pattern=None, lowercase=False, ngram_range=(1, 2), **common
            ),
        )
    ]
    if with_characters:
        kinds.append(("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **common)))
    return FeatureUnion(kinds)


def _fitted(matrix: Any, targets: np.ndarray, seed: int) -> Callable[[Any], np.ndarray]:
    """Fits a machine for each class against the rest.

    Args:
        matrix: The features of each text, sparse `(N, F)`.
        targets: The class of each text, `(N,)`, or which labels it has, `(N, C)`.
        seed: Seed of the order in which the solver visits texts.

    Returns:
        A function from features `(M, F)` to margins float64 `(M, C)`; a text of a class has a positive one.
    """
    if targets.ndim == 1:
        machine = _machine(seed).fit(matrix, targets)

        def margins(features: Any) -> np.ndarray:
            values = machine.decision_function(features)
            return values if values.ndim == 2 else np.stack([-values, values], axis=1)

        return margins
    machines = [
        _machine(seed).fit(matrix, column) if 0 < column.sum() < len(column) else float(2 * column[0] - 1)
        for column in targets.T
    ]

    def margins_of_labels(features: Any) -> np.ndarray:
        count = features.shape[0]
        return np.stack(
            [
                np.full(count, machine) if isinstance(machine, float) else machine.decision_function(features)
                for machine in machines
            ],
            axis=1,
        )

    return margins_of_labels


def _machine(seed: int) -> LinearSVC:
    """The linear support vector machine; its tolerance is that of liblinear, as scikit-learn's takes longer."""
    return LinearSVC(C=1.0, dual=True, tol=0.1, random_state=seed)
