"""The core's words, spellings, shapes, n-grams, vocabularies and windows against textapp/text, and its tables."""

import ctypes
import importlib.util
import itertools
import random
import string
from pathlib import Path

import pytest

from textapp.errors import InputError
from textapp.runtime.windows import SENTENCE_ENDS, Window, windows
from textapp.text.ngrams import NgramHash
from textapp.text.normalization import FORMS
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import word_shape

from .core_text import Arena, NgramHashSettings, Ngrams, Options, VocabularyTable, WordFormSettings, contents, cut

NATIVE = Path(__file__).parents[2] / "native"
BUNDLE_ERROR = 2


@pytest.fixture(scope="module")
def scratch(internals):
    internals.ta_scratch_size.restype = ctypes.c_size_t
    return ctypes.create_string_buffer(internals.ta_scratch_size() + 64)


def word(internals, scratch, form, token, room):
    internals.ta_word.restype = ctypes.c_size_t
    settings = WordFormSettings(form.lowercase, form.zero_digits, FORMS.index(form.normalization))
    out, was_cut = ctypes.create_string_buffer(room + 1), ctypes.c_int(7)
    length, place = ctypes.c_size_t(len(token)), ctypes.byref(was_cut)
    size = internals.ta_word(ctypes.byref(settings), token, length, out, ctypes.c_size_t(room), place, scratch)
    assert out.raw[size] == 0
    return out.raw[:size], was_cut.value


def spelling(internals, scratch, form, token, room):
    internals.ta_spelling.restype = ctypes.c_size_t
    out, was_cut = ctypes.create_string_buffer(room + 1), ctypes.c_int(7)
    length, place = ctypes.c_size_t(len(token)), ctypes.byref(was_cut)
    size = internals.ta_spelling(FORMS.index(form), token, length, out, ctypes.c_size_t(room), place, scratch)
    return out.raw[:size], was_cut.value


@pytest.mark.parametrize("normalization", FORMS)
def test_words_and_spellings(internals, scratch, normalization):
    for lowercase, zero_digits in itertools.product((True, False), repeat=2):
        form = WordForm(lowercase, zero_digits, normalization)
        for token in contents(700, seed=11):
            text = token.decode("utf-8", "replace")
            right = form.word(text)
            assert word(internals, scratch, form, token, 4096) == (right.encode(), 0), token
            assert spelling(internals, scratch, normalization, token, 4096) == (form.spelling(text).encode(), 0)
            room = len(right.encode()) // 2
            kept = right.encode()[:room].decode(errors="ignore").encode()
            assert word(internals, scratch, form, token, room) == (kept, int(len(right.encode()) > room)), token


@pytest.mark.parametrize("normalization", FORMS)
def test_shapes(internals, scratch, normalization):
    form = WordForm(normalization=normalization)
    for token in contents(1_500, seed=12):
        right = form.spelling(token.decode("utf-8", "replace"))
        content = right.encode()
        size = ctypes.c_size_t
        assert internals.ta_word_shape(content, size(len(content))) == word_shape(right)
        of_token = internals.ta_token_shape(FORMS.index(normalization), token, size(len(token)), scratch)
        assert of_token == word_shape(right), token


class CoreVocabulary:
    """A vocabulary in the core, with its memory."""

    def __init__(self, internals, content, limit=1 << 30):
        self._memory, self._content = [], content
        self.message = ctypes.create_string_buffer(512)

        def allocate(user, size):
            self._memory.append(ctypes.create_string_buffer(size))
            return ctypes.addressof(self._memory[-1])

        options = Options(Options.ALLOCATE(allocate), None, 0, limit)
        arena, self._table, self._library = Arena(), VocabularyTable(), internals
        internals.ta_arena_init(ctypes.byref(arena), ctypes.byref(options))
        size = ctypes.c_size_t(len(content))
        table, place = ctypes.byref(self._table), ctypes.byref(arena)
        self.status = internals.ta_vocabulary_load(table, place, b"words.txt", content, size, self.message)

    def __call__(self, word):
        return self._library.ta_id(ctypes.byref(self._table), word, ctypes.c_size_t(len(word)))

    def characters(self, spelling, most):
        out = (ctypes.c_int32 * (most + 1))(*([-7] * (most + 1)))
        table, size = ctypes.byref(self._table), ctypes.c_size_t
        self._library.ta_character_ids(table, spelling, size(len(spelling)), size(most), out)
        assert out[most] == -7
        return list(out)[:most]


