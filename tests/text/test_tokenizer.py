"""Tokens worked out by hand, an independent tokenizer, the written regular expression in Python and JavaScript."""

import json
import re
import shutil
import subprocess
import sys
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textapp.data.readers import clean_text
from textapp.errors import InputError
from textapp.text.characters import CLASSES, IGNORABLES, LOWER_OF, UNSPACED, parse_ranges
from textapp.text.normalization import normalize
from textapp.text.tokenizer import TOKENIZERS, Token, Tokenizer, token_pattern

from .unicode_14 import category

BERT = Tokenizer("bert", True, "none")
LIVELY = st.sampled_from("aZ9'’.,é\u0301\u093cनि好カ\uff9e한\u1100\u1161😀\u200d\ufe0f\x00 \u3000ﬁ½ß٣٫\ud83dİ￥")
TEXTS = st.text(alphabet=st.one_of(LIVELY, st.characters()), max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\r\n\u00a0\u3000\u2028\ufeff\x00\x85", []),
        # English
        ("I DON'T like it; it’s 3.5/5!", ["i", "don't", "like", "it", ";", "it's", "3.5", "/", "5", "!"]),
        ("rock 'n' roll, the '90s", ["rock", "'", "n", "'", "roll", ",", "the", "'", "90s"]),
        ("o'clock's '' a''b x'1 1'x", ["o'clock's", "'", "'", "a", "'", "'", "b", "x", "'", "1", "1", "'", "x"]),
        ("$1,000.50 1,,2 .5 5. v1.2 U.S.", ["$", "1,000.50", *"1,,2.55.", "v1.2", *"u.s."]),
        ("mp3 80s 3.5mm b2b snake_case e-mail", ["mp3", "80s", "3.5mm", "b2b", "snake", "_", "case", "e", "-", "mail"]),
        ("good<br />bad...", ["good", "<", "br", "/", ">", "bad", ".", ".", "."]),
        ("naïve Cafe\u0301 ÀÉ Straße İstanbul ΟΔΟΣ", ["naïve", "café", "àé", "straße", "istanbul", "οδοσ"]),
        # Chinese, full width and half width
        ("这部电影３．５分，太好看了！", [*"这部电影", "3.5", *"分,太好看了!"]),
        ("iPhone６很好用…\U00020000", ["iphone6", "很", "好", "用", ".", ".", ".", "\U00020000"]),
        # Japanese: each kana by itself, a voice mark with its kana, half-width kana made full
        ("とてもカワイイ。ｶﾞか\u309a", [*"とてもカワイイ。ガ", "か\u309a"]),
        # Korean: words between spaces, conjoining jamo composed
        ("정말 좋은 영화였다.", ["정말", "좋은", "영화였다", "."]),
        ("\u1112\u1161\u11ab국", ["한국"]),
        # Arabic with vowel signs, tatweel and Arabic-Indic digits; Hebrew with points
        ("كِتَابٌ جميل، ٣٫٥", ["كِتَابٌ", "جميل", "،", "٣٫٥"]),
        ("שָׁלוֹם", [unicodedata.normalize("NFKC", "שָׁלוֹם")]),
        # Devanagari: vowel signs, virama and a joiner stay in the word; the danda is punctuation
        ("हिन्दी क्\u200dष।", ["हिन्दी", "क्ष", "।"]),
        # Thai: a character with its marks
        ("ดีมาก", ["ดี", "ม", "า", "ก"]),
        # Emoji: joiners, variation selectors and tags vanish, skin tones and regional indicators are symbols
        ("👍🏽❤️", ["👍", "🏽", "❤"]),
        ("👩\u200d👩\u200d👧ok", ["👩", "👩", "👧", "ok"]),
        ("🏴\U000e0067\U000e0062\U000e007f🇩🇪", ["🏴", "🇩", "🇪"]),
        ("1️⃣", ["1\u20e3"]),
        # Marks without a letter, controls inside a word, surrogates, private use, unassigned
        ("\u0301a \u0301\u0302 !\u0301", ["\u0301", "a", "\u0301\u0302", "!\u0301"]),
        ("don'\u0301t 1.\u03012", ["don", "'\u0301", "t", "1", ".\u0301", "2"]),
        ("a\x00b\x7fc\u200bd", ["a", "b", "c", "d"]),
        ("x\ud83dy\ude00", ["x", "\ufffd", "y", "\ufffd"]),
        ("\ue000\U0010ffff\u0378", ["\ue000", "\U0010ffff", "\u0378"]),
        ("co\u00adop\u2060er\u200cate", ["cooperate"]),
    ],
)
def test_words_by_hand(text, expected):
    assert Tokenizer().words(text) == expected


