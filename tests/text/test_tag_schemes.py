"""Spans and tags of all schemes: by hand, over all short sequences, and against the scorer of CoNLL."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.errors import InputError
from textapp.text.tag_schemes import (
    SCHEMES,
    Span,
    allowed_transitions,
    convert,
    find_breaks,
    guess_scheme,
    is_tag,
    read_spans,
    write_tags,
)

# 周杰伦 | 台北 | 台北 | 市 北京: a span of three, two of two side by side of a type, one of one of another type.
SPANS = [Span(0, 3, "人名"), Span(3, 5, "LOC"), Span(5, 7, "LOC"), Span(7, 8, "a-b"), Span(9, 10, "LOC")]
TAGS = {
    "IOB1": "I-人名 I-人名 I-人名 I-LOC I-LOC B-LOC I-LOC I-a-b O I-LOC",
    "IOB2": "B-人名 I-人名 I-人名 B-LOC I-LOC B-LOC I-LOC B-a-b O B-LOC",
    "IOBES": "B-人名 I-人名 E-人名 B-LOC E-LOC B-LOC E-LOC S-a-b O S-LOC",
    "BILOU": "B-人名 I-人名 L-人名 B-LOC L-LOC B-LOC L-LOC U-a-b O U-LOC",
    "BMES": "B-人名 M-人名 E-人名 B-LOC E-LOC B-LOC E-LOC S-a-b O S-LOC",
}
LETTERS = {"IOB1": "BI", "IOB2": "BI", "IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}


def all_tags(scheme: str) -> list[str]:
    return ["O", *(f"{letter}-{type_}" for letter in LETTERS[scheme] for type_ in ("地", "P"))]


def all_span_lists(length: int, start: int = 0) -> list[list[Span]]:
    """All ways to put spans of two types into a sequence."""
    found: list[list[Span]] = [[]]
    for first in range(start, length):
        for end in range(first + 1, length + 1):
            for type_ in ("地", "P"):
                found += [[Span(first, end, type_), *rest] for rest in all_span_lists(length, end)]
    return found


@st.composite
def span_lists(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans and the length of their sequence."""
    spans, end = [], 0
    for gap, size, type_ in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "地名", "x-y"])))
    ):
        spans.append(Span(end + gap, end + gap + size, type_))
        end += gap + size
    return spans, end + draw(st.integers(0, 2))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_worked_by_hand(scheme):
    tags = TAGS[scheme].split()
    assert read_spans(tags, scheme) == SPANS
    assert write_tags(SPANS, 10, scheme) == tags
    assert write_tags(reversed(SPANS), 10, scheme) == tags
    assert guess_scheme([["O"], tags]) == scheme
    assert find_breaks(tags, scheme) == []
    for target in SCHEMES:
        assert convert(tags, scheme, target) == TAGS[target].split()


def test_every_scheme_is_worked_by_hand():
    assert set(TAGS) == set(LETTERS) == set(SCHEMES)


def test_bioes_is_another_name_of_iobes_and_bio_of_iob2():
    tags = TAGS["IOBES"].split()
    assert read_spans(tags, "BIOES") == SPANS
    assert convert(TAGS["BMES"].split(), "BMES", "BIOES") == tags
    assert allowed_transitions(["O", "S-x"], "BIOES") == allowed_transitions(["O", "S-x"], "IOBES")
    assert is_tag("E-x", "BIOES")
    with pytest.raises(InputError, match="O cannot follow B-x in IOBES"):
        read_spans(["B-x", "O"], "BIOES")
    assert read_spans(TAGS["IOB2"].split(), "BIO") == SPANS


