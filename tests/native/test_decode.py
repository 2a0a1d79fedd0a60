"""Decoding in C against textapp.runtime.decoding and textapp.text.tag_set, on random scores and logits."""

import ctypes

import numpy as np
import pytest

from textapp.runtime.decoding import FORBIDDEN, TagDecoder
from textapp.runtime.tagging import Tagger
from textapp.text.tag_schemes import SCHEMES, read_spans
from textapp.text.tag_set import TagSet

NAMES = (None, "IOB2", "IOB1", "IOBES", "BILOU", "BMES")  # by the numbers of `ta_scheme`
LETTERS = {"IOB2": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}


class Span(ctypes.Structure):
    _fields_ = (("start", ctypes.c_uint32), ("end", ctypes.c_uint32), ("confidence", ctypes.c_double))


class Decoding(ctypes.Structure):
    _fields_ = (
        ("scores", ctypes.c_void_p),
        ("back", ctypes.c_void_p),
        ("ids", ctypes.POINTER(ctypes.c_int32)),
        ("spans", ctypes.POINTER(Span)),
    )


class Tags(ctypes.Structure):
    _fields_ = (
        ("scheme", ctypes.c_int),
        ("count", ctypes.c_uint32),
        ("names", ctypes.c_void_p),
        ("types", ctypes.c_void_p),
        ("out_count", ctypes.c_uint32),
        ("out_names", ctypes.POINTER(ctypes.c_char_p)),
        ("others", ctypes.c_void_p * 10),
    )


