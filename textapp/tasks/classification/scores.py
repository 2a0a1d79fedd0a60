"""Scores of predicted classes: accuracy, macro F1, cross-entropy, calibration.

This file needs only NumPy, so that the base install can score a bundle.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from textapp.answers import ReliabilityBin

_BINS = 15  # of equal width, as in Guo et al.


def classification_scores(
    labels: NDArray[np.integer], logits: NDArray[np.floating], temperature: float = 1.0
) -> dict[str, Any]:
    """Scores logits: accuracy, macro F1, calibration error and mean cross-entropy in nats.

    Args:
        labels: The true class indices, `(N,)`. From C on they are classes that the model lacks, so it is wrong.
        logits: `(N, C)`.
        temperature: Divides the logits for the calibration error. The cross-entropy is without it, as in training.

    Returns:
        `accuracy`, `macro_f1`, `ece`, `loss` of the texts whose class the model has, and `count`, ready for JSON.

    Example:
        >>> classification_scores(np.array([0, 1]), np.zeros((2, 2)))["loss"]  # log 2
        0.6931471805599453
    """
    scores = label_scores(labels, logits.argmax(axis=1), confidences(logits, temperature))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    known = np.flatnonzero(labels < logits.shape[1])
    count = scores.pop("count")
    return {**scores, "loss": float(-log_probs[known, labels[known]].sum() / max(len(known), 1)), "count": count}


def label_scores(true: ArrayLike, predicted: ArrayLike, confidence: ArrayLike) -> dict[str, Any]:
    """Scores class indices `(N,)` and their probabilities `(N,)`.

    Returns:
        `accuracy`, `macro_f1`, `ece` and `count`, ready for JSON. `ece` is the expected calibration error.
    """
    matrix = confusion_matrix(true, predicted, 1 + int(np.max([true, predicted])))
    bins = reliability(np.asarray(true) == np.asarray(predicted), confidence)
    return {
        "accuracy": accuracy(matrix),
        "macro_f1": macro_f1(matrix),
        "ece": expected_calibration_error(bins),
        "count": int(matrix.sum()),
    }


def confidences(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """The probability of the most probable class of each row, `(N,)`, from logits `(N, C)`."""
    scaled = logits.astype(np.float64) / temperature
    return np.asarray(1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1))


def reliability(right: ArrayLike, confidence: ArrayLike) -> tuple[ReliabilityBin, ...]:
    """Groups predictions by their confidence, in 15 bins of equal width, without the empty ones.

    Args:
        right: Whether each prediction is right, `(N,)`.
        confidence: Its probability, `(N,)`, from 0 to 1. Predictions whose probability is NaN are left out.

    Returns:
        The bins by rising confidence.

    Example:
        >>> [bin.count for bin in reliability([True, False, True], [0.96, 0.99, 0.5])]
        [1, 2]
    """
    hits, probs = np.asarray(right, bool), np.asarray(confidence, np.float64)
    hits, probs = hits[~np.isnan(probs)], probs[~np.isnan(probs)]
    numbers = np.clip(np.ceil(probs * _BINS).astype(int) - 1, 0, _BINS - 1)
    return tuple(
        ReliabilityBin(int(inside.sum()), float(probs[inside].mean()), float(hits[inside].mean()))
        for inside in (numbers == number for number in np.unique(numbers))
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Returns the mean difference between the confidence and the accuracy of a bin, weighted by its predictions.

    Reference:
        Naeini et al. 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning; Guo et al. 2017.

    Example:
        >>> expected_calibration_error([ReliabilityBin(3, 0.5, 0.25), ReliabilityBin(1, 1.0, 1.0)])
        0.1875
    """
    count = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / max(count, 1)


def answer_scores(
    right: ArrayLike, confidence: ArrayLike, outside: ArrayLike, min_confidence: float
) -> dict[str, float | None]:
    """Scores a model that gives no answer where its confidence is less than `min_confidence`.

    Args:
        right: Whether each prediction is right, `(N,)`.
        confidence: Its probability, `(N,)`.
        outside: The probabilities of predictions of texts that no label fits, `(M,)`; empty if there are none.
        min_confidence: The least probability of an answer.

    Returns:
        `min_confidence`; `coverage`, the share of texts with an answer; `selective_accuracy`, the share of right ones
        among the answers, None without an answer. With texts that no label fits also `in_scope_accuracy`, the share of
        right answers among the other texts, and `out_of_scope_recall`, the share of these texts without an answer.

    Reference:
        El-Yaniv and Wiener 2010, On the Foundations of Noise-free Selective Classification; Larson et al. 2019, An
        Evaluation Dataset for Intent Classification and Out-of-Scope Prediction.

    Example:
        >>> answer_scores([True, False, True, True], [0.9, 0.4, 0.8, 0.3], [0.2, 0.9], 0.5)["out_of_scope_recall"]
        0.5
    """
    hits, answered = np.asarray(right, bool), np.asarray(confidence) >= min_confidence
    scores: dict[str, float | None] = {
        "min_confidence": min_confidence,
        "coverage": float(answered.mean()),
        "selective_accuracy": float(hits[answered].mean()) if answered.any() else None,
    }
    if len(others := np.asarray(outside)):
        scores["in_scope_accuracy"] = float((hits & answered).mean())
        scores["out_of_scope_recall"] = float((others < min_confidence).mean())
    return scores


