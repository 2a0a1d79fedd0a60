"""The share of a text's words that have a vector, and likely reasons if it is small."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from textapp.errors import quoted
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary
from textapp.text.word_form import WordForm, lookup_words
from textapp.vectors.word_vectors import WordVectors

_CHECKED_WORDS = 10_000  # the first of the vectors: enough for a share, and quick
_HINT_SHARE = 0.05  # of words; above it a mismatch gets a hint
_MAX_EXAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Coverage:
    """The share of the training split that has vectors. Extra words that are not in the split do not count.

    Attributes:
        words: Number of words of the vocabulary that occur in the training split.
        words_found: Number of those that have a vector.
        tokens: Occurrences of all words of the training split, including words that are not in the vocabulary.
        tokens_found: Occurrences of the words that are in the vocabulary and have a vector.

    Example:
        >>> vocabulary = Vocabulary(["[PAD]", "[UNK]", "好", "film"])
        >>> found = np.array([False, False, True, False])
        >>> print(Coverage.count(vocabulary, found, {"好": 7, "film": 2, "sic": 1}))
        1 of 2 words (50.0 %), 70.0 % of 10 tokens
    """

    words: int
    words_found: int
    tokens: int
    tokens_found: int

    @classmethod
    def count(cls, vocabulary: Vocabulary, found: np.ndarray, counts: Mapping[str, int]) -> "Coverage":
        """Counts words and tokens.

        Args:
            vocabulary: V words.
            found: Whether each of them has a vector, bool `(V,)`.
            counts: Occurrences of each word in the training split.
        """
        occurring = [
            (counts[token], has)
            for token, has in zip(vocabulary.tokens[len(SPECIALS) :], found[len(SPECIALS) :].tolist(), strict=True)
            if counts.get(token)
        ]
        return cls(
            words=len(occurring),
            words_found=sum(has for _, has in occurring),
            tokens=sum(counts.values()),
            tokens_found=sum(count for count, has in occurring if has),
        )

    @property
    def share_of_tokens(self) -> float:
        """Share of the occurrences that have a vector, in [0, 1]."""
        return self.tokens_found / max(1, self.tokens)

    def __str__(self) -> str:
        share = self.words_found / max(1, self.words)
        return (
            f"{self.words_found:,} of {self.words:,} words ({100 * share:.1f} %), "
            f"{100 * self.share_of_tokens:.1f} % of {self.tokens:,} tokens"
        )


def mismatch_hints(
    vectors: WordVectors, tokenizer: Tokenizer | None, missing: Iterable[str], form: WordForm | None = None
) -> list[str]:
    """Finds signs that the vectors' words come from another tokenizer.

    Args:
        vectors: The vectors.
        tokenizer: The tokenizer of the texts; None if the tokens are those of files.
        missing: Words of the texts that have no vector.
        form: What tokens are looked up by; by default they are looked up as they are.

    Returns:
        Sentences, each with a remedy; an empty list if there is no sign.
    """
    lowercase = any(part is not None and part.lowercase for part in (tokenizer, form))
    settings = None if tokenizer is None else {**tokenizer.to_dict(), "lowercase": lowercase}
    if settings is not None:
        settings.pop("line_breaks", None)  # the readers of a corpus make spaces of them
        settings.pop("split_apostrophes", None)  # of few words
    if settings is not None and vectors.tokenizer is not None and vectors.tokenizer != settings:
        return [
            f"their text was tokenized with {_setting_text(vectors.tokenizer)}, this one with {_setting_text(settings)}"
        ]
    hints = []
    first = vectors.words[:_CHECKED_WORDS]
    cut = [word for word in first if len(lookup_words(word, tokenizer, form)) > 1]
    if len(cut) > _HINT_SHARE * len(first):
        hints.append(
            f"the tokenizer cuts {len(cut) / len(first):.0%} of their first {len(first):,} words, such as "
            f"{_examples(cut)}: their text was segmented in another way; try another tokenizer, or vectors trained "
            "with this one"
        )
    if tokenizer is not None and tokenizer.kind == "bert":
        return hints  # its words are always in lower case
    if lowercase:
        cased_tokenizer = tokenizer and dataclasses.replace(tokenizer, lowercase=False)
        cased_form = form and dataclasses.replace(form, lowercase=False)
        cased = [
            word
            for word in first
            if lookup_words(word, tokenizer, form) != [word] == lookup_words(word, cased_tokenizer, cased_form)
        ]
        if len(cased) > _HINT_SHARE * len(first):
            hints.append(
                f"{len(cased) / len(first):.0%} of their first {len(first):,} words have capitals, such as "
                f"{_examples(cased)}: set lowercase=false"
            )
    else:
        missing = list(missing)
        lowered = [word for word in missing if word.lower() != word and word.lower() in vectors]
        if len(lowered) > _HINT_SHARE * len(missing):
            hints.append(
                f"{len(lowered) / len(missing):.0%} of the words without a vector have one in lower case, such as "
                f"{_examples(lowered)}: set lowercase=true"
            )
    return hints


def _setting_text(settings: Mapping[str, Any]) -> str:
    """A tokenizer's settings in the form of `--set`."""
    named = {("tokenizer" if name == "kind" else name): value for name, value in settings.items()}
    return " ".join(f"{name}={str(value).lower()}" for name, value in named.items())


def _examples(words: list[str]) -> str:
    """The first words, quoted."""
    return ", ".join(map(quoted, words[:_MAX_EXAMPLES]))
