"""The vocabulary maps tokens to ids."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

from textapp.errors import InputError, quoted
from textapp.files import decode_utf8, read_bytes, write_text

PAD = "[PAD]"
UNKNOWN = "[UNK]"
SPECIALS = (PAD, UNKNOWN)
PAD_ID = 0
UNKNOWN_ID = 1


class Vocabulary:
    """Tokens and their ids. The id of a token is its position; id 0 is padding, id 1 is every unknown token.

    Args:
        tokens: all tokens by id, the two specials first. No token may be empty, occur twice or have a line break.

    Raises:
        InputError: A token breaks this rule.

    Example:
        >>> vocabulary = Vocabulary.build({"好": 3, "吃": 2, "！": 1})
        >>> vocabulary.tokens
        ('[PAD]', '[UNK]', '好', '吃')
        >>> vocabulary.encode(["好", "!"])
        [2, 1]
    """

    def __init__(self, tokens: Iterable[str]):
        self.tokens = tuple(tokens)
        _check(self.tokens, "vocabulary")
        # The specials are not tokens of a text: the text "[PAD]" is unknown, not padding.
        self._ids = {token: index for index, token in enumerate(self.tokens) if index > UNKNOWN_ID}

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens)"

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Returns the ids of tokens: 1 for a token that is not in the vocabulary; never 0."""
        return [self._ids.get(token, UNKNOWN_ID) for token in tokens]

    def oov_rate(self, texts: Iterable[Iterable[str]]) -> float:
        """Returns the share of unknown tokens among the tokens of all texts; 0.0 if there are no tokens."""
        unknown = count = 0
        for tokens in texts:
            ids = self.encode(tokens)
            count += len(ids)
            unknown += ids.count(UNKNOWN_ID)
        return unknown / count if count else 0.0

    @classmethod
    def build(cls, counts: Mapping[str, int], max_size: int = 20_000, min_count: int = 2) -> "Vocabulary":
        """Makes the vocabulary of the most frequent tokens, the same on every machine.

        Args:
            counts: how often each token occurs in the training split (not in other splits).
            max_size: largest number of ids, with the two specials: the rows of the embedding.
            min_count: rarer tokens are left out, because a word that occurs once cannot be learned but needs a row.

        Returns:
            The vocabulary, sorted by falling count, then by code points.
        """
        if max_size <= len(SPECIALS):
            raise InputError(f"vocabulary: `max_size` must be above {len(SPECIALS)}. Received: max_size={max_size}")
        if min_count < 1:
            raise InputError(f"vocabulary: `min_count` must be positive. Received: min_count={min_count}")
        frequent = [token for token, count in counts.items() if count >= min_count and token not in SPECIALS]
        frequent.sort(key=lambda token: (-counts[token], token))
        return cls(itertools.chain(SPECIALS, frequent[: max_size - len(SPECIALS)]))

    def extended(self, tokens: Iterable[str]) -> "Vocabulary":
        """Returns the vocabulary followed by the tokens that it lacks, in their order; known tokens keep their ids."""
        return Vocabulary([*self.tokens, *(one for one in tokens if one not in self and one not in SPECIALS)])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one token a line in the order of the ids, in UTF-8, completely or not at all."""
        write_text(path, "".join(f"{token}\n" for token in self.tokens))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Reads a file of `save`.

        Raises:
            InputError: A line breaks the rule; the message names the file and the line.
        """
        return cls.parse(read_bytes(path), path)

    @classmethod
    def parse(cls, content: bytes, path: str | os.PathLike[str]) -> "Vocabulary":
        """Reads the content of a file of `save`; `path` is for messages. Raises the errors of `load`."""
        # Not splitlines, which also cuts at U+2028 and others.
        lines = decode_utf8(content, path).removesuffix("\n").split("\n")
        _check(lines, str(path))
        return cls(lines)


def _check(tokens: Sequence[str], source: str) -> None:
    """Raises `InputError` with the first line that breaks the vocabulary's rule."""
    first_lines: dict[str, int] = {}
    for line, token in enumerate(tokens, start=1):
        if line <= len(SPECIALS) and token != SPECIALS[line - 1]:
            raise InputError(f"{source}:{line}: the line must read {SPECIALS[line - 1]}. Received: {quoted(token)}")
        if not token or "\n" in token or "\r" in token:
            raise InputError(f"{source}:{line}: a token is empty or holds a line break. Received: {quoted(token)}")
        if first_lines.setdefault(token, line) != line:
            raise InputError(f"{source}:{line}: the token {quoted(token)} is already on line {first_lines[token]}")
    if len(tokens) < len(SPECIALS):
        raise InputError(f"{source}:{len(tokens) + 1}: the line must read {SPECIALS[len(tokens)]}; the file ends here")