def test_ids_are_those_of_python(internals):
    seeded = random.Random(7)
    tokens = {
        token for content in contents(800, seed=13) for token in Tokenizer().words(content.decode("utf-8", "replace"))
    }
    words = sorted(
        tokens | {"".join(seeded.choices(string.ascii_lowercase, k=seeded.randint(1, 6))) for _ in range(5000)}
    )
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *seeded.sample(words, len(words) // 2)])
    for end in ("", "\n"):
        core = CoreVocabulary(internals, ("\n".join(vocabulary.tokens) + end).encode())
        assert core.status == 0, core.message.value
        assert [core(one.encode()) for one in words] == vocabulary.encode(words)
        others = ["", "[PAD]", "[UNK]", "x" * 100_000, "\n", "a\nb"]
        assert [core(one.encode()) for one in others] == [1] * len(others)


def test_ids_of_characters(internals):
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *"abcdeéABC👍好1a\u0301".replace("a\u0301", "\u0301")])
    core = CoreVocabulary(internals, "\n".join(vocabulary.tokens).encode())
    for spelled, most in itertools.product(("", "abé👍", "好x1", "aa\u0301" * 40), (1, 3, 16)):
        ids = vocabulary.encode(spelled[:most])
        assert core.characters(spelled.encode(), most) == ids + [0] * (most - len(ids))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"[PAD]",
        b"[PAD]\n",
        b"[PAD]\n\n",
        b"[UNK]\n[PAD]\n",
        b"[PAD]\n[UNK]\n\na",
        b"[PAD]\n[UNK]\na\n\n",
        b"[PAD]\r\n[UNK]\r\n",
        b"[PAD]\n[UNK]\na\rb\n",
        b"[PAD]\n[UNK]\na\nb\na\n",
        b"[PAD]\n[UNK]\n[PAD]\n",
        b"[PAD]\n[UNK]\na\xff\n",
        b"[PAD]\n[UNK]\nab\xed\xa0\x80\n",
        b"[PAD]\n[UNK]\n\xe2\x82",
        b"\xef\xbb\xbf[PAD]\n[UNK]\n",
    ],
)
def test_a_vocabulary_that_breaks_a_rule_is_refused(internals, content):
    with pytest.raises(InputError) as error:
        Vocabulary.parse(content, "words.txt")
    core = CoreVocabulary(internals, content)
    said = core.message.value.decode()
    assert core.status == BUNDLE_ERROR
    assert said.split(". Received")[0] == str(error.value).split(". Received")[0]


def test_vocabularies_at_the_edges(internals):
    assert CoreVocabulary(internals, b"[PAD]\n[UNK]").status == 0
    replacement = "[PAD]\n[UNK]\n\ufffd\n\u2028\n\x85\n".encode()
    core = CoreVocabulary(internals, replacement)
    assert core.status == 0
    assert [core(one.encode()) for one in ("\ufffd", "\u2028", "\x85")] == [2, 3, 4]
    no_memory = CoreVocabulary(internals, b"[PAD]\n[UNK]", limit=100)
    assert no_memory.status == 1


@pytest.mark.parametrize(
    "hashed",
    [
        NgramHash(2, 1024, 3, 256),
        NgramHash(1, 64),
        NgramHash(3, 1 << 20, 6, 1 << 18),
        NgramHash(8, 2, 1, 2),
        NgramHash(2, 1, 8, 1),
    ],
    ids=str,
)
def test_rows_of_ngrams(internals, hashed):
    settings = NgramHashSettings(hashed.order, hashed.rows, hashed.characters, hashed.character_rows)
    core = Ngrams()
    memory = cut(internals.ta_ngrams_take, core, ctypes.byref(settings), 300)
    for content in contents(300, seed=14):
        words = [*Tokenizer().words(content.decode("utf-8", "replace")), "x" * 40, "é" * 33, ""]
        internals.ta_ngrams_start(ctypes.byref(core))
        for one in words:
            encoded = one.encode()
            place = ctypes.byref(core)
            internals.ta_ngrams_add(place, ctypes.byref(settings), encoded, ctypes.c_size_t(len(encoded)))
        right = hashed(words)
        assert sorted(core.words[: core.word_count]) == sorted(right.words), words
        assert sorted(core.characters[: core.character_count]) == sorted(right.characters), words
    assert memory


class CoreWindow(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in Window._fields)


class WindowState(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in ("step", "start", "first"))


def test_windows(internals):
    seeded = random.Random(7)
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
    for _ in range(800):
        size, count = seeded.randint(1, 70), seeded.randint(0, 300)
        tokens = seeded.choices("ab.", [6, 6, seeded.choice((0, 1, 5))], k=count)
        ends = callback(lambda _, token, tokens=tokens: tokens[token] in SENTENCE_ENDS)
        state, out, found = WindowState(), CoreWindow(), []
        arguments = ctypes.c_size_t(count), ctypes.c_size_t(size), ends, None, ctypes.byref(out)
        while internals.ta_next_window(ctypes.byref(state), *arguments):
            found.append(Window(out.start, out.end, out.first, out.stop))
        assert found == list(windows(tokens, size))
        assert not internals.ta_next_window(ctypes.byref(state), *arguments)


def test_sentence_ends(internals):
    for token in [*SENTENCE_ENDS, "", "a", "..", "....", ".a", "。。", "\ufffd"]:
        content = token.encode()
        found = internals.ta_is_sentence_end(content, ctypes.c_size_t(len(content)))
        assert bool(found) is (token in SENTENCE_ENDS), token


def test_the_tables_are_what_the_script_writes():
    spec = importlib.util.spec_from_file_location("tables", NATIVE / "tools" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for name, content in tables.c_files().items():
        assert (NATIVE / "src" / name).read_text(encoding="ascii") == content, "run native/tools/tables.py"