@pytest.mark.parametrize(
    ("tokenizer", "expected"),
    [
        (Tokenizer(), ["don't", "fin", "好", "1", "⁄", "2"]),
        (Tokenizer(lowercase=False), ["Don't", "Fin", "好", "1", "⁄", "2"]),
        (Tokenizer(normalization="nfc"), ["don’t", "ｆin", "好", "½"]),
        (Tokenizer(normalization="none", lowercase=False), ["Don’t", "Ｆin", "好", "½"]),
        (Tokenizer(kind="char"), [*"don'tfin好1⁄2"]),
        (Tokenizer(kind="char", normalization="none", lowercase=False), [*"Don’tＦin好½"]),
    ],
)
def test_settings(tokenizer, expected):
    assert tokenizer.words("Don’t Ｆin\x00好 ½") == expected


def test_offsets_by_hand():
    text = "\ufeffCafe\u0301 co\u00adop ½é 👩\u200d👧!\ud800"
    assert Tokenizer().tokenize(text) == [
        Token("café", 1, 6),
        Token("coop", 7, 12),
        Token("1", 13, 14),
        Token("⁄", 13, 14),
        Token("2é", 13, 15),
        Token("👩", 16, 17),
        Token("👧", 18, 19),
        Token("!", 19, 20),
        Token("\ufffd", 20, 21),
    ]
    assert text[7:12] == "co\u00adop"


@given(TEXTS, st.sampled_from(TOKENIZERS))
@example("x½y e\u200d\u0301", Tokenizer())
def test_offsets_hold_what_the_author_wrote(text, tokenizer):
    tokens = tokenizer.tokenize(text)
    assert [token.text for token in tokens] == tokenizer.words(text)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)
    for token in tokens:
        assert 0 <= token.start < token.end <= len(text)
        assert token.text in tokenizer.words(text[token.start : token.end])


@given(st.text(alphabet=st.characters(max_codepoint=0x7F), max_size=40), st.sampled_from(TOKENIZERS))
def test_ascii_takes_the_same_way(text, tokenizer):
    assert tokenizer.words(text) == tokenizer.words(text + " é")[:-1]
    assert tokenizer.tokenize(text) == tokenizer.tokenize(text + " é")[:-1]


def in_table(character, table):
    return any(first <= ord(character) <= last for first, last in parse_ranges(table))


def reference_class(character):
    """The class by Python's Unicode data; the two tables that are textapp's own choice are looked up."""
    kind = category(character)
    if character in "'’":
        return "Q"
    if character in ".,٫٬":
        return "P"
    if in_table(character, IGNORABLES):
        return "I"
    if kind in ("Cc", "Zs", "Zl", "Zp") or character in "\u200b\ufff9\ufffa\ufffb":
        return "S"
    if kind[0] == "M":
        return "M"
    if kind == "Nd":
        return "D"
    return "L" if (kind[0] == "L" or kind == "Nl") and not in_table(character, UNSPACED) else "O"


