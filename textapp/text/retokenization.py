"""Tokens of a corpus cut as a text would be, so that training sees what a device will see.

Corpora come cut by rules of their own: "U.S.", "C$" and "1996-08-22" are one token each in CoNLL-2003, while a text is
cut by `Tokenizer` into U . S . and so on. A tagger that never saw those pieces tags them badly. So the tokens of a
corpus are cut further, their tags are spread over the pieces, and a token's predicted tag is that of its first piece,
as usual since Devlin et al. 2019 (BERT, section 5.3).

What a corpus has cut apart and a tokenizer keeps together ("do" "n't") stays apart.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from textapp.text.tag_schemes import OUTSIDE
from textapp.text.tokenizer import Tokenizer


class Retokenized(NamedTuple):
    """The pieces of some tokens.

    Attributes:
        tokens: The pieces.
        firsts: For each of the tokens that were cut, the position of its first piece.
    """

    tokens: list[str]
    firsts: list[int]

    def spread(self, tags: Sequence[str], of_spans: bool) -> list[str]:
        """The tags of the pieces.

        Args:
            tags: The tags of the tokens, in IOB2 if they are of spans.
            of_spans: Whether they are; otherwise each stands for itself and for all pieces.

        Example:
            >>> cut = retokenize(["U.S.", "wins"], Tokenizer(lowercase=False))
            >>> cut.tokens, cut.spread(["B-LOC", "O"], of_spans=True)
            (['U', '.', 'S', '.', 'wins'], ['B-LOC', 'I-LOC', 'I-LOC', 'I-LOC', 'O'])
        """
        spread: list[str] = []
        for tag, first, end in zip(tags, self.firsts, [*self.firsts[1:], len(self.tokens)], strict=True):
            inner = f"I{tag[1:]}" if of_spans and tag != OUTSIDE else tag
            spread += [tag, *[inner] * (end - first - 1)]
        return spread


def retokenize(tokens: Iterable[str], tokenizer: Tokenizer) -> Retokenized:
    """Cuts tokens as `tokenizer` would cut them in a text.

    A token of nothing but characters that no text shows, as U+00AD, stays as it is, so that each has a piece.
    """
    cut = _cutter(tokenizer)
    pieces: list[str] = []
    firsts: list[int] = []
    for token in tokens:
        firsts.append(len(pieces))
        pieces += cut(token)
    return Retokenized(pieces, firsts)


@functools.lru_cache(maxsize=8)
def _cutter(tokenizer: Tokenizer) -> Callable[[str], tuple[str, ...]]:
    """What cuts one token, and remembers how: few make up most of a corpus."""

    @functools.lru_cache(maxsize=1 << 17)
    def cut(token: str) -> tuple[str, ...]:
        return tuple(tokenizer.words(token)) or (token,)

    return cut
