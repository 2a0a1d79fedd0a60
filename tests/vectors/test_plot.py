"""The picture of a map: labels where there is room."""

import itertools

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from textapp import fonts
from textapp.errors import InputError
from textapp.vectors.plot import draw, place, save_plot
from textapp.vectors.word_map import WordMap


def word_map(words, seed=0) -> WordMap:
    count = len(words)
    places = np.random.default_rng(seed).random((count, 2)).astype(np.float32)
    nobody = np.zeros((count, 0))
    return WordMap(tuple(words), places, np.arange(count) % 10, nobody.astype(int), nobody, np.arange(1, count + 1))


def test_no_two_labels_overlap_and_the_first_have_precedence():
    rng = np.random.default_rng(0)
    dots, sizes = 300 * rng.random((150, 2)), np.full((150, 2), [50.0, 12.0])
    labels = place(dots, sizes, (300, 300), [True] * 150)
    boxes = [(x.left, x.bottom, x.left + 50, x.bottom + 12) for x in labels if x is not None]
    for one, other in itertools.combinations(boxes, 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
    assert all(left >= 0 and bottom >= 0 and right <= 300 and top <= 300 for left, bottom, right, top in boxes)
    assert labels[0] is not None
    assert 20 < len(boxes) < 150


def test_a_label_stands_beside_its_dot_or_is_led_to():
    alone, crowded = np.array([[100.0, 100.0]]), np.full((12, 2), 100.0)
    (label,) = place(alone, np.array([[30.0, 10.0]]), (300, 300), [True])
    assert label == (107.0, 95.0, False)
    labels = place(crowded, np.full((12, 2), [30.0, 10.0]), (300, 300), [True] * 12)
    assert any(label is not None and label.moved for label in labels)
    assert place(alone, np.array([[30.0, 10.0]]), (300, 300), [False]) == [None]
    assert place(alone, np.array([[301.0, 10.0]]), (300, 300), [True]) == [None]


def test_the_picture_has_the_labels_as_they_are(tmp_path):
    words = ["слово", "$x^2$", "naïve", "_a_", "x" * 50]
    drawn = save_plot(word_map(words), tmp_path / "карта.png", "Слова $1$")
    shown = [text.get_text() for text in drawn.figure.axes[0].findobj(Text)]
    assert {"слово", "$x^2$", "naïve", "_a_", "x" * 23 + "…", "Слова $1$"} <= set(shown)
    assert (drawn.labelled, drawn.without_font) == (5, 0)
    picture = imread(tmp_path / "карта.png")
    assert picture.shape[:2] == tuple(round(inches * 150) for inches in drawn.figure.get_size_inches()[::-1])
    assert (picture[..., :3] < 0.5).any()
    assert [path.name for path in tmp_path.iterdir()] == ["карта.png"]


def test_words_that_no_font_draws_have_no_label(monkeypatch):
    monkeypatch.setattr(fonts, "_installed", list)
    drawn = draw(word_map(["好", "слово", "word", "🎉", "b"]), "标题")
    assert (drawn.labelled, drawn.without_font) == (3, 2)
    with pytest.raises(InputError, match="no installed font can draw these words"):
        draw(word_map(["好", "坏"]), "x")
