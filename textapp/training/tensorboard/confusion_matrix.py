"""Which classes are taken for which."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from textapp import fonts
from textapp.figures import new_figure
from textapp.tasks.classification.scores import confusion_matrix
from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.images import write_figure
from textapp.training.tensorboard.validation_scores import ValidationScores

_MOST_CLASSES_WITH_NUMBERS = 12  # more make the cells too small to read


class ConfusionMatrix(Dashboard):
    """Draws the confusion matrix of the validation set (`validation/confusion_matrix`).

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
        """Draws the matrix, or nothing where no score is a number."""
        labels, probs = self.scores.at(self.model, self.step)
        if len(labels):
            names = self.scores.label_names
            counts = confusion_matrix(labels, probs.argmax(axis=1), len(names))
            legend = "; ".join(f"{index} = {name}" for index, name in enumerate(names))
            write_figure(
                "validation/confusion_matrix",
                draw(counts, names),
                f"Validation texts by class and prediction. {legend}",
            )


def draw(counts: np.ndarray, names: Sequence[str], counted: str = "texts") -> Figure:
    """Draws counts `(C, C)`, coloured by share of the row; class numbers stand for names that no font can draw.

    Args:
        counts: Integers, true classes in the rows.
        names: Of the classes.
        counted: What is counted, for the title.
    """
    classes = len(names)
    families = fonts.families("".join(names))
    if families is None:
        families, names = fonts.families("0"), [str(index) for index in range(classes)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    numbers = classes <= _MOST_CLASSES_WITH_NUMBERS
    # TensorBoard shrinks pictures to some 330 pixels: few inches make large letters.
    side = 2.2 + 0.6 * min(classes, _MOST_CLASSES_WITH_NUMBERS)
    figure = new_figure(side + 0.5, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    style: dict[str, Any] = {"fontfamily": families, "parse_math": False}
    axes.set_xticks(range(classes), names, **style, rotation=0 if classes <= 3 else 90)
    axes.set_yticks(range(classes), names, **style, rotation=90 if classes <= 3 else 0, va="center")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{np.trace(counts) / counts.sum():.1%} of {counts.sum():,} {counted} right", fontsize=11)
    if not numbers:
        figure.colorbar(image, label="share of the true class", shrink=0.85)
        return figure
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    return figure
