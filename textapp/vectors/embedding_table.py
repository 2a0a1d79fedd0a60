"""The embedding table of a vocabulary: rows from word vectors, and rows drawn to look like them."""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, UNKNOWN_ID, Vocabulary
from textapp.text.word_form import WordForm, lookup_words
from textapp.vectors.word_vectors import WordVectors

_LOOKED_UP_TOGETHER = 8192  # words left out of the vocabulary can be millions


def extend_vocabulary(
    vocabulary: Vocabulary,
    vectors: WordVectors,
    extra_words: int,
    tokenizer: Tokenizer | None = None,
    form: WordForm | None = None,
) -> Vocabulary:
    """Appends the first words of the vectors that the vocabulary lacks: the most frequent of a sorted file.

    They are known at test time though the training split does not hold them. What can be no token is passed over, as
    `New_York`, or as `The` where the tokenizer lower-cases.

    Args:
        vocabulary: The training split's own.
        vectors: Where the words come from.
        extra_words: How many to append; fewer where the vectors have no more.
        tokenizer: What cuts the texts; by default any word may be a token.
        form: What tokens are looked up by; by default they are looked up as they are.

    Returns:
        The vocabulary with the words behind its own, whose ids stay.
    """
    lacking = (word for word in vectors.words if word not in vocabulary and word not in SPECIALS)
    found = (word for word in lacking if lookup_words(word, tokenizer, form) == [word])
    return Vocabulary([*vocabulary.tokens, *itertools.islice(found, extra_words)])


def embedding_table(
    vectors: WordVectors, vocabulary: Vocabulary, counts: Mapping[str, int], seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Makes the first values of an embedding.

    - A word without a vector gets one drawn from a normal distribution of the found rows' mean and standard deviation
      in each dimension: of another spread it would stand out before anything has been learned of it.
    - The unknown word gets the mean, by occurrence, of the vectors of the words that it stands for: those of the
      training split that the vocabulary leaves out. Where none has a vector, it gets the mean of the found rows.
    - Padding gets zeros. It is masked: they mean nothing to the model, and are easily told in a drawing of the table.

    Args:
        vectors: The vectors, E numbers each.
        vocabulary: The V words.
        counts: How often each word comes in the training split, words that the vocabulary lacks included.
        seed: Fixes the draw.

    Returns:
        The rows, float32 `(V, E)`, and which of them are a word's own vector, bool `(V,)`: never padding's and the
        unknown word's. Where no word has a vector at all, the rows are zeros.
    """
    first = len(SPECIALS)
    rows = np.zeros((len(vocabulary), vectors.dim), np.float32)
    found = np.zeros(len(vocabulary), bool)
    rows[first:], found[first:] = vectors.lookup(vocabulary.tokens[first:])
    if not found.any():
        return rows, found
    mean = rows[found].mean(axis=0, dtype=np.float64)
    deviation = rows[found].std(axis=0, dtype=np.float64)
    missing = ~found
    missing[:first] = False
    rows[missing] = np.random.default_rng(seed).normal(mean, deviation, (int(missing.sum()), vectors.dim))
    unknown = _mean_vector(vectors, ((word, count) for word, count in counts.items() if word not in vocabulary))
    rows[UNKNOWN_ID] = mean if unknown is None else unknown
    return rows, found


def _mean_vector(vectors: WordVectors, counts: Iterable[tuple[str, int]]) -> np.ndarray | None:
    """The mean by occurrence of the words that have a vector, float64 `(E,)`; None where none has."""
    total, weight = np.zeros(vectors.dim), 0
    counts = iter(counts)
    while some := list(itertools.islice(counts, _LOOKED_UP_TOGETHER)):
        words, times = zip(*some, strict=True)
        matrix, known = vectors.lookup(words)
        occurrences = np.where(known, times, 0)
        total += occurrences @ matrix.astype(np.float64)
        weight += int(occurrences.sum())
    return total / weight if weight else None
