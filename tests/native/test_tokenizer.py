"""The core's tokenizer against textapp/text/tokenizer.py, with offsets in every unit."""

import ctypes
import itertools
import random

import pytest

from textapp.text.tokenizer import FORMS, TOKENIZERS, Tokenizer

from .core_text import CoreTokenizer, Places, contents, decoded

SETTINGS = [tokenizer.to_dict() for tokenizer in TOKENIZERS]
FULL, TOO_LONG = 0, 5


def expected(tokenizer, content):
    text, places = decoded(content)
    return [(token.text, places[token.start], places[token.end]) for token in tokenizer.tokenize(text)]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: "-".join(map(str, one.values())))
def test_tokens_and_offsets_are_those_of_python(internals, settings):
    core, tokenizer = CoreTokenizer(internals, **settings), Tokenizer(**settings)
    for content in contents(1_500, seed=7):
        assert core(content) == expected(tokenizer, content), content


@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize("line_breaks", [True, False])
def test_line_breaks_of_html_are_white_space_if_so_set(internals, kind, line_breaks):
    core = CoreTokenizer(internals, kind, line_breaks=line_breaks)
    tokenizer = Tokenizer(kind, line_breaks=line_breaks)
    seeded = random.Random(7)
    pieces = [
        "<",
        "<br",
        "<BR",
        "br",
        "/",
        " ",
        "\t",
        "\x0b",
        "\x1c",
        "/>",
        ">",
        "\u0338",
        "\u200b",
        "é",
        "a",
        "'",
        "3",
        ".",
    ]
    whole = ["<br>", "<Br/>", "<bR \n />", "<br />"]
    texts = ["".join(seeded.choices(pieces + whole * 2, k=seeded.randrange(30))) for _ in range(3_000)]
    texts += [" " * size + "<br" + " " * spaces + "/>d" for size in (0, *range(500, 515)) for spaces in (0, 1, 600)]
    for text in texts:
        assert core(text.encode()) == expected(tokenizer, text.encode()), text


@pytest.mark.parametrize(("kind", "form"), [*itertools.product(("word", "char"), FORMS), ("bert", "none")])
def test_every_code_point(internals, kind, form):
    """All 1,114,112 in one setting; in the others those below U+20000, as the rest is unassigned or never changes."""
    core = CoreTokenizer(internals, kind, normalization=form, longest=1 << 17, most=1 << 17)
    tokenizer = Tokenizer(kind, normalization=form)
    step = 1 << 14
    for start in range(0, 0x110000 if (kind, form) == ("word", "nfkc") else 0x20000, step):
        points = [chr(point) for point in range(start, start + step) if not 0xD800 <= point < 0xE000]
        content = " ".join(points).encode()
        if 0x40000 <= start < 0xE0000 or start >= 0xF0000:  # unassigned or private: each is a token of its own
            assert core(content) == [(point, 5 * number, 5 * number + 4) for number, point in enumerate(points)]
        else:
            assert core(content) == expected(tokenizer, content), hex(start)


def test_the_first_tokens_are_those_of_the_whole_text(internals):
    seeded = random.Random(7)
    for settings in SETTINGS[::3]:
        core, tokenizer = CoreTokenizer(internals, **settings), Tokenizer(**settings)
        for content in contents(300, seed=8):
            tokens = expected(tokenizer, content)
            most = seeded.randrange(len(tokens) + 2)
            assert core(content, most) == tokens[:most]
            assert core.more is (len(tokens) > most)


def test_the_room_is_enough_for_what_grows_most(internals):
    """The memory has exactly the size that was counted, so that a sanitizer would see a byte more."""
    worst = ["ﷺ", "ﷻ", "㌖", "⁗", "\U0001d160", "Ⱥ", "İ", "ﬃ", "㋿", "\u0344", "ΐ", "שּׁ", "क़", "ﷲ", "㌀", "½", "㉼"]
    for settings in SETTINGS:
        tokenizer = Tokenizer(**settings)
        for piece in [*(one.encode() for one in worst), b"\xff", b"\xf0\x9f", b"a.", b"'"]:
            for count in (1, 7, 100):
                content = piece * count
                core = CoreTokenizer(internals, **settings, longest=len(content), most=1 << 20)
                assert core(content) == expected(tokenizer, content), piece


def test_a_text_beyond_the_room_is_refused(internals):
    core = CoreTokenizer(internals, longest=10, most=4)
    assert core.status(b"a b c d") == FULL
    assert core.status(b"a b c d e") == FULL
    assert core.more
    assert core.status(b"a b c d e", 5) == TOO_LONG
    assert core.status(b"a" * 1000) == TOO_LONG
    assert core.status("ﷺ".encode() * 100, 4) in (FULL, TOO_LONG)


def test_a_word_of_a_megabyte(internals):
    core = CoreTokenizer(internals, longest=4 << 20, most=100)
    for word in ("a" * (1 << 20), "é" * (1 << 20), "e" + "\u0301" * (1 << 20), "a'" * (1 << 20) + "b"):
        content = word.encode()
        [(text, start, end), *more] = core(content)
        assert (start, end, more) == (0, len(content), [])
        assert len(text) >= 1 << 20


@pytest.mark.parametrize("unit", ["code points", "utf16"])
def test_places_in_other_units(internals, unit):
    internals.ta_place.restype = ctypes.c_size_t
    core = CoreTokenizer(internals)
    for content in contents(1_000, seed=9):
        text, places = decoded(content)
        width = [1 + (unit == "utf16" and character > "\uffff") for character in text]
        units = dict(zip(places, itertools.accumulate(width, initial=0), strict=True))
        state = Places(content, len(content), 0, 0, unit == "utf16")
        for _, start, end in core(content):
            for byte in (start, end):
                assert internals.ta_place(ctypes.byref(state), ctypes.c_size_t(byte)) == units[byte]