def test_word_segmentation_has_letters_alone():
    tags = list("BMESSBE")
    assert read_spans(tags, "BMES") == [Span(0, 3, ""), Span(3, 4, ""), Span(4, 5, ""), Span(5, 7, "")]
    assert convert(tags, "BMES", "IOB2") == list("BIIBBBI")
    assert convert(tags, "BMES", "IOB1") == list("IIIBBBI")
    assert guess_scheme([tags]) == "BMES"
    assert [str(found) for found in find_breaks(list("IOB"), "IOB1")] == ["B cannot follow O in IOB1"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_and_a_single_token(scheme):
    assert read_spans([], scheme) == []
    assert read_spans(["O"], scheme) == []
    assert write_tags([], 0, scheme) == []
    assert write_tags([], 2, scheme) == ["O", "O"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sequence_is_sound_just_if_spans_write_it(scheme):
    for length in range(5 if len(LETTERS[scheme]) == 2 else 4):
        written = {tuple(write_tags(spans, length, scheme)): spans for spans in all_span_lists(length)}
        assert len(written) == len(all_span_lists(length)), "two lists of spans are written alike"
        for tags in itertools.product(all_tags(scheme), repeat=length):
            assert (not find_breaks(tags, scheme)) == (tags in written)
            if tags in written:
                assert read_spans(tags, scheme) == read_spans(tags, scheme, repair=True) == written[tags]
            else:
                with pytest.raises(InputError, match=r"tags\[\d\]: .* cannot .* in "):
                    read_spans(tags, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_transitions_allow_just_the_sound_sequences(scheme):
    tags = all_tags(scheme)
    matrix, start, end = allowed_transitions(tags, scheme)
    assert (len(matrix), {len(row) for row in matrix}, len(start), len(end)) == (
        len(tags),
        {len(tags)},
        *[len(tags)] * 2,
    )
    for length in (1, 2, 3):
        for ids in itertools.product(range(len(tags)), repeat=length):
            allowed = start[ids[0]] and end[ids[-1]] and all(matrix[i][j] for i, j in itertools.pairwise(ids))
            assert allowed == (not find_breaks([tags[index] for index in ids], scheme))


def test_transitions_worked_by_hand():
    matrix, start, end = allowed_transitions(["B-地", "E-地", "O", "S-地"], "BMES")
    assert matrix == [
        [False, True, False, False],
        [True, False, True, True],
        [True, False, True, True],
        [True, False, True, True],
    ]
    assert start == [True, False, True, True]
    assert end == [False, True, True, True]


@given(spans=span_lists(), source=st.sampled_from(SCHEMES), target=st.sampled_from(SCHEMES))
def test_spans_survive_every_way_through_two_schemes(spans, source, target):
    spans, length = spans
    tags = write_tags(spans, length, source)
    assert len(tags) == length
    converted = convert(tags, source, target)
    assert read_spans(converted, target) == spans
    assert convert(converted, target, source) == tags


@given(data=st.data(), scheme=st.sampled_from(SCHEMES))
def test_repair_reads_as_conlleval_does(data, scheme):
    tags = data.draw(st.lists(st.sampled_from(all_tags(scheme))))
    # conlleval knows the letters B, I, E and S.
    known = [tag.translate(str.maketrans("MLU", "IES", "")) if tag[0] in "MLU" else tag for tag in tags]
    assert read_spans(tags, scheme, repair=True) == conlleval_spans(known)
    repaired = convert(tags, scheme, scheme, repair=True)
    assert find_breaks(repaired, scheme) == []
    assert (repaired == tags) == (not find_breaks(tags, scheme))


def conlleval_spans(tags: list[str]) -> list[Span]:
    """The chunks by the conditions of `conlleval.pl` (`startOfChunk`, `endOfChunk`), with S as a chunk of one."""
    spans, start = [], 0
    last, last_type = "O", ""
    for position, tag in enumerate([*tags, "O"]):
        letter, _, type_ = tag.partition("-")
        ends = (last, letter) in {*itertools.product("BI", "BSO"), *itertools.product("ES", "BIESO")}
        ends = ends or (last != "O" and last_type != type_)
        starts = letter in "BS" or (last in "ESO" and letter in "EI") or (letter != "O" and last_type != type_)
        if ends:
            spans.append(Span(start, position, last_type))
        if starts:
            start = position
        last, last_type = letter, type_
    return spans


def test_breaks_name_their_place_and_both_tags():
    breaks = find_breaks(["I-地", "B-地", "O", "E-P", "B-P"], "IOBES")
    assert [(found.position, found.before, found.after) for found in breaks] == [
        (0, None, "I-地"),
        (1, "I-地", "B-地"),
        (2, "B-地", "O"),
        (3, "O", "E-P"),
        (5, "B-P", None),
    ]
    assert [str(found) for found in breaks] == [
        "I-地 cannot start a sequence in IOBES",
        "B-地 cannot follow I-地 in IOBES",
        "O cannot follow B-地 in IOBES",
        "E-P cannot follow O in IOBES",
        "B-P cannot end a sequence in IOBES",
    ]


@pytest.mark.parametrize(
    ("tags", "scheme", "message"),
    [
        (["O", "I-地"], "IOB2", "tags[1]: I-地 cannot follow O in IOB2; correct the tags, or set repair=true"),
        (["B-地", "I-P"], "IOB2", "tags[1]: I-P cannot follow B-地 in IOB2"),
        (["B-P", "O"], "IOB1", "tags[0]: B-P cannot start a sequence in IOB1"),
        (["I-地", "B-P"], "IOB1", "tags[1]: B-P cannot follow I-地 in IOB1"),
        (["O", "M-地"], "IOBES", "tags[1]: 'M-地' is no tag of IOBES; its tags are O, B-TYPE, E-TYPE, I-TYPE, S-TYPE"),
        (["O", "NOUN"], "IOB2", "tags[1]: 'NOUN' is no tag of IOB2; its tags are O, B-TYPE, I-TYPE"),
        (["B-"], "IOB2", "tags[0]: 'B-' is no tag of IOB2"),
        (["O-P"], "IOB2", "tags[0]: 'O-P' is no tag of IOB2"),
        ([""], "IOB2", "tags[0]: '' is no tag of IOB2"),
        (["O"], "IOB", "`scheme` must be one of IOB2, IOB1, IOBES, BILOU, BMES. Received: scheme='IOB'"),
    ],
)
def test_what_cannot_be_read(tags, scheme, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_spans(tags, scheme)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(1, 1, "x")], r"a span must hold tokens from 0 to 3 \(exclusive\). Received: Span\(start=1, end=1"),
        ([Span(2, 4, "x")], "from 0 to 3"),
        ([Span(-1, 1, "x")], "from 0 to 3"),
        ([Span(1, 3, "x"), Span(0, 2, "é")], r"must not overlap. Received: Span\(start=0.*'é'\) and Span\(start=1"),
        ([Span(0, 2, "x"), Span(0, 2, "x")], "must not overlap"),
    ],
)
def test_spans_that_cannot_be_written(spans, message):
    with pytest.raises(InputError, match=message):
        write_tags(spans, 3, "IOBES")


