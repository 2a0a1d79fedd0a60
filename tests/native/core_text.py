"""The core's text functions in Python, and strings of all kinds to compare them with textapp/text."""

import codecs
import ctypes
import itertools
import random
from collections.abc import Iterator

from clients.conformance.strings import FIXED, random_points
from textapp.text.normalization import FORMS

_KINDS = ("word", "char", "bert")


class TokenizerSettings(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("lowercase", ctypes.c_int),
        ("form", ctypes.c_int),
        ("line_breaks", ctypes.c_int),
        ("split_apostrophes", ctypes.c_int),
    )


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

    def __init__(
        self,
        library,
        kind="word",
        lowercase=True,
        normalization="nfkc",
        line_breaks=False,
        split_apostrophes=False,
        longest=1 << 16,
        most=1 << 16,
    ):
        self._library = library
        form = FORMS.index(normalization)
        self._settings = TokenizerSettings(_KINDS.index(kind), lowercase, form, line_breaks, split_apostrophes)
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


def contents(count: int, seed: int = 7) -> Iterator[bytes]:
    """Ordinary and hostile texts in UTF-8, and some that are no UTF-8."""
    seeded = random.Random(seed)
    yield from (text.encode() for text in FIXED)
    for _ in range(count - len(FIXED)):
        content = "".join(map(chr, random_points(seeded))).encode("utf-8", "surrogatepass")
        if seeded.random() < 0.05 and content:
            at = seeded.randrange(len(content))
            content = seeded.choice((content[:at], content[:at] + seeded.randbytes(2) + content[at:]))
        yield content
