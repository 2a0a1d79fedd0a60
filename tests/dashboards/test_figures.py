"""Pictures that several dashboards draw."""

import numpy as np
import pytest

from textapp import figures
from textapp.dashboards.figures import draw_confusion_matrix, draw_scores
from textapp.figures import pixels


@pytest.mark.parametrize("classes", [2, 12, 30])
def test_confusion_matrix_of_many_classes(classes):
    counts = np.diag(np.arange(classes)) + 1
    assert pixels(draw_confusion_matrix(counts, [f"class $x_{i}" for i in range(classes)])).std() > 0


def test_class_numbers_replace_names_that_no_font_can_draw(monkeypatch):
    monkeypatch.setattr(figures, "_installed", list)
    ticks = draw_confusion_matrix(np.eye(2), ["差", "好"]).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0", "1"]


def test_scores_are_bars_by_rising_score(monkeypatch):
    axes = draw_scores({"LOC $x$": 0.9, "PER": 0.25}, "F1").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["PER", "LOC $x$"]
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.9]
    assert [text.get_text() for text in axes.texts] == ["25.0%", "90.0%"]
    no_han = lambda text: ["DejaVu Sans"] if text == "0" else None  # noqa: E731
    monkeypatch.setattr("textapp.dashboards.figures.font_families", no_han)
    private = draw_scores({"人名": 0.9, "PER": 0.25}, "F1").axes[0]
    assert [label.get_text() for label in private.get_yticklabels()] == ["1", "0"]
