"""Cuts the tokens of a corpus as `Tokenizer` cuts a text, so that a model is trained on the tokens that a device gives.

Each corpus has its own rules for tokens: "U.S.", "C$" and "1996-08-22" are one token each in CoNLL-2003, but
`Tokenizer` cuts a text into U . S . and so on. A tagger that was not trained on such pieces tags them badly. So the
tokens of a corpus are cut into pieces, each piece has a tag, and the predicted tag of a token is that of its first
piece.

Tokens that `Tokenizer` would not separate ("do" "n't") stay separate.

Reference: Devlin et al., "BERT" (2019), section 5.3, for the tag of the first piece.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from textapp.text.tag_schemes import OUTSIDE
from textapp.text.tokenizer import Tokenizer


class Retokenized(NamedTuple):
    """The pieces of the tokens of a sentence.

    Attributes:
        tokens: The pieces.
        word_starts: The position of the first piece of each token.
    """

    tokens: list[str]
    word_starts: list[int]

    def spread(self, tags: Sequence[str], of_spans: bool) -> list[str]:
        """Returns the tags of the pieces.

        Args:
            tags: The tags of the tokens: in IOB2, or plain tags.
            of_spans: Whether `tags` are in IOB2. A plain tag is that of all pieces.

        Example:
            >>> cut = retokenize(["U.S.", "wins"], Tokenizer(lowercase=False))
            >>> cut.tokens, cut.spread(["B-LOC", "O"], of_spans=True)
            (['U', '.', 'S', '.', 'wins'], ['B-LOC', 'I-LOC', 'I-LOC', 'I-LOC', 'O'])
        """
        spread: list[str] = []
        for tag, first, end in zip(tags, self.word_starts, [*self.word_starts[1:], len(self.tokens)], strict=True):
            inner = f"I{tag[1:]}" if of_spans and tag != OUTSIDE else tag
            spread += [tag, *[inner] * (end - first - 1)]
        return spread


def retokenize(tokens: Iterable[str], tokenizer: Tokenizer) -> Retokenized:
    """Cuts tokens as `tokenizer` cuts them in a text.

    A token of only invisible characters, such as U+00AD, is not changed, so that each token has a piece.
    """
    cut = _cutter(tokenizer)
    pieces: list[str] = []
    word_starts: list[int] = []
    for token in tokens:
        word_starts.append(len(pieces))
        pieces += cut(token)
    return Retokenized(pieces, word_starts)


@functools.lru_cache(maxsize=8)
def _cutter(tokenizer: Tokenizer) -> Callable[[str], tuple[str, ...]]:
    """Returns a function that cuts a token, and remembers its pieces: few different tokens are most of a corpus."""

    @functools.lru_cache(maxsize=1 << 17)
    def cut(token: str) -> tuple[str, ...]:
        return tuple(tokenizer.words(token)) or (token,)

    return cut
