"""Marked texts as HTML: what is shown, and that no text becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from textapp.text.marked import AGAINST, FOR, Mark, Marked, contributing, joined, type_colour, weighted, with_spans

HOSTILE = "<script>alert('x')</script>\x00\u202e\"&好"


class Shown(HTMLParser):
    """The text that a reader sees, its elements, and their attributes."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.styles, self.titles = "", [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        assert set(found) <= {"style", "title"}
        self.styles.append(found.get("style", ""))
        self.titles.append(found.get("title"))

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("make", [
    lambda: weighted(HOSTILE, [(0, 8, 0.5), (8, len(HOSTILE), 1.0)]),
    lambda: with_spans(HOSTILE, [(HOSTILE, 3, 20, 0.5)], [HOSTILE]),
    lambda: Marked(HOSTILE, (Mark(0, 2, "1, 2, 3", 1.0, HOSTILE, HOSTILE),)),
])  # fmt: skip
def test_no_text_becomes_markup(make):
    shown = Shown(make().html())
    assert set(shown.tags) <= {"bdi", "span", "small"}
    assert "\u202e" not in make().html()  # it would turn the page around
    assert "alert('x')" in shown.text


def test_tints_are_as_strong_as_weights():
    shown = Shown(weighted("不 好吃!", [(0, 1, 0.5), (2, 4, 0.25), (4, 5, 0.01)]).html())
    assert shown.text == "不 好吃!"
    opacities = [float(re.search(r"([\d.]+)\)", style)[1]) for style in shown.styles if style]
    assert opacities == [0.6, 0.3]  # the last is too light to see
    assert shown.titles == [None, "0.500", "0.250"]


def test_contributions_have_two_colours():
    shown = Shown(contributing("a b", [(0, 1, 0.4), (2, 3, -0.2)]).html())
    assert FOR in shown.styles[1]
    assert AGAINST in shown.styles[2]
    assert shown.titles[1:] == ["+0.400", "-0.200"]
    assert Shown(contributing("a", [(0, 1, float("nan"))]).html()).tags == ["bdi"]


def test_spans_have_their_type_as_text():
    shown = Shown(with_spans("张伟 in 北京", [("PER", 0, 2, 0.9), ("", 6, 8, None)], ["PER", ""]).html())
    assert shown.text == "张伟PER in 北京_"
    assert len({style.split(";")[0] for style in shown.styles if style.startswith("background")}) == 2
    assert type_colour("a", ["a", "b"]) != type_colour("b", ["a", "b"])
    types = [f"t{number}" for number in range(12)]
    assert len({type_colour(name, types) for name in types}) == 12


def test_tokens_of_one_character_mark_it_once():
    """Normalization makes several tokens of ㍿."""
    shown = Shown(weighted("㍿a", [(0, 1, 1.0), (0, 1, 0.5), (1, 2, 1.0)]).html())
    assert shown.text == "㍿a"


def test_a_long_text_is_cut_with_its_marks():
    part = with_spans("ab" * 10, [("X", 0, 2, None), ("X", 3, 8, None), ("X", 10, 12, None)], ["X"]).first(5)
    assert (part.text, [(mark.start, mark.end) for mark in part.marks]) == ("ababa", [(0, 2), (3, 5)])
    assert Shown(part.html()).text == "abXabaX…"
    assert part.first(5) is part


def test_tokens_are_joined_as_they_stood():
    assert joined([]) == ("", [])
    assert joined([("好", 0, 1), ("吃", 1, 2), ("!", 5, 6)]) == ("好吃 !", [(0, 1), (1, 2), (3, 4)])
