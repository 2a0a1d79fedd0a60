"""Scores of predicted classes: accuracy, macro F1 and cross-entropy.

This file needs only NumPy, so that the base install can score a bundle.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def classification_scores(labels: NDArray[np.integer], logits: NDArray[np.floating]) -> dict[str, Any]:
    """Scores logits: accuracy, macro F1 and mean cross-entropy in nats.

    Args:
        labels: The true class indices, `(N,)`.
        logits: `(N, C)`.

    Returns:
        `accuracy`, `macro_f1`, `loss` and `count`, ready for JSON.

    Example:
        >>> classification_scores(np.array([0, 1]), np.zeros((2, 2)))["loss"]  # log 2
        0.6931471805599453
    """
    scores = label_scores(labels, logits.argmax(axis=1), logits.shape[1])
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    count = scores.pop("count")
    return {**scores, "loss": float(-log_probs[np.arange(len(labels)), labels].mean()), "count": count}


def label_scores(true: ArrayLike, predicted: ArrayLike, classes: int) -> dict[str, Any]:
    """Scores class indices `(N,)`: `accuracy`, `macro_f1` and `count`, ready for JSON."""
    matrix = confusion_matrix(true, predicted, classes)
    return {"accuracy": accuracy(matrix), "macro_f1": macro_f1(matrix), "count": int(matrix.sum())}


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
