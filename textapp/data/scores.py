"""Accuracy and macro F1 of predicted classes, from their confusion matrix, in NumPy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts how often each true class was predicted as each class.

    Args:
        true: class indices `(N,)`, integers from 0 to `classes - 1`.
        predicted: the class index predicted for each, `(N,)`.
        classes: number of classes `C`.

    Returns:
        int64 `(C, C)`: row = true class, column = predicted class.

    Raises:
        ValueError: the two differ in length, or hold something that is not a class index.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    rows, columns = _indices(true, "true", classes), _indices(predicted, "predicted", classes)
    if len(rows) != len(columns):
        raise ValueError(f"`true` and `predicted` must be of one length. Received: {len(rows)} and {len(columns)}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix: NDArray[np.int64]) -> float:
    """The share of examples whose predicted class is the true one.

    Args:
        matrix: `(C, C)` from `confusion_matrix`, of at least one example.

    Example:
        >>> accuracy(confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=2))
        0.75
    """
    return float(np.trace(matrix) / _count(matrix))


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """The mean over classes of F1 = 2 TP / (2 TP + FP + FN).

    Only classes that occur, as a true or as a predicted class, are averaged: one that a small test set lacks says
    nothing about the model. A class that is predicted but never true, or true but never predicted, counts with F1 = 0.
    This is what scikit-learn's `f1_score(average="macro")` gives when it is not handed a list of labels.

    Args:
        matrix: `(C, C)` from `confusion_matrix`, of at least one example.

    Example:
        >>> macro_f1(confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], classes=2))  # (2/3 + 4/5) / 2
        0.7333333333333334
    """
    _count(matrix)
    occurrences = matrix.sum(axis=0) + matrix.sum(axis=1)  # 2 TP + FP + FN, per class
    occurs = occurrences > 0
    return float(np.mean(2 * np.diagonal(matrix)[occurs] / occurrences[occurs]))


def _count(matrix: NDArray[np.int64]) -> int:
    """The number of examples in a confusion matrix; a score of none of them would be NaN."""
    count = int(matrix.sum())
    if count == 0:
        raise ValueError("`matrix` must count at least one example. Received: none")
    return count


def _indices(values: ArrayLike, name: str, classes: int) -> NDArray[np.int64]:
    """`values` as int64 `(N,)`, each a class index."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"`{name}` must be a list of integers. Received: {array.dtype} of shape {array.shape}")
    outside = array[(array < 0) | (array >= classes)]
    if outside.size:
        raise ValueError(f"`{name}` must hold class indices from 0 to {classes - 1}. Received: {outside[0]}")
    return array.astype(np.int64)
