"""Measured properties of training data, from which settings can be chosen."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from textapp.text.characters import CLASS_OF, counted

SAMPLE_ROWS = 10_000
SAMPLE_TOKENS = 1_000_000  # of long texts, fewer than `SAMPLE_ROWS` are looked at

Row = TypeVar("Row")


@dataclass(frozen=True)
class Profile:
    """What is known of a training split before a model is made; `str()` is a line about it.

    All but `count`, `targets` and `largest` are measured on a sample. Tokens are those of the tokenizer `word`.

    Attributes:
        count: The number of texts or sentences.
        per_token: Whether tokens have targets, rather than whole texts.
        targets: The number of labels, of types of spans, or of plain tags.
        largest: The share of the texts that have the most frequent label, or of all spans or tags that are of the most
            frequent type or tag, from 0 to 1.
        spans: Whether targets are spans of tokens.
        unspaced: The share of tokens from scripts without spaces between words, such as Han, from 0 to 1.
        tokens: Mean number of tokens of a text.
        characters: Mean number of characters of a text, without spaces.
        long: The number of tokens that 98 % of the texts do not exceed.
        long_characters: The number of characters, without spaces, that 98 % of the texts do not exceed.
        words: The number of different words.
        once: The share of these that occur once, from 0 to 1.
        vectors: Whether word vectors are given.
    """

    count: int
    per_token: bool
    targets: int
    largest: float
    spans: bool
    unspaced: float
    tokens: float
    characters: float
    long: int
    long_characters: int
    words: int
    once: float
    vectors: bool

    @classmethod
    def measure(
        cls,
        rows: Iterable[Sequence[str]],
        *,
        count: int,
        targets: Mapping[str, int],
        per_token: bool,
        spans: bool,
        vectors: bool,
    ) -> "Profile":
        """Measures the properties.

        Args:
            rows: The tokens of a sample of the texts, in random order. It is read until it has `SAMPLE_TOKENS` tokens.
            count: The number of all texts.
            targets: How often each target occurs in them.
            per_token: Whether tokens have targets.
            spans: Whether targets are spans.
            vectors: Whether word vectors are given.
        """
        words: Counter[str] = Counter()
        lengths, characters, total = [], [], 0
        for tokens in rows:
            if total >= SAMPLE_TOKENS:
                break
            words.update(tokens)
            lengths.append(len(tokens))
            characters.append(sum(map(len, tokens)))
            total += len(tokens)
        unspaced = sum(number for word, number in words.items() if CLASS_OF[ord(word[0])] == "U")
        lengths, characters = lengths or [0], characters or [0]
        return cls(
            count=count,
            per_token=per_token,
            targets=len(targets),
            largest=max(targets.values(), default=0) / max(1, sum(targets.values()) if per_token else count),
            spans=spans,
            unspaced=unspaced / max(1, total),
            tokens=float(np.mean(lengths)),
            characters=float(np.mean(characters)),
            long=_long(lengths),
            long_characters=_long(characters),
            words=len(words),
            once=sum(number == 1 for number in words.values()) / max(1, len(words)),
            vectors=vectors,
        )

    @property
    def in_characters(self) -> bool:
        """Whether most tokens are written without spaces, so that a character is the better token."""
        return self.unspaced > 0.5

    def length(self, tokens: Sequence[str]) -> int:
        """The length of a text in what `str()` counts: tokens, or characters where they are the better tokens."""
        return sum(map(len, tokens)) if self.in_characters else len(tokens)

    def __str__(self) -> str:
        unit = "sentence" if self.per_token else "text"
        target, of = (
            ("label", "texts") if not self.per_token else ("type", "spans") if self.spans else ("tag", "tokens")
        )
        mean, long = (self.characters, self.long_characters) if self.in_characters else (self.tokens, self.long)
        return (
            f"{counted(self.count, unit)} of {mean:.0f} {'characters' if self.in_characters else 'tokens'} (98 % have "
            f"at most {long:,}), {counted(self.targets, target)} (the most frequent has {self.largest:.0%} of the "
            f"{of}), {self.unspaced:.0%} of the tokens are written without spaces, {counted(self.words, 'word')}, "
            f"{self.once:.0%} of them seen once"
        )


def _long(lengths: Sequence[int]) -> int:
    """The smallest length that 98 % of the texts do not exceed."""
    return int(np.quantile(lengths, 0.98, method="higher"))


def sample_numbers(count: int) -> list[int]:
    """Random positions of at most `SAMPLE_ROWS` among `count` examples; the same at each call."""
    return random.Random(0).sample(range(count), min(count, SAMPLE_ROWS))


def sample_of_stream(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """A random sample of rows that are read once, and their number; the same at each call (reservoir sampling).

    Only `SAMPLE_ROWS` rows are in memory.
    """
    rng, count = random.Random(0), 0
    kept: list[Row] = []
    for count, row in enumerate(rows, 1):
        if len(kept) < SAMPLE_ROWS:
            kept.append(row)
        elif (place := rng.randrange(count)) < SAMPLE_ROWS:
            kept[place] = row
    rng.shuffle(kept)
    return kept, count
