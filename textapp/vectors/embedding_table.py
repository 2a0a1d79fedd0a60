"""The initial embedding table of a vocabulary: rows of word vectors, and random rows of the same distribution."""

import itertools
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, UNKNOWN_ID, Vocabulary
from textapp.text.word_form import WordForm, lookup_words
from textapp.vectors.word_vectors import WordVectors

_LOOKUP_BATCH = 8192  # words; those outside the vocabulary can be millions


def extend_vocabulary(
    vocabulary: Vocabulary,
    vectors: WordVectors,
    extra_words: int,
    tokenizer: Tokenizer | None = None,
    form: WordForm | None = None,
) -> Vocabulary:
    """Appends the first words of the vectors that are not in the vocabulary: the most frequent ones of a sorted file.

    The model then knows them at test time although they do not occur in the training split. Words that cannot be tokens
    are left out: `New_York`, or `The` if the tokenizer lower-cases.

    Args:
        vocabulary: The vocabulary of the training split.
        vectors: The vectors with the words to append.
        extra_words: Number of words to append; there are fewer if the vectors have no more.
        tokenizer: The tokenizer of the texts; by default any word may be a token.
        form: The form that tokens are looked up by; by default they are looked up as they are.

    Returns:
        The vocabulary followed by the appended words; the ids of its own words stay.
    """
    lacking = (word for word in vectors.words if word not in vocabulary and word not in SPECIALS)
    found = (word for word in lacking if lookup_words(word, tokenizer, form) == [word])
    return vocabulary.extended(itertools.islice(found, extra_words))


def names_in_file(
    vectors: WordVectors, words: Iterable[str], tokenizer: Tokenizer | None = None, form: WordForm | None = None
) -> dict[str, str]:
    """Finds words whose vector has another name in the file, as `，` is that of the token `,` after NFKC.

    Args:
        vectors: The vectors.
        words: The words of a vocabulary.
        tokenizer: The tokenizer of the texts; None if tokens come from files.
        form: The form that tokens are looked up by; by default they are looked up as they are.

    Returns:
        Word -> the first word of the file that is normalized to it. Words that the file has as they are, and those that
        differ from one of the file in capitals or digits alone, are left out.
    """
    part = form or tokenizer
    normal: Literal["NFC", "NFKC"] | None = None
    if part is not None and part.normalization != "none":
        normal = "NFC" if part.normalization == "nfc" else "NFKC"
    lacking = {word for word in words if word not in vectors} - set(SPECIALS)
    names: dict[str, str] = {}
    if normal is None or not lacking:
        return names
    for name in vectors.words:
        if not unicodedata.is_normalized(normal, name):  # quick, also for millions of words
            found = lookup_words(name, tokenizer, form)
            if len(found) == 1 and found[0] in lacking:
                names.setdefault(found[0], name)
    return names


def embedding_table(
    vectors: WordVectors,
    vocabulary: Vocabulary,
    counts: Mapping[str, int],
    seed: int = 0,
    names: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Makes the initial values of an embedding.

    - A word without a vector gets a random one from a normal distribution with the mean and standard deviation of the
      found rows in each dimension, so that it does not differ from them in scale before training.
    - The unknown word gets the mean of the vectors of the words that it replaces, weighted by their occurrences: those
      of the training split that are not in the vocabulary. If none of them has a vector, it gets the mean of the found
      rows.
    - Padding gets zeros. It is masked, so they have no effect, and they are easy to recognize in a plot of the table.

    Args:
        vectors: The vectors, E numbers each.
        vocabulary: The V words.
        counts: Occurrences of each word in the training split, including words that are not in the vocabulary.
        seed: Seed of the random rows.
        names: Word -> its name in the vectors, where it is another one; see `names_in_file`.

    Returns:
        The rows, float32 `(V, E)`, and whether each is the vector of its word, bool `(V,)`: False for padding and the
        unknown word. If no word has a vector at all, the rows are zeros.
    """
    first = len(SPECIALS)
    rows = np.zeros((len(vocabulary), vectors.dim), np.float32)
    found = np.zeros(len(vocabulary), bool)
    rows[first:], found[first:] = vectors.lookup([(names or {}).get(word, word) for word in vocabulary.tokens[first:]])
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
    """The mean vector of words, weighted by their occurrences, float64 `(E,)`; None if no word has a vector."""
    total, weight = np.zeros(vectors.dim), 0
    counts = iter(counts)
    while some := list(itertools.islice(counts, _LOOKUP_BATCH)):
        words, times = zip(*some, strict=True)
        matrix, known = vectors.lookup(words)
        occurrences = np.where(known, times, 0)
        total += occurrences @ matrix.astype(np.float64)
        weight += int(occurrences.sum())
    return total / weight if weight else None
