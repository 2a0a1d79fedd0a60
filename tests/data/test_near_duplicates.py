"""The same and nearly the same texts with different labels, compared with all pairs."""

import itertools
import random
import time

import pytest

from textapp.data import near_duplicates
from textapp.data.near_duplicates import MOST_PAIRS, SHINGLE, SIMILARITY, Conflict, equal_conflicts, text_conflicts

ALPHABET = "abcdéжя好坏 "


def jaccard(one, other):
    """The similarity of two texts, from sets of strings."""
    sets = [{text[at : at + SHINGLE] for at in range(len(text) - SHINGLE + 1)} for text in (one, other)]
    return len(sets[0] & sets[1]) / max(1, len(sets[0] | sets[1]))


def test_nearly_all_pairs_of_a_brute_force_search_are_found():
    rng = random.Random(4)
    texts = ["".join(rng.choices(ALPHABET, k=rng.randint(30, 90))) for _ in range(120)]
    for text in texts[:120]:
        letters = list(text)
        for _ in range(rng.randint(1, 4)):
            letters[rng.randrange(len(letters))] = rng.choice(ALPHABET)
        texts.append("".join(letters))
    texts = [" ".join(text.split()) for text in texts]
    labels = rng.choices("xy", k=len(texts))
    expected = {
        pair: jaccard(*(texts[number] for number in pair))
        for pair in itertools.combinations(range(len(texts)), 2)
        if labels[pair[0]] != labels[pair[1]]
    }
    expected = {pair: similarity for pair, similarity in expected.items() if similarity >= SIMILARITY}
    found = {one.numbers: one.similarity or 1.0 for one in text_conflicts(texts, labels)}
    assert len(expected) > 20
    assert found.keys() <= expected.keys()
    assert len(found) >= 0.95 * len(expected)
    assert found == pytest.approx({pair: expected[pair] for pair in found})


def test_equal_texts_come_first_and_are_in_no_pair():
    texts = ["Where is it?", "很好", "where is  it", "Where is it now?", "很好！", "where is it nov", "", "", "\udcff"]
    labels = ["place", ("a",), "time", "place", ("a", "b"), "time", "place", "place", "place"]
    assert text_conflicts(texts, labels)[:2] == [Conflict((0, 2)), Conflict((1, 4))]
    assert text_conflicts(texts[::2], labels[::2]) == [Conflict((0, 1))]
    long = "a long text about nothing at all that ends in a word"
    assert text_conflicts([long, long + "s", long + "s!"], ["x", "y", "x"]) == [Conflict((1, 2))]
    (pair,) = text_conflicts([long, "other", long + "s"], ["x", "x", "y"])
    assert (pair.numbers, pair.similarity) == ((0, 2), pytest.approx(jaccard(long, long + "s")))
    assert text_conflicts([], []) == []


def test_the_same_tokens_with_other_tags_are_found():
    keys = [("北", "京"), ("x",), ("北", "京"), ("北", "京"), ("x",)]
    assert equal_conflicts(keys, ["BI", "O", "BI", "OO", "O"]) == [Conflict((0, 2, 3))]


def test_a_crowd_of_alike_texts_takes_no_quadratic_time(monkeypatch):
    """2,000 texts of one template in 50 labels have 2 million pairs."""
    monkeypatch.setattr(near_duplicates, "MOST_PAIRS", 500)
    assert MOST_PAIRS == 10_000
    texts = [f"your order with the number {number:04} was sent to you this morning by mail" for number in range(2000)]
    began = time.process_time()
    assert len(text_conflicts(texts, [f"{number % 50}" for number in range(2000)])) == 500
    assert time.process_time() - began < 10
