"""Bilingual dictionaries: pairs of words, and their rows in two vocabularies."""

import os
from typing import NamedTuple

import numpy as np

from textapp.errors import InputError
from textapp.vectors.evaluation import numbered_lines, vocabulary_row
from textapp.vectors.word_vectors import WordVectors


class IndexedDictionary(NamedTuple):
    """A dictionary as rows of two vocabularies.

    Attributes:
        pairs: Rows of source and target, int64 `(P, 2)`, of the pairs that are in both vocabularies.
        total: Number of pairs in the dictionary.
        source_words: Number of distinct source words in it.
        known_words: Number of those that are in the source vocabulary.
    """

    pairs: np.ndarray
    total: int
    source_words: int
    known_words: int


def read_dictionary(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Reads MUSE's format: lines `SOURCE TARGET`, separated by a tab or spaces, with one line for each translation.

    There are no comments: `#` is a word.

    Raises:
        InputError: A line is not two words, or there is no line.
    """
    pairs = []
    for number, line in numbered_lines(path, comments=False):
        words = line.split()
        if len(words) != 2:
            raise InputError(f"{path}:{number}: must read SOURCE TARGET, two words; received {len(words)} words")
        pairs.append((words[0], words[1]))
    if not pairs:
        raise InputError(f"{path}: there is no pair in it; each line must read SOURCE TARGET")
    return pairs


def index_pairs(pairs: list[tuple[str, str]], source: WordVectors, target: WordVectors) -> IndexedDictionary:
    """Finds the words of a dictionary in two vocabularies, as written or lower-cased. Repeated pairs count once."""
    pairs = list(dict.fromkeys(pairs))
    source_rows = {word: vocabulary_row(source, word) for word, _ in pairs}
    target_rows = {word: vocabulary_row(target, word) for _, word in pairs}
    rows = [(source_rows[one], target_rows[other]) for one, other in pairs]
    both = np.array([pair for pair in rows if min(pair) >= 0], np.int64).reshape(-1, 2)
    known = sum(row >= 0 for row in source_rows.values())
    return IndexedDictionary(both, len(pairs), len(source_rows), known)
