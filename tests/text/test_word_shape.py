"""Shapes of words."""

import itertools
import unicodedata

import pytest

from textapp.text.word_shape import DIGIT, FIRST_CAPITAL, MARK, OTHER_CAPITAL, SHAPES, SMALL, word_shape


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("Łódź", FIRST_CAPITAL + SMALL),
        ("NASA", FIRST_CAPITAL + OTHER_CAPITAL),
        ("iPhone", OTHER_CAPITAL + SMALL),
        ("A320-x", FIRST_CAPITAL + SMALL + DIGIT + MARK),
        ("1996-08", DIGIT + MARK),
        ("٣", DIGIT),
        ("...", MARK),
        ("😀", MARK),
        ("北京", SMALL),
        ("서울", SMALL),
        ("Cafe\N{COMBINING ACUTE ACCENT}", FIRST_CAPITAL + SMALL),
        ("", 0),
    ],
)
def test_by_hand(word, kinds):
    assert word_shape(word) == 1 + kinds


def test_kinds_agree_with_another_table():
    """With that of `unicodedata`, on all of Latin, Greek and Cyrillic."""
    seen = set(map(chr, range(0x21, 0x530))) - {"\N{COMBINING GRAPHEME JOINER}"}  # normalization drops it
    for character in sorted(seen):
        category = unicodedata.category(character)
        if category == "Lu" and character.lower() != character:
            expected = FIRST_CAPITAL
        elif category in ("Lu", "Ll", "Lo", "Lm", "Mn"):
            expected = SMALL
        elif category[0] in "PS":
            expected = MARK
        else:
            continue
        assert word_shape(character) == 1 + expected, f"U+{ord(character):04X}"


def test_every_shape_is_that_of_some_word_and_none_is_padding():
    parts = [["", "A"], ["", "B"], ["", "c"], ["", "1"], ["", "-"]]
    shapes = {word_shape("".join(word)) for word in itertools.product(*parts)}
    shapes |= {word_shape("".join(word[::-1])) for word in itertools.product(*parts)}
    assert shapes == set(range(1, SHAPES)) - {1 + OTHER_CAPITAL}  # something stands before a capital that is not first
