import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.text.ngrams import WORD_LENGTH, NgramHash

words = st.lists(st.text(min_size=1, max_size=12), max_size=8)


def by_hand(texts: list[str], rows: int) -> set[int]:
    return {zlib.crc32(text.encode("utf-8", "surrogatepass")) % rows for text in texts}


@given(words, st.integers(1, 4))
def test_words_are_joined_by_spaces(words, order):
    ngrams = [" ".join(words[i : i + n]) for n in range(1, order + 1) for i in range(len(words) - n + 1)]
    found = NgramHash(order, 1 << 20)(words).words
    assert set(found) == by_hand(ngrams, 1 << 20)
    assert len(found) == len(set(found))


@given(words, st.integers(2, 6))
def test_characters_lie_inside_a_word_and_its_ends(words, longest):
    marked = [f"\x02{word}\x03" for word in words]
    ngrams = [f"\x01{m[i : i + n]}" for m in marked for n in range(2, longest + 1) for i in range(len(m) - n + 1)]
    found = NgramHash(1, 1, longest, 1 << 16)(words).characters
    assert set(found) == by_hand(ngrams, 1 << 16)
    assert len(found) == len(set(found))


def test_a_long_word_costs_no_more_than_its_start():
    hashed = NgramHash(2, 1024, 5, 256)
    assert hashed(["a" * 10**6, "b"]) == hashed(["a" * WORD_LENGTH, "b"])
    assert hashed(["\ud800"]) != hashed(["\ud801"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ([], [])),
        (["so"], ([3], [33, 162, 217, 235, 247])),
        (["很", "好"], ([196, 368, 893], [68, 73, 99, 143, 168, 240])),
    ],
)
def test_texts_and_their_rows_for_other_implementations(words, expected):
    rows = NgramHash(order=2, rows=1024, characters=3, character_rows=256)(words)
    assert (sorted(rows.words), sorted(rows.characters)) == expected
