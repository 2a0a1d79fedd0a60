"""What TensorBoard shows of a multi-label classifier."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from textapp.dashboards import Dashboard, EmbeddingProjector, EventLog, GradientNorms, Histograms, Scalars
from textapp.dashboards.gradients import probe_batch
from textapp.dashboards.projector import row_columns
from textapp.data.readers import Examples
from textapp.errors import quoted_name
from textapp.tasks.classification.dashboards import AttentionTables, write_curve
from textapp.tasks.multilabel.scores import sigmoid

_PROBE = 32  # examples: enough for a stable gradient, and as fast as one training step


def multilabel_dashboards(
    folder: Path, data: Any, scores: Any, validation: Any, probe: Any, shown: Examples
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that write TensorBoard's pages, all to one log.

    Args:
        folder: Folder of the log.
        data: The `textapp.training.prepare.Prepared`.
        scores: The `textapp.training.validation.ValidationScores`, which `fit` calls before these.
        validation: Batches of the validation split.
        probe: Inputs and targets for gradient norms; None for some of the validation split.
        shown: Sample texts whose attention weights are shown, with their labels.
    """
    log = EventLog(folder)
    tokens = [data.tokenizer.words(text) for text in shown.texts]
    vocabulary = data.encoder.vocabulary
    columns = row_columns(getattr(data.batches, "rows", None), data.targets.names, len(vocabulary))
    true = [", ".join(map(quoted_name, labels)) or "no label" for labels in shown.labels]
    return [
        Scalars(log),
        GradientNorms(log, probe or probe_batch(validation, _PROBE)),
        Histograms(log),
        LabelCurves(log, scores, data.targets.names),
        EmbeddingProjector(log, vocabulary.tokens, layer="embedding", columns=columns),
        LabelAttention(log, tokens, data.encoder.encode, data.targets.names, true_labels=true),
    ]


class LabelCurves(Dashboard):
    """Writes a precision-recall curve and its area for each label that a validation text has.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The `textapp.training.validation.ValidationScores`, which `fit` calls before these.
        names: The labels.
    """

    run = "validation"

    def __init__(self, log: EventLog, scores: Any, names: tuple[str, ...]):
        super().__init__(log)
        self.scores, self.names = scores, names

    def write(self) -> None:
        """Writes the curves of texts whose scores are finite."""
        finite = np.isfinite(self.scores.decoded).all(axis=1)
        probs, targets = sigmoid(self.scores.decoded[finite]), self.scores.rows.targets[finite] > 0
        for label, name in enumerate(self.names):
            if targets[:, label].any():
                write_curve(name, targets[:, label], probs[:, label])


class LabelAttention(AttentionTables):
    """The attention weights of sample texts, each with its three most probable labels."""

    def probabilities(self, outputs: Any) -> np.ndarray:
        """The probability of each label."""
        return sigmoid(np.asarray(outputs))

    def title(self, probs: np.ndarray, true: str | None = None) -> str:
        """The true labels, if they are known, and the most probable ones."""
        names = self.label_names or tuple(map(str, range(len(probs))))
        likely = ", ".join(
            f"{quoted_name(names[label])} ({probs[label]:.0%})" for label in np.argsort(-probs, kind="stable")[:3]
        )
        return likely if true is None else f"true: {true}; most probable: {likely}"
