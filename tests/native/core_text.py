"""The core's text functions in Python, and strings of all kinds to compare them with textapp/text."""

import codecs
import ctypes
import itertools
import random
from collections.abc import Iterator

from textapp.text import bert
from textapp.text.characters import CLASSES, parse_lower, parse_ranges
from textapp.text.normalization import BASES, CHANGING, COMPOSING, FORMS, QUOTES

_KINDS = ("word", "char", "bert")


class TokenizerSettings(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("lowercase", ctypes.c_int), ("form", ctypes.c_int))


class WordFormSettings(ctypes.Structure):
    _fields_ = (("lowercase", ctypes.c_int), ("zero_digits", ctypes.c_int), ("form", ctypes.c_int))


class CoreToken(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("first", "behind", "start", "end"))


class CoreTokens(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.POINTER(ctypes.c_char)),
        ("text_size", ctypes.c_size_t),
        ("text_room", ctypes.c_size_t),
        ("tokens", ctypes.POINTER(CoreToken)),
        ("count", ctypes.c_size_t),
        ("room", ctypes.c_size_t),
        ("more", ctypes.c_int),
        ("scratch", ctypes.c_void_p),
    )


class Block(ctypes.Structure):
    _fields_ = (("memory", ctypes.c_void_p), ("used", ctypes.c_size_t))


class Places(ctypes.Structure):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("length", ctypes.c_size_t),
        ("at", ctypes.c_size_t),
        ("unit", ctypes.c_size_t),
        ("utf16", ctypes.c_int),
        ("before_at", ctypes.c_size_t),
        ("before_unit", ctypes.c_size_t),
    )


class NgramHashSettings(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("order", "rows", "characters", "character_rows"))


class Ngrams(ctypes.Structure):
    _fields_ = (
        ("started", ctypes.c_uint32 * 8),
        ("started_count", ctypes.c_uint32),
        ("seen_words", ctypes.POINTER(ctypes.c_uint32)),
        ("seen_characters", ctypes.POINTER(ctypes.c_uint32)),
        ("words", ctypes.POINTER(ctypes.c_uint32)),
        ("characters", ctypes.POINTER(ctypes.c_uint32)),
        ("word_count", ctypes.c_size_t),
        ("character_count", ctypes.c_size_t),
        ("word_room", ctypes.c_size_t),
        ("character_room", ctypes.c_size_t),
    )


