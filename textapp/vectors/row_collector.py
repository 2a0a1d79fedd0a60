"""Rows of a vector file gathered into one matrix that grows in place."""

import os
from collections.abc import Callable, Sequence

import numpy as np

from textapp.errors import InputError
from textapp.vectors.word_vectors import WordVectors

_FIRST_BYTES = 1 << 24


class RowCollector:
    """Gathers words and their vectors without knowing, or believing, how many there will be.

    The matrix grows by an eighth at a time and is never copied by us: large blocks of memory are moved by the operating
    system. So a header that announces a billion words costs nothing, and reading takes little more than the result.

    A repeated word is left out and its first vector kept, which belongs to the more frequent of two words that were
    one only after someone put the file into lower case; word2vec, GloVe and gensim's readers do the same.

    Args:
        dim: Length of a vector, `E`.
        limit: Number of words after which it is full; None for no end.

    Attributes:
        num_read: Rows given so far, repeated words among them.
    """

    def __init__(self, dim: int, limit: int | None = None):
        self.dim, self.limit = dim, limit
        self.num_read = 0
        self._rows = np.empty((1, dim), np.float32)
        self._words: dict[str, None] = {}
        self._repeated = 0
        self._first_repeat = ""

    @property
    def room(self) -> int | None:
        """How many more words are wanted; None for any number."""
        return None if self.limit is None else self.limit - len(self._words)

    @property
    def is_full(self) -> bool:
        """Whether all the words wanted are there."""
        return self.room == 0

    def add(self, words: Sequence[str], rows: np.ndarray, place: Callable[[int], str]) -> None:
        """Adds some rows of the file.

        Args:
            words: Their words.
            rows: Their vectors, `(N, E)`, of any type of number.
            place: Tells where in the file the i-th of them stands.

        Raises:
            InputError: A word is empty or holds a line break, or a number is not finite as float32.
        """
        self.num_read += len(words)
        fresh = []
        for i, word in enumerate(words):
            if word in self._words:
                self._first_repeat = self._first_repeat or f"{place(i)}: {word!r}"
                self._repeated += 1
                continue
            if not word or "\n" in word or "\r" in word:
                raise InputError(f"{place(i)}: the word is empty or holds a line break. Received: {word!r}")
            self._words[word] = None
            fresh.append(i)
        start, stop = len(self._words) - len(fresh), len(self._words)
        self._reserve(stop)
        with np.errstate(over="ignore"):  # becomes infinity, which is told below
            self._rows[start:stop] = rows if len(fresh) == len(words) else rows[fresh]
        finite = np.isfinite(self._rows[start:stop]).all(axis=1)
        if not finite.all():
            i = fresh[int(finite.argmin())]
            raise InputError(
                f"{place(i)}: the vector of {words[i]!r} holds NaN, infinity or a number too large for float32"
            )

    def finish(self, path: str | os.PathLike[str], report: Callable[[str], object] | None = None) -> WordVectors:
        """Makes the word vectors of what was added, and reports the words left out; no more can be added then.

        Raises:
            InputError: There is nothing.
        """
        if not self._words:
            raise InputError(f"{path}: there is no vector to read")
        if self._repeated and report is not None:
            report(
                f"{path}: {self._repeated:,} repeated words left out, the first vector of each kept; "
                f"the first repeat is {self._first_repeat}"
            )
        words = tuple(self._words)
        self._words.clear()  # WordVectors makes a dictionary of its own
        self._rows.resize((len(words), self.dim), refcheck=False)
        return WordVectors(words, self._rows)

    def _reserve(self, num_rows: int) -> None:
        """Makes room for so many rows."""
        if num_rows > len(self._rows):
            least = _FIRST_BYTES // (4 * self.dim)
            if self.limit is not None:
                least = min(least, self.limit)
            capacity = max(num_rows, len(self._rows) * 9 // 8, least)
            self._rows.resize((capacity, self.dim), refcheck=False)
