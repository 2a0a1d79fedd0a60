"""The tokenizer `bert` against the parts of MediaPipe's: RE2 with its two patterns, and the cut into pieces.

MediaPipe is built from tensorflow-text's `RegexSplit` and `WordpieceTokenize`, and so are the ops of this test.
"""

import itertools
import random

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from textapp.text import bert
from textapp.text.characters import parse_ranges
from textapp.text.tokenizer import Token, Tokenizer, token_pattern
from textapp.text.vocabulary import SPECIALS, Vocabulary

TOKENIZER = Tokenizer("bert", True, "none")
SYMBOLS = (
    r"[!-/]|[:-@]|[\[-`]|[{-~]|[\p{P}]|[\x{4E00}-\x{9FFF}]|[\x{3400}-\x{4DBF}]|[\x{20000}-\x{2A6DF}]|"
    r"[\x{2A700}-\x{2B73F}]|[\x{2B740}-\x{2B81F}]|[\x{2B820}-\x{2CEAF}]|[\x{F900}-\x{FAFF}]|[\x{2F800}-\x{2FA1F}]"
)
"""The symbols of mediapipe/tasks/cc/text/tokenizers/bert_tokenizer.h."""


def split(texts):
    """The tokens of each text by RE2, with offsets in code points. The op ends a text at U+0000: it must have none."""
    lowered = [text.encode().lower() for text in texts]  # of ASCII only, as `absl::AsciiStrToLower`
    tokens, starts, ends = tf_text.regex_split_with_offsets(lowered, rf"(\s+|{SYMBOLS})", f"({SYMBOLS})")
    found = []
    for text, *row in zip(texts, tokens.to_list(), starts.to_list(), ends.to_list(), strict=True):
        sizes = itertools.accumulate((len(character.encode()) for character in text), initial=0)
        places = {size: place for place, size in enumerate(sizes)}
        found.append([(token.decode(), places[start], places[end]) for token, start, end in zip(*row, strict=True)])
    return found


def texts(count, seed):
    """Random texts of letters, white space of all kinds, symbols, marks, and code points that only some rules know."""
    seeded = random.Random(seed)
    lively = "aZéÀßİ ςΣЖ\t\n\x0b\x0c\r\x1f\x7f\x85\xa0\u1680\u2003\u2028\u3000\u200b\u200d\ufeff'’.,!?-_$+<=>^`|~"
    lively += (
        "«»…。、「」！～￥好吃\u3400\U00020000\U0002a6df\U0002a6e0\U0002b740\U0002ceb0\uf900\ufa6e\U0002fa1d\U0002fa1f"
    )
    lively += "\U0002fa20かカｶ한👍🏽❤️e\u0301\u0327\ufffd"
    ranges = parse_ranges(bert.SYMBOLS)
    for _ in range(count):
        points = []
        for _ in range(seeded.randrange(24)):
            kind = seeded.random()
            if kind < 0.7:
                points.append(seeded.choice(lively))
            elif kind < 0.85:
                first, last = seeded.choice(ranges)
                points.append(
                    chr(seeded.choice([first, last, max(first - 1, 0), last + 1, seeded.randint(first, last)]))
                )
            else:
                points.append(chr(seeded.choice([seeded.randrange(1, 0xD800), seeded.randrange(0xE000, 0x110000)])))
        yield "".join(points)


def test_words_by_hand():
    """Accents, other white space and capitals beyond ASCII stay, as in MediaPipe, unlike in Google's BERT."""
    words = TOKENIZER.words("DON'T miss\t３．５ Très ÀB 好吃！x\u3000y a\x0bb <br/>")
    assert words == [
        "don",
        "'",
        "t",
        "miss",
        *"３．５",
        "très",
        "Àb",
        *"好吃！",
        "x\u3000y",
        "a\x0bb",
        *"<",
        "br",
        *"/>",
    ]


def test_offsets_by_hand():
    text = "Ça va?\n" + "x" * 101
    assert TOKENIZER.tokenize(text) == [
        Token("Ça", 0, 2),
        Token("va", 3, 5),
        Token("?", 5, 6),
        Token("[UNK]", 7, 108),
    ]
    assert TOKENIZER.words("\ud83dA \0b") == ["\ufffda", "\0b"]


def test_tokens_and_offsets_are_those_of_re2():
    generated = list(texts(4_000, seed=3))
    for text, expected in zip(generated, split(generated), strict=True):
        assert [tuple(token) for token in TOKENIZER.tokenize(text)] == expected, ascii(text)


def test_every_code_point():
    """All that may have a rule, and a sample of the rest."""
    points = [*range(1, 0xD800), *range(0xE000, 0x30000), *range(0x30000, 0x110000, 251)]
    generated = [f"a{chr(point)}b" for point in points]
    for text, expected in zip(generated, split(generated), strict=True):
        assert [tuple(token) for token in TOKENIZER.tokenize(text)] == expected, ascii(text)


@pytest.mark.parametrize("word", ["x", "é", "好", "👍", "か"])
def test_the_longest_known_word(word):
    """WordPiece by tensorflow-text finds a word of 100 bytes in the vocabulary, and none of more bytes."""
    size = len(word.encode())
    words = list(
        dict.fromkeys([word * (100 // size), word * (100 // size + 1), "x" * (100 % size) + word * (100 // size)])
    )
    vocabulary = Vocabulary([*SPECIALS, *words])
    keys = tf.constant(vocabulary.tokens)
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.KeyValueTensorInitializer(keys, tf.range(len(vocabulary), dtype=tf.int64)), 1
    )
    pieces = tf_text.WordpieceTokenizer(table, max_bytes_per_word=100)
    for one in words:
        cut = [token for token, _, _ in split([one])[0]]
        expected = [number for found in pieces.tokenize(cut).to_list() for number in found]
        assert vocabulary.encode(TOKENIZER.words(one)) == expected


def test_the_written_pattern_is_the_rule():
    """`token_pattern` in RE2, on texts in lower case without words that are too long."""
    pattern = token_pattern("bert")
    generated = list(texts(300, seed=4))
    found = tf_text.regex_split([text.encode().lower() for text in generated], f"({pattern})", f"({pattern})")
    for text, tokens in zip(generated, found.to_list(), strict=True):
        kept = [token.decode() for token in tokens if token.strip(b"\t\n\f\r ")]
        assert kept == TOKENIZER.words(text)