def test_the_scheme_with_the_fewest_breaks_is_guessed():
    assert guess_scheme([]) == guess_scheme([["O", "O"]]) == "IOB2"
    assert guess_scheme([["O", "B-地"]]) == "IOB2"
    assert guess_scheme([["O", "I-地"]]) == "IOB1"
    # a single stray tag does not change the guess
    assert guess_scheme([["I-地", "I-地", "O", "I-P"], ["O", "B-P"]]) == "IOB1"
    assert guess_scheme([["B-地", "I-地", "O", "B-P"], ["O", "I-P"]]) == "IOB2"
    assert guess_scheme([["B-地", "E-地"]]) == "IOBES"
    with pytest.raises(InputError, match="no tag scheme has all of the letters L, S; known: IOB2, "):
        guess_scheme([["S-地"], ["L-地"]])
    with pytest.raises(InputError, match="'NOUN' is no tag of any scheme"):
        guess_scheme([["O"], ["NOUN"]])


def test_tags_of_spans_differ_from_plain_tags():
    assert all(is_tag(tag) for tag in ["O", "B", "B-x", "M-a-b", "I-人名", "U- "])
    assert not any(is_tag(tag) for tag in ["", "o", "X", "B-", "B_x", "O-x", "NN", "-LRB-", "BB-x"])
    assert is_tag("L-x", "BILOU")
    assert not is_tag("L-x", "IOBES")
