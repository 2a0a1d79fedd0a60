"""Pictures that several dashboards draw."""

import numpy as np
import pytest

from textapp import figures
from textapp.dashboards.figures import draw_confusion_matrix
from textapp.figures import pixels


@pytest.mark.parametrize("classes", [2, 12, 30])
def test_confusion_matrix_of_many_classes(classes):
    counts = np.diag(np.arange(classes)) + 1
    assert pixels(draw_confusion_matrix(counts, [f"class $x_{i}" for i in range(classes)])).std() > 0


def test_class_numbers_replace_names_that_no_font_can_draw(monkeypatch):
    monkeypatch.setattr(figures, "_installed", list)
    ticks = draw_confusion_matrix(np.eye(2), ["差", "好"]).axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0", "1"]
