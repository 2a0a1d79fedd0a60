"""Held-out sentences, and the pieces of long ones."""

import random

import pytest

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.data.tagged_splits import count_shared, cut_sentences, split_tagged
from textapp.errors import InputError
from textapp.text.tag_schemes import Span, find_breaks, read_spans, write_tags


def corpus(sentences, tags=None, scheme="IOB2") -> TaggedExamples:
    tags = tags or [["O"] * len(sentence) for sentence in sentences]
    return TaggedExamples([list(sentence) for sentence in sentences], tags, "Korpus", scheme)


def test_copies_of_a_sentence_stay_together_and_nothing_is_lost():
    rng = random.Random(0)
    sentences = [rng.choice("甲乙丙丁戊己庚辛äöüß") + rng.choice("一二三") for _ in range(100)]
    examples = corpus(sentences)
    train, held_out = split_tagged(examples, 0.2, seed=1)
    sides = [{"".join(tokens) for tokens in side.sentences} for side in (train, held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == round(0.2 * len(set(sentences)))
    assert sorted(["".join(tokens) for side in (train, held_out) for tokens in side.sentences]) == sorted(sentences)
    again = split_tagged(examples, 0.2, seed=1)
    assert again == (train, held_out)
    assert split_tagged(examples, 0.2, seed=2)[1] != held_out


def test_both_sides_have_a_sentence():
    for fraction in (0.001, 0.999):
        assert all(len(side) for side in split_tagged(corpus(["北", "京"]), fraction, seed=0))
    with pytest.raises(InputError, match=r"^Korpus: too few different sentences \(1\)"):
        split_tagged(corpus(["北", "北"]), 0.5, seed=0)


def test_shared_sentences_are_counted():
    assert count_shared(corpus(["北京", "上海"]), corpus(["北京", "北京", "京", "海上"])) == 2


def test_pieces_by_hand():
    tags = ["B-a", "I-a", "O", "B-b", "I-b", "I-b", "B-c"]
    pieces, names = cut_sentences(corpus(["0123456", "01"], [tags, ["O", "B-a"]]), 5)
    assert list(map("".join, pieces)) == ["012", "3456", "01"]
    assert names == [tags[:3], tags[3:], ["O", "B-a"]]
    pieces, names = cut_sentences(corpus(["0123456"], [tags]), 2)  # the second span is longer than that
    assert list(map("".join, pieces)) == ["01", "2", "34", "56"]
    assert names == [["B-a", "I-a"], ["O"], ["B-b", "I-b"], ["B-b", "B-c"]]


def test_spans_survive_the_cut_where_they_can():
    rng = random.Random(3)
    for _ in range(50):
        spans, end = [], 0
        while end < 60:
            start = end + rng.choice((0, 1, 5))
            end = start + rng.randint(1, 6)
            spans.append(Span(start, end, rng.choice("ÄБ")))
        tags = write_tags(spans, 80, "IOB2")
        pieces, names = cut_sentences(corpus([range(80)], [tags]), 10)
        assert [token for piece in pieces for token in piece] == list(range(80))
        assert max(map(len, pieces)) <= 10
        assert not any(find_breaks(part, "IOB2") for part in names)
        found = [
            Span(piece[span.start], piece[span.end - 1] + 1, span.type)
            for piece, part in zip(pieces, names, strict=True)
            for span in read_spans(part, "IOB2")
        ]
        assert found == spans


def test_tags_that_stand_for_themselves_are_cut_anywhere():
    pieces, names = cut_sentences(corpus(["好的吗"], [["I-1", "I-2", "I-3"]], PLAIN), 2)
    assert list(map("".join, pieces)) == ["好的", "吗"]
    assert names == [["I-1", "I-2"], ["I-3"]]
