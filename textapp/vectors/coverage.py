"""How much of a text's words have a vector, and why so few."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary
from textapp.text.word_form import WordForm, lookup_words
from textapp.vectors.word_vectors import WordVectors

_LOOKED_AT = 10_000  # of the vectors' first words: enough for a share, and quick
_TELLING = 0.05  # share of words from which on a mismatch is worth a hint
_EXAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Coverage:
    """What share of the training split the vectors know; extra words, which it does not hold, do not count.

    Attributes:
        words: Words of the vocabulary that the training split holds.
        words_found: How many of them have a vector.
        tokens: Occurrences of all words of the training split, those included that the vocabulary leaves out.
        tokens_found: Occurrences of the words that have a row and a vector.

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
        """Counts.

        Args:
            vocabulary: V words.
            found: bool `(V,)`, which of them have a vector.
            counts: How often each word comes in the training split.
        """
        own = [
            (counts[token], has)
            for token, has in zip(vocabulary.tokens[len(SPECIALS) :], found[len(SPECIALS) :].tolist(), strict=True)
            if counts.get(token)
        ]
        return cls(
            words=len(own),
            words_found=sum(has for _, has in own),
            tokens=sum(counts.values()),
            tokens_found=sum(count for count, has in own if has),
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
    """Says in what way the vectors' words look cut by another tokenizer.

    Args:
        vectors: The vectors.
        tokenizer: What cuts the texts; None if the tokens are those of files.
        missing: Words of the texts that have no vector.
        form: What tokens are looked up by; by default they are looked up as they are.

    Returns:
        Sentences, each with a remedy; none where nothing stands out.
    """
    lowercase = any(part is not None and part.lowercase for part in (tokenizer, form))
    settings = None if tokenizer is None else {**tokenizer.to_dict(), "lowercase": lowercase}
    if settings is not None and vectors.tokenizer is not None and vectors.tokenizer != settings:
        return [f"their text was cut by {_spelled(vectors.tokenizer)}, this one by {_spelled(settings)}"]
    hints = []
    first = vectors.words[:_LOOKED_AT]
    cut = [word for word in first if len(lookup_words(word, tokenizer, form)) > 1]
    if len(cut) > _TELLING * len(first):
        hints.append(
            f"the tokenizer would cut {len(cut) / len(first):.0%} of their first {len(first):,} words, as "
            f"{_listed(cut)}: they come from a text that was segmented in another way; try another tokenizer, or "
            "vectors trained with this one"
        )
    if lowercase:
        cased_tokenizer = tokenizer and dataclasses.replace(tokenizer, lowercase=False)
        cased_form = form and dataclasses.replace(form, lowercase=False)
        cased = [
            word
            for word in first
            if lookup_words(word, tokenizer, form) != [word] == lookup_words(word, cased_tokenizer, cased_form)
        ]
        if len(cased) > _TELLING * len(first):
            hints.append(
                f"{len(cased) / len(first):.0%} of their first {len(first):,} words have capitals, as "
                f"{_listed(cased)}: set lowercase=false"
            )
    else:
        missing = list(missing)
        lowered = [word for word in missing if word.lower() != word and word.lower() in vectors]
        if len(lowered) > _TELLING * len(missing):
            hints.append(
                f"{len(lowered) / len(missing):.0%} of the words without a vector have one in lower case, as "
                f"{_listed(lowered)}: set lowercase=true"
            )
    return hints


def _spelled(settings: Mapping[str, Any]) -> str:
    """A tokenizer's settings as `--set` takes them."""
    named = {("tokenizer" if name == "kind" else name): value for name, value in settings.items()}
    return " ".join(f"{name}={str(value).lower()}" for name, value in named.items())


def _listed(words: list[str]) -> str:
    """The first words, quoted."""
    return ", ".join(map(repr, words[:_EXAMPLES]))
