"""Ids and counts against a dictionary filled word by word, pruning and ordering by hand."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.vectors import word_ids
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.word_ids import DROPPED, END, WordIds

LINES = st.text(alphabet=st.sampled_from("abÉ'5.,好人，\u3099\u200d \t\n\xa0"), max_size=60)


def counted(counts: dict[str, int]) -> WordIds:
    """A table of words that came so often, in that order."""
    table = WordIds(WordSplitter("whitespace"))
    table.encode("\n".join(" ".join([word] * count) for word, count in counts.items()))
    return table


@given(st.lists(LINES, max_size=4), st.sampled_from(["word", "char", "whitespace"]), st.sampled_from([0, 3, 1000]))
def test_ids_are_those_of_a_plain_dictionary(texts, kind, remembered):
    splitter = WordSplitter(kind)
    expected: dict[str, int] = {}
    counts = collections.Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_ids, "MAX_CACHED_CHUNKS", remembered)
        table = WordIds(splitter)
        for text in texts:
            lines = [splitter.words(line) for line in text.split("\n") if line.split()]
            counts.update(word for line in lines for word in line)
            ids = [[*(expected.setdefault(word, len(expected)) for word in line), END] for line in lines]
            assert table.encode(text).tolist() == list(itertools.chain.from_iterable(ids))
    assert len(table) == len(expected)
    assert table.counts.tolist() == [counts[word] for word in expected]


def test_words_to_keep_come_first():
    table = WordIds(WordSplitter(), keep=["très", "好", "très"])
    assert table.encode("bon 好").tolist() == [2, 1, END]
    assert table.counts.tolist() == [0, 1, 1]


def test_the_rarest_are_forgotten():
    table = counted({"un": 1, "é": 5, "deux": 2, "三": 3, "zwei": 2})
    min_count, renumber = table.prune(3)
    assert min_count == 3  # taking both words that came twice would leave four
    assert renumber.tolist() == [DROPPED, 0, DROPPED, 1, DROPPED, END]
    assert renumber[np.array([1, END, 3])].tolist() == [0, END, 1]
    assert table.counts.tolist() == [5, 3]
    assert table.encode("三 un é").tolist() == [1, 2, 0, END]  # a forgotten word is a new one
    assert table.counts.tolist() == [6, 4, 1]


def test_words_to_keep_are_not_forgotten():
    table = WordIds(WordSplitter(), keep=["nie", "好"])
    table.encode("a b b c c c 好")
    assert table.prune(1)[1].tolist() == [0, 1, DROPPED, DROPPED, 2, END]
    assert table.counts.tolist() == [0, 1, 3]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(0, 30))
def test_no_more_are_left_than_asked_for(counts, size):
    table = counted({f"w{number}": count for number, count in enumerate(counts)})
    min_count, _ = table.prune(size)
    assert len(table) <= size
    assert sorted(table.counts) == sorted(count for count in counts if count >= min_count)
    if len(counts) <= size:
        assert len(table) == len(counts)


def test_the_vocabulary_is_ordered_by_count_then_by_word():
    table = counted({"b": 2, "é": 3, "a": 2, "好": 1, "c": 3})
    words, counts, renumber = table.vocabulary(2, None)
    assert words == ("c", "é", "a", "b")
    assert counts.tolist() == [3, 3, 2, 2]
    assert renumber.tolist() == [3, 1, 2, DROPPED, 0, END]
    assert table.vocabulary(1, 3)[0] == ("c", "é", "a")
    assert table.vocabulary(4, None)[0] == ()


def test_words_to_keep_take_their_places_first():
    table = WordIds(WordSplitter(), keep=["nie", "d"])
    table.encode("a a a b b c c c c d")
    assert table.vocabulary(2, None)[0] == ("c", "a", "b", "d", "nie")
    assert table.vocabulary(2, 3)[0] == ("c", "d", "nie")
    assert table.vocabulary(2, 1)[0] == ("d", "nie")


def test_words_outside_a_fixed_vocabulary_are_dropped_and_not_remembered():
    table = WordIds(WordSplitter(), keep=["très", "好"], fixed=True)
    assert table.encode("bon 好\n好吃 très bon").tolist() == [DROPPED, 1, END, 1, DROPPED, 0, DROPPED, END]
    assert dict(table.items()) == {"très": 1, "好": 2}