def reference_words(text, split_apostrophes):
    """Words of a text without ignorables, read one character after the other; no normalization, no lower case."""
    words, word, state = [], "", "outside"  # the last base was: L, D, a joint after L or D, another, or none
    kinds = [reference_class(character) for character in text] + ["S", "S"]
    for character, kind, after in zip(text, kinds, kinds[1:], strict=False):
        if kind == "M" and word:
            word += character
            continue
        inner = (kind, state, after) in (("Q" if not split_apostrophes else "", "L", "L"), ("P", "D", "D"))
        goes_on = (kind in "LD" and state in ("L", "D", "joint")) or inner
        if not goes_on:
            words.append(word)
            word = ""
        word += character if kind != "S" else ""
        state = "joint" if inner else kind
    return [word for word in [*words, word] if word]


@given(TEXTS, st.booleans())
@example("a'b'c'' 1.2.3.. a1.2'b 1'a 1.a 好'a 'a .1 a\u0301'b 1\u0301.2 a'\u0301b \u0301'a", True)
@example("a'b'c'' 1.2.3.. a1.2'b 1'a 1.a 好'a 'a .1 a\u0301'b 1\u0301.2 a'\u0301b \u0301'a", False)
def test_words_equal_an_independent_tokenizer(text, split):
    text = normalize(text, "none").text
    tokenizer = Tokenizer(lowercase=False, normalization="none", split_apostrophes=split)
    assert tokenizer.words(text) == reference_words(text, split)


def python_pattern(kind, split=False):
    pattern = token_pattern(kind, split)
    return re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda match: rf"\U{match[1]:0>8}", pattern))


@pytest.mark.parametrize(("kind", "split"), [("word", False), ("word", True), ("char", False)])
def test_the_written_pattern_is_the_rule(kind, split):
    pattern = python_pattern(kind, split)

    @given(TEXTS)
    def check(text):
        normalized = normalize(text, "nfkc").text.translate(LOWER_OF)
        assert pattern.findall(normalized) == Tokenizer(kind, split_apostrophes=split).words(text)

    check()


def test_the_written_pattern_in_javascript():
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    texts = ["Don't 3.5 好吃！कि 👍🏽 a\u0301'b\x00é", "1,000mm 정말 ดี", "a'' 1.. \u0301x"]
    script = """
        const {pattern, texts} = JSON.parse(require("fs").readFileSync(0, "utf-8"));
        const regex = new RegExp(pattern.replaceAll("\\\\x{", "\\\\u{"), "gu");
        console.log(JSON.stringify(texts.map(text => text.match(regex))));
    """
    given_json = json.dumps({"pattern": token_pattern(), "texts": texts})
    result = subprocess.run([node, "-e", script], input=given_json, capture_output=True, text=True, check=True)
    tokenizer = Tokenizer(lowercase=False, normalization="none")
    assert json.loads(result.stdout) == [tokenizer.words(text) for text in texts]


def test_the_written_pattern_has_only_ranges():
    literal = re.sub(r"\\x\{[0-9A-F]+\}-\\x\{[0-9A-F]+\}", "", token_pattern("word"))
    assert re.fullmatch(r"[][^()?:|*+]+", literal)
    assert len(CLASSES) == 8


@given(TEXTS, st.sampled_from([tokenizer for tokenizer in TOKENIZERS if tokenizer != BERT]))
def test_tokens_hold_neither_white_space_nor_controls(text, tokenizer):
    for word in tokenizer.words(text):
        assert word
        assert not any(in_table(character, CLASSES["S"]) or in_table(character, IGNORABLES) for character in word)


