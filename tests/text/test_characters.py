"""The tables against Python's Unicode data as of version 14.0, the tables' own, and their lookups."""

import itertools
import sys
import unicodedata

import pytest

from textapp.text.characters import (
    CLASS_OF,
    CLASSES,
    LETTERS,
    LOWER_OF,
    MARKS,
    UNSPACED,
    RangeMap,
    counted,
    parse_lower,
    parse_ranges,
    replace_surrogates,
)

from .unicode_14 import category

CODE_POINTS = [code_point for code_point in range(sys.maxunicode + 1) if not 0xD800 <= code_point <= 0xDFFF]
CATEGORIES = {code_point: category(chr(code_point)) for code_point in CODE_POINTS}
UNSPACED_SCRIPTS = (
    *(
        "BOPOMOFO",
        "CJK",
        "HALFWIDTH KATAKANA",
        "HANGZHOU",
        "HIRAGANA",
        "IDEOGRAPHIC",
        "KATAKANA",
        "MASU",
        "VERTICAL KANA",
    ),
    *("KHITAN", "KHMER", "LAO", "MYANMAR", "NUSHU", "TANGUT", "THAI"),
    *("NEW TAI LUE", "TAI LE", "TAI THAM", "TAI VIET"),
)


def members(table):
    return {code_point for first, last in parse_ranges(table) for code_point in range(first, last + 1)}


def of_category(*categories):
    return {code_point for code_point, category in CATEGORIES.items() if category.startswith(categories)}


def test_tables_are_sorted_and_disjoint():
    for table in CLASSES.values():
        flat = list(itertools.chain.from_iterable(parse_ranges(table)))
        assert flat == sorted(flat)
    for one, other in itertools.combinations(CLASSES, 2):
        assert not members(CLASSES[one]) & members(CLASSES[other]), (one, other)


def test_digits_are_decimal_digits():
    assert members(CLASSES["D"]) == of_category("Nd")


def test_spaces_are_white_space_and_controls():
    white = {code_point for code_point in CODE_POINTS if chr(code_point).isspace()}
    assert members(CLASSES["S"]) == white | of_category("Cc", "Z") | {0x200B, 0xFFF9, 0xFFFA, 0xFFFB}


def test_marks_and_ignorables_are_all_marks():
    assert members(MARKS) <= of_category("M") <= members(MARKS) | members(CLASSES["I"])


def test_ignorables_are_invisible():
    visible = of_category("L", "N", "P", "S", "Z", "Cc", "Co") & members(CLASSES["I"])
    assert visible == {0x115F, 0x1160, 0x3164, 0xFFA0}  # Hangul fillers: letters by category, blank by definition


def test_letters_are_all_letters():
    letters = of_category("L", "Nl")
    assert members(LETTERS) == letters - members(UNSPACED) - members(CLASSES["I"])


def test_unspaced_are_the_letters_of_the_named_scripts():
    tangut = set(range(0x17000, 0x18800)) | set(range(0x18D00, 0x18D80))  # Python knows no names in these two blocks
    planes_2_and_3 = set(range(0x20000, 0x3FFFE))
    expected = {
        code_point
        for code_point in of_category("L", "Nl")
        if code_point in tangut or unicodedata.name(chr(code_point), "").startswith(UNSPACED_SCRIPTS)
    }
    expected -= members(CLASSES["I"])  # the blank half-width Hangul filler has no part in this
    assert members(UNSPACED) == expected | planes_2_and_3


def test_lower_is_python_lower_but_for_one_letter():
    expected = {code_point: chr(code_point).lower() for code_point in CODE_POINTS}
    expected[0x130] = "i"  # İ, the one letter whose full lower case is two code points
    assert {code_point: chr(code_point).translate(LOWER_OF) for code_point in CODE_POINTS} == expected


def test_lower_runs_are_disjoint():
    code_points = list(itertools.chain.from_iterable(run for run, _ in parse_lower()))
    assert len(code_points) == len(set(code_points)) > 1400


def test_lower_examples():
    assert "ÀΣЖԱ Straße ǅ İ Ａ 🅰 中 \0".translate(LOWER_OF) == "àσжա straße ǆ i ａ 🅰 中 \0"


def test_class_examples():
    text = "aé한ß٣5中かカไ'’.,،́\u200d\ufeff\u200b\x00 \u3000…👍①½\ue000\U000e0041\U0001fae8"
    assert text.translate(CLASS_OF) == "LLLLDDUUUUQQPPOMIISSSSOOOOOIO"


def test_range_map_at_its_edges():
    letters = RangeMap({"a": "41-43 50", "b": "44"}, default=".")
    assert "@ABCDEPQ\U0010ffff".translate(letters) == ".aaab.a.."
    assert "@ABCDEPQ\0".translate(letters) == ".aaab.a.."


def test_surrogates_are_replaced_one_by_one():
    assert replace_surrogates("好\ud800\udfffé😀") == "好\ufffd\ufffdé😀"
    assert replace_surrogates("好é😀") == "好é😀"


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [(1, "text", "1 text"), (1_000, "entity", "1,000 entities"), (0, "step", "0 steps"), (2, "key", "2 keys")],
)
def test_a_count_has_the_form_of_its_number(count, noun, text):
    assert counted(count, noun) == text
