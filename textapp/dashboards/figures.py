"""Drawing functions of dashboards: pictures, confusion matrices, reliability diagrams, markdown."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from textapp.answers import ReliabilityBin
from textapp.figures import font_families, new_figure, pixels

_MOST_CLASSES_WITH_NUMBERS = 12  # more make the cells too small to read

NO_FONT = "no installed font has all the characters; Noto Sans CJK (package fonts-noto-cjk) has Han"
"""Why something is not drawn, for a line in the picture."""


def write_figure(tag: str, figure: Figure, description: str) -> None:
    """Writes a matplotlib figure as an image to the default summary writer."""
    tf.summary.image(tag, pixels(figure)[np.newaxis], description=description)


def draw_confusion_matrix(counts: np.ndarray, names: Sequence[str], unit: str = "texts") -> Figure:
    """Draws counts, each cell coloured by its share of the row.

    Class numbers replace the names if no installed font can draw the names, and a line says so.

    Args:
        counts: Integers `(C, C)`, true classes in the rows, predicted classes in the columns.
        names: Names of the C classes.
        unit: What is counted, for the title.
    """
    classes = len(names)
    families = font_families("".join(names))
    if is_numbered := families is None:
        families, names = font_families("0"), [str(index) for index in range(classes)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # TensorBoard shrinks pictures to some 330 pixels: few inches make large letters.
    side = 2.2 + 0.6 * min(classes, _MOST_CLASSES_WITH_NUMBERS)
    figure = new_figure(side + 0.5, side)
    if is_numbered:
        _say_no_font(figure, side + 0.5)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    style: dict[str, Any] = {"fontfamily": families, "parse_math": False}
    axes.set_xticks(range(classes), names, **style, rotation=0 if classes <= 3 else 90)
    axes.set_yticks(range(classes), names, **style, rotation=90 if classes <= 3 else 0, va="center")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{np.trace(counts) / counts.sum():.1%} of {counts.sum():,} {unit} right", fontsize=11)
    if classes > _MOST_CLASSES_WITH_NUMBERS:
        figure.colorbar(image, label="share of the true class", shrink=0.85)
        return figure
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    return figure


def draw_scores(scores: Mapping[str, float], title: str) -> Figure:
    """Draws a bar for each score, from 0 to 1, by rising score.

    Numbers replace the names if no installed font can draw the names, and a line says so.

    Args:
        scores: Each score by its name, one or more.
        title: What they are.
    """
    rows = sorted(scores.items(), key=lambda row: row[1])
    names, values = [name for name, _ in rows], [value for _, value in rows]
    families = font_families("".join(names))
    if is_numbered := families is None:
        places = {name: str(number) for number, name in enumerate(scores)}
        families, names = font_families("0"), [places[name] for name in names]
    figure = new_figure(4.2, 1.1 + 0.34 * len(rows) + (0.5 if is_numbered else 0))
    if is_numbered:
        _say_no_font(figure, 4.2)
    axes = figure.add_subplot()
    axes.barh(range(len(rows)), values, color="tab:blue")
    axes.set_yticks(range(len(rows)), names, fontfamily=families, parse_math=False)
    axes.set(xlim=(0, 1.12))
    for place, value in enumerate(values):
        axes.text(value + 0.01, place, f"{value:.1%}", va="center")
    axes.set_title(title, fontsize=11)
    return figure


def _say_no_font(figure: Figure, width: float) -> None:
    """Writes below a figure of `width` inches why numbers stand for names."""
    figure.supxlabel(textwrap.fill(f"Numbers stand for names: {NO_FONT}", int(width * 16)), fontsize=7)


def draw_reliability(bins: Sequence[ReliabilityBin], error: float) -> Figure:
    """Draws the accuracy of predictions of similar confidence, and how many there are.

    Args:
        bins: The bins that have predictions.
        error: The expected calibration error, for the title.
    """
    figure = new_figure(3.4, 3.8)
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(4, 1))
    places = [one.confidence for one in bins]
    upper.plot((0, 1), (0, 1), color="black", linewidth=1, linestyle="--")
    upper.bar(places, [one.accuracy for one in bins], width=0.05, color="tab:blue")
    lower.bar(places, [one.count for one in bins], width=0.05, color="tab:gray")
    upper.set(xlim=(0, 1.03), ylim=(0, 1.03), ylabel="share of right ones")
    lower.set(xlabel="confidence", ylabel="texts")
    upper.set_title(f"expected calibration error {error:.1%}", fontsize=11)
    return figure


def escape_markdown(text: str) -> str:
    """Replaces ASCII punctuation by HTML entities, so that markdown and HTML show the text as it is."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)
