"""Tags to ids and back, by hand-worked examples."""

import itertools
import random

import pytest

from textapp.text.tag_schemes import Span, find_breaks, write_tags
from textapp.text.tag_set import TagSet

SENTENCES = [["B-人", "I-人", "I-人", "O", "B-地"], ["O", "B-人", "I-人", "B-人", "I-人"]]


def test_the_tags_that_occur_come_after_o():
    assert TagSet.build(SENTENCES, "IOBES").tags == ("O", "B-人", "E-人", "I-人", "S-地")
    assert TagSet.build(SENTENCES, "IOB2").tags == ("O", "B-人", "I-人", "B-地")
    assert TagSet.build(SENTENCES[1:], "IOBES").tags == ("O", "B-人", "E-人")
    assert TagSet.build([["B-人"]], "IOBES").tags == ("O", "S-人")  # `O` though it does not occur
    assert TagSet.build([["VERB", "NOM"], ["NOM"]], None).tags == ("NOM", "VERB")


def test_types():
    assert TagSet.build(SENTENCES, "IOBES").types == {"人", "地"}
    assert TagSet.build([["NOM"]], None).types == set()


def test_ids_by_hand():
    tags = TagSet.build(SENTENCES, "IOBES")
    assert tags.encode(SENTENCES[0]) == [1, 3, 2, 0, 4]
    assert tags.encode(SENTENCES[1]) == [0, 1, 2, 1, 2]
    assert [tags.decode(tags.encode(sentence)) for sentence in SENTENCES] == SENTENCES


@pytest.mark.parametrize("scheme", ["IOBES", "IOB2"])
def test_ids_come_back_and_are_sound(scheme):
    rng = random.Random(0)
    sentences = []
    for _ in range(100):
        spans, end = [], 0
        while end < 20:
            start = end + rng.choice((0, 0, 1, 3))
            end = start + rng.randint(1, 4)
            spans.append(Span(start, end, rng.choice("ÄБ丙")))
        sentences.append(write_tags(spans, 30, "IOB2"))
    tags = TagSet.build(sentences, scheme)
    allowed = tags.allowed()
    for sentence in sentences:
        ids = tags.encode(sentence)
        assert tags.decode(ids) == sentence
        assert not find_breaks([tags.tags[index] for index in ids], scheme)
        assert all(allowed.matrix[one][two] for one, two in itertools.pairwise(ids))


def test_what_is_not_in_the_set_becomes_the_first_tag_span_by_span():
    tags = TagSet.build(SENTENCES, "IOBES")
    sentence = ["B-书", "I-书", "B-地", "B-地", "I-地", "B-人"]
    assert tags.encode(sentence) == [0, 0, 4, 0, 0, 0]
    assert tags.known_spans(sentence) == [Span(2, 3, "地")]
    assert TagSet.build([["VERB", "NOM"]], None).encode(["VERB", "ADJ"]) == [1, 0]


def test_broken_ids_are_read_as_conlleval_reads_them():
    tags = TagSet.build(SENTENCES, "IOBES")
    assert tags.decode([3, 2, 0, 1]) == ["B-人", "I-人", "O", "B-人"]


def test_plain_tags_may_all_follow_one_another():
    tags = TagSet.build([["NOM", "B-x"]], None)
    assert tags.allowed() is None
    assert tags.decode([1, 0, 0]) == ["NOM", "B-x", "B-x"]
