"""Tokens cut as texts are, and tags there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.text.retokenization import retokenize
from textapp.text.tag_schemes import find_breaks, read_spans
from textapp.text.tag_set import TagSet
from textapp.text.tokenizer import Tokenizer

CASED = Tokenizer(lowercase=False)


def test_tokens_are_cut_and_found_again():
    cut = retokenize(["New", "York-based", "C$", "１９９６-08-22", "北京"], CASED)
    assert cut.tokens == ["New", "York", "-", "based", "C", "$", "1996", "-", "08", "-", "22", "北", "京"]
    assert [cut.tokens[first] for first in cut.word_starts] == ["New", "York", "C", "1996", "北"]


def test_spans_are_spread_over_the_pieces():
    cut = retokenize(["the", "U.N.", "and", "al-Aqsa", "mosque"], CASED)
    tags = cut.spread(["O", "B-ORG", "O", "B-LOC", "I-LOC"], of_spans=True)
    assert tags == ["O", "B-ORG", "I-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC", "I-LOC", "I-LOC"]
    assert TagSet.build([tags], "IOBES").of_tokens(tags, cut.word_starts) == ["O", "B-ORG", "O", "B-LOC", "I-LOC"]


def test_plain_tags_are_repeated():
    cut = retokenize(["well-known", "fact"], CASED)
    assert cut.spread(["ADJ", "NOUN"], of_spans=False) == ["ADJ", "ADJ", "ADJ", "NOUN"]


def test_a_token_that_nobody_sees_stays():
    assert retokenize(["a", "\N{SOFT HYPHEN}", "b"], CASED) == (["a", "\N{SOFT HYPHEN}", "b"], [0, 1, 2])


def test_by_characters():
    cut = retokenize(["2008年", "奥运"], Tokenizer("char", lowercase=False))
    assert (cut.tokens, cut.word_starts) == (list("2008年奥运"), [0, 5])


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["Ada", "Mill", "'s", "book"], "Ada Mill's book"),
        (["Ada", "Mill", "’s", "book"], "Ada Mill’s book"),
        (["dans", "l'", "Isère"], "dans l'Isère"),
        (["O'Brien", "'s"], "O'Brien's"),
        (["Oslo", "'da"], "Oslo'da"),
    ],
)
def test_names_at_apostrophes_are_cut_alike_in_a_corpus_and_in_a_text(tokens, text):
    tokenizer = Tokenizer(lowercase=False, split_apostrophes=True)
    assert retokenize(tokens, tokenizer).tokens == tokenizer.words(text)
    assert retokenize(tokens, CASED).tokens != CASED.words(text)


@given(st.lists(st.text(max_size=8), max_size=6))
def test_pieces_are_those_of_the_text(tokens):
    """Between spaces, tokens are cut as in a text, whatever they hold."""
    seen = [token for token in tokens if CASED.words(token)]
    assert retokenize(seen, CASED).tokens == CASED.words(" ".join(seen))
    cut = retokenize(tokens, CASED)
    assert len(cut.word_starts) == len(tokens)
    assert cut.word_starts == sorted(set(cut.word_starts))


@given(st.data())
def test_spans_survive_the_way_there_and_back(data):
    tokens = data.draw(
        st.lists(st.sampled_from(["U.S.", "York-based", "x", "C$", "½", "好的"]), min_size=1, max_size=8)
    )
    tags = ["O"]
    for _ in tokens:
        tags.append(data.draw(st.sampled_from(["O", "B-A", "B-B", *([f"I{tags[-1][1:]}"] if tags[-1] != "O" else [])])))
    tags = tags[1:]
    cut = retokenize(tokens, CASED)
    spread = cut.spread(tags, of_spans=True)
    assert len(spread) == len(cut.tokens)
    assert find_breaks(spread, "IOB2") == []
    assert len(read_spans(spread, "IOB2")) == len(read_spans(tags, "IOB2"))
    assert TagSet(("O",), "IOBES").of_tokens(spread, cut.word_starts) == tags


def test_spans_that_begin_inside_a_token_are_mended():
    """x - Ada İstanbul, with a span from Ada on: of tokens it begins at the second."""
    cut = retokenize(["x-Ada", "İstanbul"], CASED)
    assert TagSet(("O",), "IOB2").of_tokens(["O", "O", "B-LOC", "I-LOC"], cut.word_starts) == ["O", "B-LOC"]
    assert TagSet(("NOUN",), None).of_tokens(["NOUN", "X", "X", "ADJ"], cut.word_starts) == ["NOUN", "ADJ"]


@pytest.mark.parametrize("tokens", [[], ["one"]])
def test_few(tokens):
    assert retokenize(tokens, CASED) == (tokens, list(range(len(tokens))))
