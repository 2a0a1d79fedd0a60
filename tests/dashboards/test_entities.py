"""The picture of sentences with their entities."""

import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from textapp.dashboards import entities
from textapp.dashboards.entities import Sentence, draw_entities
from textapp.figures import pixels
from textapp.text.tag_schemes import Span
from textapp.text.terminal import FILLS, rgb

TYPES = ["LOC", "PER"]
TOKENS = ["Angela", "Merkel", "visited", "$Berlin$", "."]
TRUE = [Span(0, 2, "PER"), Span(3, 4, "LOC")]


def words(figure):
    """The texts of a figure, from top to bottom and from left to right, without spaces at their ends."""
    placed = sorted(figure.texts, key=lambda text: (-round(text.get_position()[1], 4), text.get_position()[0]))
    return [text.get_text().strip() for text in placed if text.get_text().strip()]


def fills(figure):
    return [patch.get_facecolor()[:3] for patch in figure.get_children() if isinstance(patch, Rectangle)][1:]


def test_entities_have_the_colours_of_the_terminal():
    figure = draw_entities([Sentence(TOKENS, TRUE, TRUE)], TYPES)
    assert words(figure) == [*TYPES, "true", "Angela", "Merkel", "PER", "visited", "$Berlin$", "LOC", "."]
    loc, per = (to_rgb([part / 255 for part in rgb(number)]) for number in FILLS[:2])
    assert fills(figure) == [loc, per, per, per, per, loc, loc]
    image = pixels(figure)
    assert {tuple(map(round, (255 * part for part in colour))) for colour in (loc, per)} <= {
        tuple(colour) for colour in image[:, :, :3].reshape(-1, 3).tolist()
    }


def test_predicted_entities_stand_below_the_true_ones_where_they_differ():
    figure = draw_entities([Sentence(TOKENS, TRUE, TRUE[:1]), Sentence(["x"], [], [])], TYPES)
    texts = words(figure)
    assert [text for text in texts if text in ("true", "model")] == ["true", "model", "true"]
    assert texts.count("LOC") == 2  # in the legend, and once in the sentence


def test_a_long_sentence_has_several_lines():
    figure = draw_entities([Sentence(["word"] * 60, [], [])], TYPES)
    assert all(text.get_position()[0] < 1 for text in figure.texts)
    assert len({text.get_position()[1] for text in figure.texts}) > 4


@pytest.mark.parametrize("sentences", [1, 2])
def test_a_line_says_that_no_font_has_the_characters(monkeypatch, sentences):
    monkeypatch.setattr(entities, "font_families", lambda text: None if "好" in text else ["DejaVu Sans"])
    shown = [Sentence(["好"], [], []), Sentence(["Wien"], [Span(0, 1, "LOC")], [])][:sentences]
    text = " ".join(words(draw_entities(shown, TYPES)))
    assert "1 sentence not drawn: no installed font has all the characters;" in text
    assert ("Wien" in text) == (sentences == 2)
    assert "好" not in text


def test_tokens_of_one_character_have_no_spaces_between_them():
    """Letters stand for Chinese characters here, because the machine may have no font with these."""
    figure = draw_entities([Sentence(list("ÄßÜ"), [Span(2, 3, "LOC")], [Span(2, 3, "LOC")])], TYPES)
    assert [text.get_text() for text in figure.texts[-4:]] == ["Ä", "ß", "Ü", " LOC "]