class VocabularyTable(ctypes.Structure):
    _fields_ = (
        ("lines", ctypes.c_void_p),
        ("count", ctypes.c_uint32),
        ("starts", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("mask", ctypes.c_uint32),
        ("longest", ctypes.c_size_t),
    )


class Options(ctypes.Structure):
    ALLOCATE = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    _fields_ = (
        ("allocate", ALLOCATE),
        ("user", ctypes.c_void_p),
        ("features", ctypes.c_uint32),
        ("most_memory", ctypes.c_size_t),
    )


class Arena(ctypes.Structure):
    _fields_ = (
        ("options", ctypes.c_void_p),
        ("used", ctypes.c_size_t),
        ("limit", ctypes.c_size_t),
        ("block", ctypes.c_void_p),
        ("left", ctypes.c_size_t),
    )


def cut(take, record, *arguments):
    """Counts the memory of a structure, gives it, and cuts it. Returns the memory, which must be kept."""
    counted = Block()
    take(ctypes.byref(record), ctypes.byref(counted), *arguments)
    memory = ctypes.create_string_buffer(counted.used + 64)
    start = ctypes.addressof(memory)
    given = Block(start + -start % 64)
    take(ctypes.byref(record), ctypes.byref(given), *arguments)
    assert given.used == counted.used
    return memory


class CoreTokenizer:
    """Tokenizes with the core, as `Tokenizer.tokenize` does, but offsets are bytes."""

    def __init__(self, library, kind="word", lowercase=True, normalization="nfkc", longest=1 << 16, most=1 << 16):
        self._library = library
        self._settings = TokenizerSettings(_KINDS.index(kind), lowercase, FORMS.index(normalization))
        self._tokens = CoreTokens()
        library.ta_tokens_take.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
        library.ta_tokens_take.restype = None
        self._memory = cut(library.ta_tokens_take, self._tokens, longest, most)
        self._most = most
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        library.ta_tokenize.argtypes = [pointer, ctypes.c_char_p, size, size, pointer]

    def __call__(self, text: bytes, most=None):
        status, tokens = self.status(text, most), self._tokens
        assert status == 0, status
        content = ctypes.string_at(tokens.text, tokens.text_size)
        found = tokens.tokens[: tokens.count]
        return [(content[one.first : one.behind].decode(), one.start, one.end) for one in found]

    def status(self, text: bytes, most=None):
        settings, out = ctypes.byref(self._settings), ctypes.byref(self._tokens)
        return self._library.ta_tokenize(settings, text, len(text), self._most if most is None else most, out)

    @property
    def more(self) -> bool:
        return bool(self._tokens.more)


def decoded(content: bytes) -> tuple[str, list[int]]:
    """A text that replaces what is no UTF-8, and the place in bytes of each code point and of the end."""
    wrong: dict[int, int] = {}

    def replace(error):
        wrong[error.start] = error.end
        return "\ufffd", error.end

    codecs.register_error("native-places", replace)
    text = content.decode("utf-8", "native-places")
    if not wrong:
        return text, list(itertools.accumulate((len(character.encode()) for character in text), initial=0))
    places = [0]
    for character in text:
        start = places[-1]
        places.append(wrong[start] if start in wrong else start + len(character.encode()))
    return text, places


def _pool(table):
    return [point for first, last in parse_ranges(table) for point in range(first, last + 1)]


_POOLS = {name: _pool(table) for name, table in {**CLASSES, "c": CHANGING, "b": BASES, "j": COMPOSING}.items()}
_POOLS |= {
    "q": _pool(QUOTES),
    "BERT's": _pool(bert.SYMBOLS),
    "capitals": [point for points, _ in parse_lower() for point in points],
    "emoji": [*range(0x1F300, 0x1F650), 0x2764, *range(0x1F1E6, 0x1F200)],
    "jamo": [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C4), *range(0xAC00, 0xAC40)],
    "ascii": list(range(0x80)),
    "chinese": list(range(0x4E00, 0x9FA6)),
    "kana": [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x3099, 0x309A, 0x309B, *range(0xFF66, 0xFFA0)],
}
_NAMES = list(_POOLS)
_WORDS = """
    don't Don’t 3.5 1,000 mp3 80s e-mail U.S. http://a.b/c?d=1 #tag @you :-) naïve café Cafe\u0301 İstanbul ΣΊΣΥΦΟΣ
    straße ﬁne ½ ㍿ Ａ１ 好吃 ありがとう ｶﾞｷﾞ 안녕하세요 สวัสดี नमस्ते مرحبا ﷺ 👍🏽 👨\u200d👩\u200d👧 🇩🇪 №5 x² H₂O 10⁻³ ... —
    “quoted” ‘single’ \xad soft\xadhyphen zero\u200bwidth joi\u200dner \ufeffbom a''b a'b'c 1.2.3,4 1. .5 a1.5b ’tis
    Don't.1
"""
_FIXED = ["", " ", "\0", "a", "'", "''a''", "\u0301", "e\u0301" * 3, "\u1100\u1161\u11a8", "\U0001d15e", "A" * 300]
_FIXED += [
    "e" + "\u0301" * 100,
    "ﷺ" * 40,
    "½" * 30,
    "\r\n\t",
    "ǅ ẞ \u2126 \u212a \u212b",
    "e\u00ad\u0301\u200d",
    "[PAD]",
    *("a" * 100, "a" * 101, "é" * 50, "é" * 50 + "a,b", "て" * 33 + "A", "て" * 34),
]


def contents(count: int, seed: int = 7) -> Iterator[bytes]:
    """Ordinary and hostile texts in UTF-8, and some that are no UTF-8."""
    seeded = random.Random(seed)
    yield from (text.encode() for text in _FIXED)
    for _ in range(count - len(_FIXED)):
        content = "".join(map(chr, _points(seeded))).encode("utf-8", "surrogatepass")
        if seeded.random() < 0.05 and content:
            at = seeded.randrange(len(content))
            content = seeded.choice((content[:at], content[:at] + seeded.randbytes(2) + content[at:]))
        yield content


def _points(seeded: random.Random) -> list[int]:
    kind = seeded.random()
    if kind < 0.35:
        return list(map(ord, " ".join(seeded.choices(_WORDS.split(), k=seeded.randint(0, 12)))))
    if kind < 0.75:  # few kinds of characters together
        chosen = seeded.choices(_NAMES, k=seeded.randint(1, 4))
        return [seeded.choice(_POOLS[seeded.choice(chosen)]) for _ in range(seeded.randint(0, 24))]
    if kind < 0.9:  # a base and many marks
        points: list[int] = []
        for _ in range(seeded.randint(1, 3)):
            points.append(seeded.choice(_POOLS[seeded.choice(["b", "c", "L", "jamo", "kana"])]))
            points += seeded.choices(_POOLS[seeded.choice("Mj")], k=seeded.choice([1, 2, 3, 31, 32, 33, 40]))
        return points
    return [seeded.randrange(0x110000) for _ in range(seeded.randint(0, 16))]
