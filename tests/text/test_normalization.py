"""Normalization against `unicodedata` on whole texts, and the origin of every code point."""

import itertools
import random
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.text.characters import IGNORABLES, parse_ranges
from textapp.text.normalization import BASES, CHANGING, LONGEST_CHUNK, QUOTES, ROLES, normalize

from .unicode_14 import category

FORMS = ("nfc", "nfkc")


def members(table):
    return {code_point for first, last in parse_ranges(table) for code_point in range(first, last + 1)}


OWN_WAY = members(IGNORABLES) | members(QUOTES)
ASSIGNED = {point for point in range(sys.maxunicode + 1) if category(chr(point)) != "Cn"}
PLAIN = [chr(point) for point in sorted(ASSIGNED - OWN_WAY) if category(chr(point)) != "Cs"]
"""Assigned code points that textapp treats as Unicode does."""


def reference(text, form):
    return unicodedata.normalize(form.upper(), text)


def test_roles_are_disjoint():
    for one, other in itertools.combinations(ROLES, 2):
        assert not members(ROLES[one]) & members(ROLES[other]), (one, other)


def test_the_code_points_are_those_of_unicode_14():
    assert len(ASSIGNED) == 144_697 + 65 + 2_048 + 137_468  # characters, controls, surrogates, private use


def test_no_role_for_an_unassigned_code_point():
    for role in "jcb":
        assert not [hex(point) for point in members(ROLES[role]) - ASSIGNED]


def test_changing_is_exact():
    changed = {ord(character) for character in PLAIN if reference(character, "nfkc") != character}
    assert changed - members(ROLES["j"]) == members(CHANGING)


def test_every_plain_code_point_by_itself():
    for form in FORMS:
        assert [normalize(character, form).text for character in PLAIN] == [
            reference(character, form) for character in PLAIN
        ]


def test_every_canonical_decomposition_composes():
    decomposed = {unicodedata.normalize("NFD", character) for character in PLAIN}
    decomposed = [text for text in decomposed if len(text) > 1]
    assert len(decomposed) > 12_000
    for form in FORMS:
        assert [normalize(text, form).text for text in decomposed] == [reference(text, form) for text in decomposed]


@pytest.mark.parametrize("form", FORMS)
def test_random_plain_texts(form):
    generator = random.Random(3)
    plain = set(PLAIN)
    active = [sorted(map(chr, members(ROLES[role]))) for role in "jcb"]
    active = [[character for character in characters if character in plain] for characters in active]
    latin, jamo = (
        list("aeEoı <=\u0338\u0301\u0316\u0327"),
        list(map(chr, [*range(0x1100, 0x1113), *range(0x1161, 0x11C3)])),
    )
    for _ in range(10_000):
        pools = generator.choices([*active, PLAIN, latin, jamo], k=3)
        text = "".join(generator.choice(generator.choice(pools)) for _ in range(generator.randint(2, 12)))
        assert normalize(text, form).text == reference(text, form), ascii(text)


def test_code_points_that_came_later_stay():
    # Assigned in Unicode 15 and 16: compatibility characters, marks that reorder, a pair that composes.
    for text in (
        "\U0001e030\U0001e06d",
        "\U0001ccd6",
        "a\u0301\U0001e08f\u0316",
        "\U00016121\U0001611f",
        "\U0001fae8\u0301",
    ):
        for form in FORMS:
            assert normalize(text, form).text == text.replace("a\u0301", "á")


def test_none_only_drops_and_replaces():
    text = "\ufeffﬁ e\u0301 Å ½ ’\u200d\ud83d\ude00\u00ad好"
    assert normalize(text, "none").text == "ﬁ e\u0301 Å ½ ’\ufffd\ufffd好"


def test_apostrophes_become_one_under_nfkc_alone():
    text = "don’t don´t don‘t don‛t don＇t"
    assert normalize(text, "nfkc").text == "don't don't don't don't don't"
    assert normalize(text, "nfc").text == text


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("", "nfkc", ("", [], [])),
        ("aé", "none", ("aé", [0, 1], [1, 2])),
        ("e\u0301x", "nfc", ("éx", [0, 2], [2, 3])),
        ("\ufeffe\u200d\u0301\u00adx", "nfkc", ("éx", [1, 5], [4, 6])),
        ("ﬁ½", "nfkc", ("fi1⁄2", [0, 0, 1, 1, 1], [1, 1, 2, 2, 2])),
        ("\u1100\u1161\u11a8 각", "nfkc", ("각 각", [0, 3, 4], [3, 4, 5])),
        ("ｶﾞ！", "nfkc", ("ガ!", [0, 2], [2, 3])),
        ("q\u0307\u0323", "nfc", ("q\u0323\u0307", [0, 0, 0], [3, 3, 3])),
        ("q\u0323\u0307", "nfc", ("q\u0323\u0307", [0, 1, 2], [1, 2, 3])),
        ("👩\u200d👧", "nfkc", ("👩👧", [0, 2], [1, 3])),
        ("\udc80é", "nfkc", ("\ufffdé", [0, 1], [1, 2])),
    ],
)
def test_origins(text, form, expected):
    normalized = normalize(text, form)
    assert (normalized.text, list(normalized.starts), list(normalized.ends)) == expected


@given(st.text(max_size=30), st.sampled_from(("none", *FORMS)))
def test_origins_are_ordered_and_tell_the_truth(text, form):
    normalized = normalize(text, form)
    assert len(normalized.text) == len(normalized.starts) == len(normalized.ends)
    for places in (normalized.starts, normalized.ends):
        assert list(places) == sorted(places)
    for character, start, end in zip(*normalized, strict=True):
        assert 0 <= start < end <= len(text)
        assert character in normalize(text[start:end], form).text


@given(st.text(max_size=30), st.sampled_from(("none", *FORMS)))
def test_normalized_text_stays(text, form):
    once = normalize(text, form).text
    assert normalize(once, form).text == once


def test_long_runs_of_marks_are_cut():
    text = "e" + "\u0301\u0316" * 5_000 + "!"
    chunks = [text[start : start + LONGEST_CHUNK] for start in range(0, len(text) - 1, LONGEST_CHUNK)]
    chunks[-1] = chunks[-1].removesuffix("!")
    normalized = normalize(text, "nfc")
    assert normalized.text == "".join(unicodedata.normalize("NFC", chunk) for chunk in chunks) + "!"
    assert normalized.ends[0] == LONGEST_CHUNK


def test_bases_hold_every_first_of_a_composition():
    leads = members(BASES) | members(CHANGING) | members(ROLES["j"])
    firsts = {
        int(parts[0], 16)
        for character in PLAIN
        if len(parts := unicodedata.decomposition(character).split()) == 2
        and parts[0][0] != "<"
        and reference(character, "nfc") == character
    }
    assert len(firsts) > 350
    assert firsts <= leads
