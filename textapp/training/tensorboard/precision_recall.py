"""Precision against recall at every threshold."""

import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorboard.plugins.pr_curve import summary as pr_curve

from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.validation_scores import ValidationScores

_CURVE = "Validation texts of this class (positive) against all others, by the probability that the model gives it."
_AVERAGE = "Average precision: area under the precision-recall curve, over all thresholds."


def average_precision(positive: np.ndarray, scores: np.ndarray) -> float:
    """Sum over thresholds of the precision there times the recall gained there, as in information retrieval.

    Args:
        positive: Boolean `(N,)`, at least one True.
        scores: Float `(N,)`; equal scores share a threshold.
    """
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.append(np.diff(scores[order]) != 0, True)
    true_positives = np.cumsum(positive[order])[last_of_score]
    predicted = np.flatnonzero(last_of_score) + 1
    recall_gained = np.diff(true_positives, prepend=0) / positive.sum()
    return float(np.sum(true_positives / predicted * recall_gained))


class PrecisionRecall(Dashboard):
    """Writes precision-recall curves (page "PR Curves") and their areas (`validation/average_precision/LABEL`).

    Two classes have one curve, that of the second; more have one each, the class against the rest. A class without a
    validation text is left out.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The validation set, shared with other dashboards.
    """

    run = "validation"

    def __init__(self, log: EventLog | str | os.PathLike[str], scores: ValidationScores):
        super().__init__(log)
        self.scores = scores

    def prepare(self) -> None:
        """Scores one batch."""
        self.scores.check(self.model)

    def write(self) -> None:
        """Writes a curve and its area for each class."""
        for name, positive, scores in self.one_against_rest():
            tag = f"validation/precision_recall/{name}"
            curve = pr_curve.pb(tag, positive, scores, description=_CURVE)
            curve.value[0].tag = tag  # without the suffix that `pb` adds
            tf.summary.experimental.write_raw_pb(curve.SerializeToString())
            area = average_precision(positive, scores)
            tf.summary.scalar(f"validation/average_precision/{name}", area, description=_AVERAGE)

    def one_against_rest(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Name, boolean labels `(N,)` and probabilities `(N,)` of each class that has texts."""
        labels, probs = self.scores.at(self.model, self.step)
        for index, name in enumerate(self.scores.label_names):
            positive = labels == index
            if positive.any() and (index == 1 or probs.shape[1] > 2):
                yield name, positive, probs[:, index]