def precision_thresholds(
    true: Sequence[str | None], predicted: Sequence[str], confidence: Sequence[float], precision: float
) -> dict[str, Any]:
    """Finds the least confidences from which on answers have a precision, for all labels together and for each.

    They fit the given texts best, and other texts a little less. So choose them on validation texts.

    Args:
        true: The true label of each text, N of them; None for a text that no label fits, so that any answer is wrong.
        predicted: The predicted labels, likewise.
        confidence: Their probabilities, likewise.
        precision: The least share of right answers, above 0 and at most 1.

    Returns:
        `precision`; `overall`; and in `labels`, for each label that is true or predicted, what `overall` has for all:
        `min_confidence`, the least one, so with the most answers; the `precision` of the answers from it on; their
        `recall`, the share of the texts of the label, or of all labels, that are answered right; and their `coverage`,
        the share of all texts that get such an answer. Where no confidence is enough, `min_confidence` and `precision`
        are None, and the others 0. Ready for JSON.

    Example:
        >>> found = precision_thresholds(["a", "b", "a", "b"], ["a", "a", "a", "b"], [0.9, 0.6, 0.7, 0.8], 1.0)
        >>> found["overall"]
        {'min_confidence': 0.65, 'precision': 1.0, 'recall': 0.75, 'coverage': 0.75}
    """
    labels, answers, probs = np.asarray(true, object), np.asarray(predicted, object), np.asarray(confidence, np.float64)
    right = labels == answers

    def row(label: str | None) -> dict[str, float | None]:
        chosen = np.ones(len(right), bool) if label is None else answers == label
        having = sum(one is not None for one in true) if label is None else int((labels == label).sum())
        order = np.flatnonzero(chosen & ~np.isnan(probs))
        order = order[np.argsort(-probs[order], kind="stable")]
        ordered, hits = probs[order], np.cumsum(right[order])
        below = np.append(ordered[1:], 0.0)
        ends = np.flatnonzero((ordered > below) & (hits >= precision * np.arange(1, len(hits) + 1)))
        if not len(ends):
            return {"min_confidence": None, "precision": None, "recall": 0.0, "coverage": 0.0}
        end = int(ends[-1])
        return {
            "min_confidence": 0.0 if end + 1 == len(order) else _between(float(below[end]), float(ordered[end])),
            "precision": float(hits[end] / (end + 1)),
            "recall": float(hits[end] / having) if having else 0.0,
            "coverage": (end + 1) / len(right),
        }

    names = sorted({name for name in (*true, *predicted) if name is not None})
    return {"precision": precision, "overall": row(None), "labels": {name: row(name) for name in names}}


def _between(low: float, high: float) -> float:
    """A number above `low` and at most `high`, near their middle, with as few decimals as possible."""
    rounded = (round((low + high) / 2, decimals) for decimals in range(1, 17))
    return next((number for number in rounded if low < number <= high), high)


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts how often each true class was predicted as each class.

    Args:
        true: The true class indices, integers `(N,)` from 0 to `classes - 1`.
        predicted: The predicted class indices, likewise `(N,)`.
        classes: Number of classes `C`.

    Returns:
        int64 `(C, C)`: row = true class, column = predicted class.

    Raises:
        ValueError: The two differ in length, or have a value that is not a class index.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    rows, columns = _indices(true, "true", classes), _indices(predicted, "predicted", classes)
    if len(rows) != len(columns):
        raise ValueError(f"`true` and `predicted` must be of one length. Received: {len(rows)} and {len(columns)}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix: NDArray[np.int64]) -> float:
    """Returns the share of examples whose predicted class is the true one.

    Args:
        matrix: int64 `(C, C)` from `confusion_matrix`, of at least one example.

    Example:
        >>> accuracy(confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=2))
        0.75
    """
    return float(np.trace(matrix) / _count(matrix))


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Returns the mean over classes of F1 = 2 TP / (2 TP + FP + FN).

    The mean is over the classes that occur, as a true or as a predicted class: a class that a small test set lacks says
    nothing about the model. A class that is only predicted or only true counts with F1 = 0. scikit-learn's
    `f1_score(average="macro")` without a list of labels gives the same.

    Args:
        matrix: int64 `(C, C)` from `confusion_matrix`, of at least one example.

    Example:
        >>> macro_f1(confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=2))  # (2/3 + 4/5) / 2
        0.7333333333333334
    """
    _count(matrix)
    occurrences = matrix.sum(axis=0) + matrix.sum(axis=1)  # 2 TP + FP + FN, per class
    occurs = occurrences > 0
    return float(np.mean(2 * np.diagonal(matrix)[occurs] / occurrences[occurs]))


def _count(matrix: NDArray[np.int64]) -> int:
    """Returns the number of examples in a confusion matrix. Raises `ValueError` if it is 0: scores would be NaN."""
    count = int(matrix.sum())
    if count == 0:
        raise ValueError("`matrix` must count at least one example. Received: none")
    return count


def _indices(values: ArrayLike, name: str, classes: int) -> NDArray[np.int64]:
    """Returns `values` as int64 `(N,)`, after checking that each is a class index."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"`{name}` must be a list of integers. Received: {array.dtype} of shape {array.shape}")
    outside = array[(array < 0) | (array >= classes)]
    if outside.size:
        raise ValueError(f"`{name}` must hold class indices from 0 to {classes - 1}. Received: {outside[0]}")
    return array.astype(np.int64)
