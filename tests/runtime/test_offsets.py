"""Offsets of spans over generated texts: whatever is normalized or cut, they are the author's own characters."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.lexicon import IOBES, tagger_of
from textapp.text.tag_schemes import read_spans

# What normalization and tokenization do something about: it all must leave the offsets right.
PIECES = (
    *("Angela", "Merkel", "京", "北京", "Ｓão", "Pau\u00adlo", "Zoe\u0308", "don’t", "3.14", "a1", "x"),
    *(" ", "\t", "\n", "\u3000", "\xa0", "\u2028", "\0", "\x1b", "\u00ad", "\u200b", "\u200d", "\ufeff", "\u202e"),
    *(
        "½",
        "㍿",
        "㌀",
        "ﬁ",
        "ﷺ",
        "①",
        "…",
        "‼",
        "İ",
        "ß",
        "ǆ",
        "Å",
        "．",
        "｡",
        "１２",
        "ｶﾞ",
        "한",
        "\u1112\u1161\u11ab",
        "ㅏ",
    ),
    *(
        "\u0301",
        "\u0323\u0301",
        "e\u0301",
        "क\u093f",
        "ก\u0e33",
        "😀",
        "👨\u200d👩\u200d👧",
        "🇫🇷",
        "👍🏽",
        "\ud800",
        "\udc00",
        "\U0001d11e",
    ),
)
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
)


@given(texts, st.integers(0, 1 << 32), st.sampled_from(["word", "char"]), st.sampled_from(["none", "nfc", "nfkc"]))
def test_offsets_survive_everything(text, seed, kind, normalization):
    """Of random spans over any text: ordered, apart, at the borders of tokens, and the author's own characters."""
    rng = np.random.default_rng(seed)
    tagger = tagger_of(
        lambda ids: rng.normal(scale=3, size=(len(ids["token_ids"]), len(IOBES))),
        kind=kind,
        normalization=normalization,
    )
    (tagging,) = tagger.predict([text], confidence=bool(seed % 2))
    tokens = tagger.tokenizer.tokenize(text)
    assert [token[:3] for token in tagging.tokens] == tokens
    borders = {border for token in tokens for border in (token.start, token.end)}
    end = 0
    for span in tagging.spans:
        assert end <= span.start < span.end <= len(text)
        assert span.text == text[span.start : span.end]
        assert {span.start, span.end} <= borders
        assert span.type in ("人", "lieu")
        assert span.confidence is None or 0 <= span.confidence <= 1
        end = span.end
    # No span is lost but where characters are shared.
    found = read_spans([token.tag for token in tagging.tokens], "IOB2")
    if all(left.end <= right.start for left, right in itertools.pairwise(tokens)):
        assert [(tokens[span.start].start, tokens[span.end - 1].end, span.type) for span in found] == [
            (span.start, span.end, span.type) for span in tagging.spans
        ]
