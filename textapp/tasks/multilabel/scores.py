"""Scores of predicted sets of labels, and the choice of thresholds.

This file needs only NumPy, so that the base install can score a bundle.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = "labels"
"""Key of the scores for each label."""

_PRIOR = 10  # texts; chosen on halves of validation splits of three corpora; 5 to 50 were hardly worse
_PASSES = 20  # most passes over the labels; the search ends earlier if no threshold moves


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of logits, of any size."""
    return 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))


def multilabel_scores(true: NDArray[np.bool_], predicted: NDArray[np.bool_], names: Sequence[str]) -> dict[str, Any]:
    """Scores sets of labels.

    Args:
        true: Which labels each text has, boolean `(N, C)`.
        predicted: Which labels the model predicts, likewise.
        names: The labels, C of them.

    Returns:
        `micro_f1` over all pairs of a text and a label; `macro_f1`, the mean over labels that occur, true or predicted;
        `exact_match`, the share of texts whose labels are all right; `count` of texts; and in `labels`, for each label,
        `precision`, `recall`, `f1` and `count`. Ready for JSON. 0 / 0 counts as 0.

    Example:
        >>> true, predicted = np.array([[1, 0], [1, 1]], bool), np.array([[1, 0], [0, 1]], bool)
        >>> scores = multilabel_scores(true, predicted, ["price", "taste"])
        >>> scores["micro_f1"], scores["exact_match"], scores["labels"]["price"]["recall"]
        (0.8, 0.5, 0.5)
    """
    if true.shape != predicted.shape or true.ndim != 2 or not len(true):
        raise ValueError(
            "`true` and `predicted` must be of one shape (N, C), with a text or more. "
            f"Received: {true.shape} and {predicted.shape}"
        )
    both, said, have = (true & predicted).sum(axis=0), predicted.sum(axis=0), true.sum(axis=0)
    f1 = _ratio(2 * both, said + have)
    precision, recall = _ratio(both, said), _ratio(both, have)
    occurs = said + have > 0
    return {
        "micro_f1": float(_ratio(2 * both.sum(), said.sum() + have.sum())),
        "macro_f1": float(f1[occurs].mean()) if occurs.any() else 0.0,
        "exact_match": float((true == predicted).all(axis=1).mean()),
        "count": len(true),
        LABELS: {
            name: {
                "precision": float(precision[label]),
                "recall": float(recall[label]),
                "f1": float(f1[label]),
                "count": int(have[label]),
            }
            for label, name in enumerate(names)
        },
    }


def best_thresholds(true: NDArray[np.bool_], probs: NDArray[np.floating]) -> list[float]:
    """Chooses a threshold for each label, for a high micro F1.

    The search starts with the best threshold shared by all labels. Then it moves the threshold of one label after the
    other to its best value, until none moves; the micro F1 rises with each move. The best value for a rare label is
    mostly chance. So the result is a weighted mean of the shared threshold, with the weight of 10 texts, and the
    label's best threshold, with the weight of the texts that have the label.

    Args:
        true: Which labels each text has, boolean `(N, C)`.
        probs: Probabilities `(N, C)`, from 0 to 1.

    Returns:
        C thresholds; a text has the labels whose probabilities reach them.

    Reference:
        Fan and Lin 2007, A Study on Threshold Selection for Multi-label Classification; Pillai et al. 2013, Threshold
        Optimisation for Multi-label Classifiers.
    """
    have = int(true.sum())
    shared_cuts, shared_both = _cuts(true.ravel(), probs.ravel())
    said = np.arange(len(shared_both))
    shared = float(shared_cuts[_ratio(2 * shared_both, said + have).argmax()])
    thresholds = np.full(true.shape[1], shared)
    predicted = probs >= thresholds
    both, chosen = (true & predicted).sum(axis=0), predicted.sum(axis=0)
    curves = [_cuts(true[:, label], probs[:, label]) for label in range(true.shape[1])]
    for _ in range(_PASSES):
        moved = False
        for label, (cuts, hits) in enumerate(curves):
            if not hits[-1]:
                continue
            other_both, other_chosen = both.sum() - both[label], chosen.sum() - chosen[label]
            scores = _ratio(2 * (other_both + hits), other_chosen + np.arange(len(hits)) + have)
            count = int(scores.argmax())
            if scores[count] > _ratio(2 * both.sum(), chosen.sum() + have):
                thresholds[label], both[label], chosen[label], moved = cuts[count], hits[count], count, True
        if not moved:
            break
    counts = true.sum(axis=0)
    return [float(threshold) for threshold in (counts * thresholds + _PRIOR * shared) / (counts + _PRIOR)]


def _cuts(true: NDArray[np.bool_], probs: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Thresholds that choose 0, 1, ... N of some probabilities, and how many of the chosen ones are true.

    No threshold is between two equal probabilities: choosing only the first then counts as choosing no true one.
    """
    order = np.argsort(-probs, kind="stable")
    ordered = probs[order].astype(np.float64)
    hits = np.concatenate([[0], np.cumsum(true[order])])
    above, below = np.concatenate([[1.0], ordered]), np.concatenate([ordered, [0.0]])
    cuts = (above + below) / 2
    tied = np.concatenate([[False], ordered[:-1] == ordered[1:], [False]]) if len(ordered) else np.array([False])
    return cuts, np.where(tied, 0, hits)


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """`part / whole`, and 0 where `whole` is 0."""
    return np.asarray(
        np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=np.asarray(whole) > 0)
    )
