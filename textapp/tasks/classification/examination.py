"""What a classifier makes of labelled texts, one by one, for the page of one model. It needs only NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.data.readers import Examples
from textapp.tasks.classification.scores import confusion_matrix
from textapp.tasks.examination import (
    MOST_CHARACTERS,
    Confusion,
    Examination,
    Judged,
    place_of,
    scored,
    target_rows,
)
from textapp.tasks.intervals import (
    MCNEMAR,
    Difference,
    Interval,
    bootstrap,
    macro_f1_of_counts,
    mcnemar,
    paired_bootstrap,
    share_of_counts,
    wilson,
)
from textapp.text.labels import Decision, Labels
from textapp.text.marked import Marked, weighted

HEAVIEST = 5  # tokens whose weights stand in words below a text
HEADER = ("label", "precision, %", "recall, %", "F1, %", "texts")
TRAINED = "texts in training"
MISTAKES_ORDER = "the most confident first"


def intervals(examples: Examples, decisions: Sequence[Decision], targets: Labels) -> dict[str, Interval]:
    """Of accuracy by Wilson's method, of macro F1 by the bootstrap."""
    del targets
    labels = examples.labels
    names = sorted({*labels, *(decision.label for decision in decisions)})
    true, predicted = _numbers(labels, decisions, names)
    pairs, counts = np.unique(np.stack([true, predicted], axis=1), axis=0, return_counts=True)  # few, of many texts
    return {
        "accuracy": wilson(int((true == predicted).sum()), len(true)),
        "macro_f1": bootstrap(_macro_parts(pairs[:, 0], pairs[:, 1], len(names)), macro_f1_of_counts, counts),
    }


def difference(
    examples: Examples, first: Sequence[Decision], second: Sequence[Decision], targets: Labels
) -> Difference:
    """Of accuracy, with McNemar's test."""
    del targets
    hits, others = (
        np.array([decision.label == label for decision, label in zip(part, examples.labels, strict=True)], np.int64)
        for part in (first, second)
    )
    ones = np.ones_like(hits)
    found = paired_bootstrap(np.stack([hits, ones], axis=1), np.stack([others, ones], axis=1), share_of_counts(0, 1))
    p = mcnemar(int((hits > others).sum()), int((others > hits).sum()))
    return found._replace(p=p, method=MCNEMAR)


def examine(
    titles: Mapping[str, str],
    examples: Examples,
    decisions: Sequence[Decision],
    scores: Mapping[str, Any],
    predictor: Any,
    most: int,
    trained: Mapping[str, int],
) -> Examination:
    """See `Answers.examine`."""
    targets: Labels = predictor.targets
    unseen = sorted(set(examples.labels) - set(targets.names))
    names = (*targets.names, *unseen)
    true, predicted = _numbers(examples.labels, decisions, names)
    matrix = confusion_matrix(true, predicted, len(names))
    sure = np.array([decision.confidence for decision in decisions])
    wrong = np.flatnonzero(true != predicted)
    mistakes = wrong[np.argsort(-sure[wrong], kind="stable")][:most].tolist()
    unsure = np.argsort(sure, kind="stable")[:most].tolist()
    judged = _judged(examples, decisions, predictor, {*mistakes, *unsure})
    return Examination(
        scores=tuple(scored(titles, scores, intervals(examples, decisions, targets))),
        header=HEADER + ((TRAINED,) if trained else ()),
        targets=target_rows(names, matrix, trained),
        confusion=Confusion(names, tuple(map(tuple, matrix.tolist())), "text"),
        wrong=len(wrong),
        mistakes=tuple(judged[number] for number in mistakes),
        unsure=tuple(judged[number] for number in unsure),
        searched=len(examples),
        order=MISTAKES_ORDER,
        errors={},
    )


def text_with_weights(text: str, prediction: Any) -> tuple[Marked, str]:
    """A text that the model read, tinted by its attention, and its heaviest tokens in words."""
    tokens = prediction.tokens
    if prediction.truncated and tokens:
        text = text[: tokens[-1].end]
    weights = [(token.start, token.end, token.weight) for token in tokens if token.weight is not None]
    marked = weighted(text, weights) if weights else Marked(text, ())
    heaviest = sorted((token for token in tokens if token.weight is not None), key=lambda token: -token.weight)
    in_words = ", ".join(f"{token.text} {token.weight:.2f}" for token in heaviest[:HEAVIEST])
    return marked._replace(is_cut=prediction.truncated).first(MOST_CHARACTERS), in_words


def _judged(examples: Examples, decisions: Sequence[Decision], predictor: Any, numbers: set[int]) -> dict[int, Judged]:
    """The texts with these numbers, each predicted again with its tokens."""
    chosen = sorted(numbers)
    found = {}
    for number, prediction in zip(chosen, predictor.predict([examples.texts[n] for n in chosen]), strict=True):
        marked, heaviest = text_with_weights(examples.texts[number], prediction)
        label, decision = examples.labels[number], decisions[number]
        place = place_of(examples.source, examples.location(number))
        right = label == decision.label
        found[number] = Judged(place, right, label, decision.label, decision.confidence, (("", marked),), heaviest)
    return found


def _numbers(
    labels: Sequence[str], decisions: Sequence[Decision], names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The true and the predicted labels as numbers `(N,)`."""
    numbers = {name: number for number, name in enumerate(names)}
    true = np.array([numbers[label] for label in labels], np.int64)
    return true, np.array([numbers[decision.label] for decision in decisions], np.int64)


def _macro_parts(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """What each text adds to the counts of `macro_f1_of_counts`, `(N, 2 C)`."""
    parts, rows = np.zeros((len(true), 2 * classes), np.int64), np.arange(len(true))
    parts[rows, true] = true == predicted
    parts[rows, classes + true] += 1
    parts[rows, classes + predicted] += 1
    return parts