@pytest.mark.parametrize("piece", ["a'", "1a", "1.", "好，", "e\u0316\u0301", "\u0316\u0301", "👩\u200d"])
def test_long_texts_take_linear_time(piece):
    text = "é " + piece * (200_000 // len(piece))
    start = time.process_time()
    assert Tokenizer().words(text)[0] == "é"
    assert time.process_time() - start < 20  # a fraction of a second; a quadratic rule takes many minutes


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_settings_round_trip(tokenizer):
    settings = json.loads(json.dumps(tokenizer.to_dict()))
    assert Tokenizer.from_dict(settings) == tokenizer
    added = {"line_breaks": tokenizer.line_breaks, "split_apostrophes": tokenizer.split_apostrophes}
    assert list(settings) == ["kind", "lowercase", "normalization", *(name for name, is_set in added.items() if is_set)]


def test_apostrophes_are_tokens_if_so_set():
    tokenizer = Tokenizer(lowercase=False, split_apostrophes=True)
    text = "Ada Mill’s book, l'Isère, Oslo'da, O'Brien, '90s, 3.5' a\u0301'b"
    assert " ".join(tokenizer.words(text)) == (
        "Ada Mill ' s book , l ' Isère , Oslo ' da , O ' Brien , ' 90s , 3.5 ' á ' b"
    )
    found = tokenizer.tokenize(text)
    assert [(token.text, text[token.start : token.end]) for token in found[1:4]] == [
        *(("Mill", "Mill"), ("'", "’"), ("s", "s")),
    ]
    assert tokenizer.words("don't") == ["don", "'", "t"]
    assert Tokenizer().words("don't") == ["don't"]
    for kind in ("char", "bert"):
        with pytest.raises(InputError, match="for `word` only"):
            Tokenizer(kind, True, "none", split_apostrophes=True)


def test_line_breaks_of_html_are_white_space_if_so_set():
    tokenizer = Tokenizer(line_breaks=True)
    text = "Très<br />bon<BR>.<br\t/>é<br x>" + "<br />" * 9000 + "fin"
    assert tokenizer.words(text) == ["très", "bon", ".", "é", "<", "br", "x", ">", "fin"]
    found = tokenizer.tokenize(text)
    assert [token.text for token in found] == tokenizer.words(text)
    assert [text[token.start : token.end] for token in found][-2:] == [">", "fin"]
    assert [token for part in tokenizer.blocks(text) for token in part] == found
    assert Tokenizer().words("a<br>b") == ["a", "<", "br", ">", "b"]
    assert tokenizer.words(text) == Tokenizer().words(clean_text(text))
    with pytest.raises(InputError, match="line_breaks=False"):
        Tokenizer("bert", True, "none", line_breaks=True)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "wörter", "lowercase": True, "normalization": "nfkc"}, "kind='wörter'"),
        ({"kind": "word", "lowercase": 1, "normalization": "nfkc"}, "lowercase=1"),
        ({"kind": "word", "lowercase": True, "normalization": ["nfkc"]}, r"normalization=\['nfkc'\]"),
        ({"kind": "bert", "lowercase": False, "normalization": "none"}, "`bert` must have lowercase=True"),
        ({"kind": "bert", "lowercase": True, "normalization": "nfkc"}, "normalization='nfkc'"),
        ({"kind": "word", "lowercase": True}, "kind, lowercase, normalization"),
        ({"kind": "word", "lowercase": True, "normalization": "nfkc", "größe": 3}, "größe"),
        (["word"], "kind, lowercase, normalization"),
    ],
)
def test_wrong_settings_are_named(settings, named):
    with pytest.raises(InputError, match=named) as caught:
        Tokenizer.from_dict(settings)
    assert "\n" not in str(caught.value)


def test_import_is_light():
    code = "import sys, textapp.text.tokenizer, textapp.text.vocabulary; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "tensorflow", "unicodedata2", "regex"} & set(loaded)


@given(st.text(alphabet=LIVELY, max_size=120), st.integers(1, 40), st.sampled_from(TOKENIZERS))
@example("é" + "\u0301" * 80 + "3½½\uff9e" * 9, 8, TOKENIZERS[0])
@example("don't " * 9 + "a" * 50 + " 3.5", 8, Tokenizer())
def test_the_parts_of_a_long_text_have_its_tokens(text, size, tokenizer):
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("textapp.text.tokenizer._PART", size)
        assert [token for block in tokenizer.blocks(text) for token in block] == tokenizer.tokenize(text)


def test_a_long_text_has_several_parts(monkeypatch):
    monkeypatch.setattr("textapp.text.tokenizer._PART", 20)
    assert max(map(len, Tokenizer().blocks("㍿½ﷺ " * 100))) < 100