class Options(ctypes.Structure):
    _fields_ = (
        ("allocate", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
        ("user", ctypes.c_void_p),
        ("features", ctypes.c_uint32),
        ("most_memory", ctypes.c_size_t),
    )


class Arena(ctypes.Structure):
    _fields_ = (
        ("options", ctypes.POINTER(Options)),
        ("used", ctypes.c_size_t),
        ("limit", ctypes.c_size_t),
        ("block", ctypes.c_void_p),
        ("left", ctypes.c_size_t),
    )


class Block(ctypes.Structure):
    _fields_ = (("memory", ctypes.c_void_p), ("used", ctypes.c_size_t))


class Decoder:
    """The tags of a model in C, with a CRF or without."""

    def __init__(self, library, tags, scheme, scores=None):
        self.library, self.tags, self.kept = library, Tags(), []
        self.options = Options(type(Options().allocate)(self._allocate), None, 0, 0)
        arena = Arena()
        library.ta_arena_init(ctypes.byref(arena), ctypes.byref(self.options))
        self.names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
        arrays = [None] * 3 if scores is None else [np.ascontiguousarray(one, np.float64).ctypes for one in scores]
        self.message = ctypes.create_string_buffer(512)
        self.status = library.ta_tags_load(
            ctypes.byref(self.tags), ctypes.byref(arena), NAMES.index(scheme), self.names, ctypes.c_size_t(len(tags)),
            *(None if one is None else one.data_as(ctypes.c_void_p) for one in arrays), self.message,
        )  # fmt: skip

    def _allocate(self, user, size):
        self.kept.append(ctypes.create_string_buffer(size + 64))
        return -(-ctypes.addressof(self.kept[-1]) // 64) * 64

    def decode(self, logits):
        """The model's tags, the tags of predictions, their confidences, and spans with theirs."""
        library, count = self.library, ctypes.c_size_t(len(logits))
        block, work, tags = Block(), Decoding(), ctypes.byref(self.tags)
        library.ta_decoding_take(ctypes.byref(work), ctypes.byref(block), tags, count)
        memory = self._allocate(None, block.used)
        block = Block(memory, 0)
        library.ta_decoding_take(ctypes.byref(work), ctypes.byref(block), tags, count)
        rows = np.ascontiguousarray(logits, np.float32).ctypes.data_as(ctypes.c_void_p)
        library.ta_viterbi(tags, ctypes.byref(work), rows, count)
        ids = list(work.ids[: len(logits)])
        library.ta_read_spans.restype = ctypes.c_size_t
        found = library.ta_read_spans(tags, ctypes.byref(work), count)
        chances = (ctypes.c_double * max(1, len(logits)))()
        library.ta_tag_confidences(tags, ctypes.byref(work), rows, count, chances)
        library.ta_span_confidences(tags, ctypes.byref(work), rows, count, work.spans, ctypes.c_size_t(found))
        numbers = (ctypes.c_int32 * max(1, len(logits)))()
        library.ta_write_tags(tags, ctypes.byref(work), count, ctypes.c_size_t(found), numbers)
        names = [self.tags.out_names[number].decode() for number in numbers[: len(logits)]]
        spans = [(span.start, span.end, span.confidence) for span in work.spans[:found]]
        return ids, names, list(chances[: len(logits)]), spans


def random_scores(rng, tag_set):
    """Scores as a CRF learns them, with those of forbidden tags."""
    count, allowed = len(tag_set), tag_set.allowed()
    matrix, start, end = rng.normal(size=(count, count)), rng.normal(size=count), rng.normal(size=count)
    if allowed is not None:
        matrix[~np.array(allowed.matrix)] = FORBIDDEN
        start[~np.array(allowed.start)] = FORBIDDEN
        end[~np.array(allowed.end)] = FORBIDDEN
    return matrix, start, end


def random_tags(rng, scheme):
    """A set of tags; some types lack some letters."""
    if scheme is None:
        return TagSet(tuple("ABCDEFG"[: rng.integers(2, 8)]), None)
    types = ["", "-PER", "-地名", "-a-b"][rng.integers(2) :: rng.integers(1, 3)]
    tags = [f"{letter}{one}" for one in types for letter in LETTERS[scheme] if letter in "BSU" or rng.random() < 0.8]
    return TagSet(("O", *tags), scheme)


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
@pytest.mark.parametrize("with_crf", [False, True])
def test_decoding_is_that_of_python(internals, scheme, with_crf):
    rng = np.random.default_rng(7)
    for size in (1.0, 8.0, 120.0):
        for length in (0, 1, 2, 5, 40):
            tag_set = random_tags(rng, scheme)
            scores = random_scores(rng, tag_set) if with_crf else None
            logits = rng.normal(size=(length, len(tag_set)), scale=size).astype(np.float32)
            decoder = TagDecoder(*scores) if with_crf else None
            c_decoder = Decoder(internals, tag_set.tags, scheme, scores)
            assert c_decoder.status == 0, c_decoder.message.value
            ids, names, chances, spans = c_decoder.decode(logits)
            tagger = Tagger(None, None, tag_set, 1, None, decoder)
            assert ids == tagger._best([logits])
            assert names == tag_set.decode(ids)
            python = decoder or TagDecoder.of_single_tags(len(tag_set))
            assert np.allclose(chances, python.marginals(logits)[range(length), ids], rtol=0, atol=1e-9)
            if scheme is not None:
                wanted = read_spans(names, "IOB2")
                fixed = [tagger._tags_of(ids, span) for span in wanted]
                assert [(span.start, span.end) for span in wanted] == [span[:2] for span in spans]
                expected = python.span_probabilities(logits, fixed)
                assert np.allclose([span[2] for span in spans], expected, rtol=0, atol=1e-9)


def test_scores_of_any_size(internals):
    """Sums of their powers overflow and underflow in double."""
    rng, tag_set = np.random.default_rng(3), TagSet(("O", "B-A", "I-A", "B-B"), "IOB2")
    for size in (1e3, 9e3, 1e9):
        matrix, start, end = random_scores(rng, tag_set)
        scores = [np.where(one == FORBIDDEN, one, np.clip(size * one, -9e3, size)) for one in (matrix, start, end)]
        logits = rng.normal(size=(30, 4), scale=500).astype(np.float32)
        ids, _, chances, spans = Decoder(internals, tag_set.tags, "IOB2", scores).decode(logits)
        decoder = TagDecoder(*scores)
        tagger = Tagger(None, None, tag_set, 1, None, decoder)
        assert ids == tagger._best([logits])
        assert np.allclose(chances, decoder.marginals(logits)[range(30), ids], rtol=0, atol=1e-9)
        fixed = [tagger._tags_of(ids, span) for span in read_spans(tag_set.decode(ids), "IOB2")]
        expected = decoder.span_probabilities(logits, fixed)
        assert np.allclose([span[2] for span in spans], expected, rtol=0, atol=1e-9)


def test_ties_go_to_the_first_tag(internals):
    tag_set = TagSet(("O", "B", "I"), "IOB2")
    scores = random_scores(np.random.default_rng(0), tag_set)
    scores = [np.where(one == FORBIDDEN, one, 0) for one in scores]
    logits = np.zeros((6, 3), np.float32)
    assert Decoder(internals, tag_set.tags, "IOB2", scores).decode(logits)[0] == TagDecoder(*scores).viterbi(logits)
    assert Decoder(internals, tag_set.tags, "IOB2").decode(logits)[0] == [0] * 6


def test_tags_and_scores_that_break_a_rule_are_refused(internals):
    def refused(tags, scheme, scores=None):
        decoder = Decoder(internals, tags, scheme, scores)
        assert decoder.status == 2
        return decoder.message.value.decode()

    assert refused(("O", "S-A"), "IOB2") == "tags.txt:2: 'S-A' is no tag of IOB2, which bundle.json names"
    assert "is no tag" in refused(("O", "B-"), "IOB2")
    assert "must be O" in refused(("B-A", "O"), "IOB2")
    never = np.full(2, FORBIDDEN)
    assert "may start a sequence" in refused(("O", "B-A"), "IOB2", (np.zeros((2, 2)), never, np.zeros(2)))


def test_tags_of_pieces_are_repaired_as_in_python(internals):
    rng, tag_set = np.random.default_rng(1), TagSet(("O", "B-A", "E-A", "B-B", "I-B", "E-B"), "IOBES")
    decoder = Decoder(internals, tag_set.tags, "IOBES")
    numbers = {decoder.tags.out_names[number].decode(): number for number in range(decoder.tags.out_count)}
    for _ in range(50):
        names = [str(name) for name in rng.choice(sorted(numbers), 12)]
        row = (ctypes.c_int32 * 12)(*(numbers[name] for name in names))
        internals.ta_repair_iob2(ctypes.byref(decoder.tags), row, ctypes.c_size_t(12))
        repaired = [decoder.tags.out_names[number].decode() for number in row]
        assert repaired == tag_set.of_tokens(names, range(12))
