"""What TensorBoard shows of a regressor."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.dashboards import Dashboard, EmbeddingProjector, EventLog, GradientNorms, Histograms, Scalars
from textapp.dashboards.figures import write_figure
from textapp.dashboards.gradients import probe_batch
from textapp.data.readers import Examples
from textapp.figures import font_families, new_figure
from textapp.tasks.classification.dashboards import AttentionTables
from textapp.tasks.regression.examination import in_words
from textapp.text.estimates import Numbers

_PROBE = 32  # examples: enough for a stable gradient, and as fast as one training step
_MOST_POINTS = 2_000  # of a picture


def regression_dashboards(
    folder: Path, data: Any, scores: Any, validation: Any, probe: Any, shown: Examples
) -> list[keras.callbacks.Callback]:
    """Makes the callbacks that write TensorBoard's pages, all to one log.

    Args:
        folder: Folder of the log.
        data: The `textapp.training.prepare.Prepared`.
        scores: The `textapp.training.validation.ValidationScores`, which `fit` calls before these.
        validation: Batches of the validation split.
        probe: Inputs and targets for gradient norms; None for some of the validation split.
        shown: Sample texts whose attention weights are shown, with their numbers.
    """
    log = EventLog(folder)
    tokens = [data.tokenizer.words(text) for text in shown.texts]
    true = [", ".join(f"{value:.6g}" for value in row) for row in shown.labels]
    return [
        Scalars(log),
        GradientNorms(log, probe or probe_batch(validation, _PROBE)),
        Histograms(log),
        TrueAndEstimated(log, scores),
        EmbeddingProjector(log, data.encoder.vocabulary.tokens, layer="embedding"),
        NumberAttention(log, tokens, data.encoder.encode, data.targets, true),
    ]


class TrueAndEstimated(Dashboard):
    """Writes a picture for each number: the true and the estimated numbers of validation texts.

    Args:
        log: An `EventLog`, or the path of a folder.
        scores: The `textapp.training.validation.ValidationScores`, which `fit` calls before these.
    """

    run = "validation"

    def __init__(self, log: EventLog, scores: Any):
        super().__init__(log)
        self.scores = scores

    def write(self) -> None:
        """Writes the pictures of texts whose numbers are finite."""
        scores, targets = self.scores, self.scores.calibrated
        decisions = scores.task.decisions(scores.rows, scores.decoded, targets)
        found = np.asarray([one.values for one in decisions])
        true = np.asarray([scores.examples.labels[row] for row in scores.rows.sources.tolist()])
        finite = np.flatnonzero(np.isfinite(found).all(axis=1))[:: max(1, len(found) // _MOST_POINTS)]
        for number, name in enumerate(targets.columns):
            figure = new_figure(3.6, 3.6)
            axes = figure.add_subplot()
            ends = (true[:, number].min(), true[:, number].max())
            axes.plot(ends, ends, color="black", linewidth=1, linestyle="--")
            axes.scatter(true[finite, number], found[finite, number], s=6, alpha=0.4, color="tab:blue")
            axes.set(xlabel="true", ylabel="estimated")
            families = font_families(name)
            axes.set_title(name if families else f"number {number + 1}", fontfamily=families, parse_math=False)
            write_figure(f"true_and_estimated/{name}", figure, "The line is where both are equal.")


class NumberAttention(AttentionTables):
    """The attention weights of sample texts, each with its true and its estimated numbers.

    Args:
        log: An `EventLog`.
        texts: The tokens of each text.
        encode: Converts tokens to the model's inputs by name.
        targets: The numbers of the model.
        true: The true numbers of each text in words.
    """

    def __init__(self, log: EventLog, texts: Any, encode: Any, targets: Numbers, true: list[str]):
        super().__init__(log, texts, encode, targets.names, true_labels=true)
        self.targets = targets

    def probabilities(self, outputs: Any) -> np.ndarray:
        """The standardized numbers, float32 `(B, C)`."""
        return np.asarray(tf.cast(outputs, "float32"))

    def title(self, probs: np.ndarray, true: str | None = None) -> str:
        """The true and the estimated numbers."""
        line = f"estimated: {in_words(self.targets.estimate(self.targets.decode(probs.tolist())))}"
        return line if true is None else f"true: {true}; {line}"
