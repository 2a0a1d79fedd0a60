"""Rows of a vector file, collected in one matrix that grows in place."""

import os
from collections.abc import Callable, Sequence

import numpy as np

from textapp.errors import InputError, quoted
from textapp.text.characters import counted
from textapp.vectors.word_vectors import WordVectors

_FIRST_BYTES = 1 << 24
_BROKEN_IN_A_ROW = 10


class RowCollector:
    """Collects words and their vectors when their number is unknown, or a header's number is not to be trusted.

    The matrix grows by an eighth at a time, and the operating system moves large blocks of memory without a copy. So a
    header that announces a billion words costs nothing, and reading needs little more memory than the result.

    Of a repeated word the first vector is kept. Words repeat when a file was lower-cased later; the first is then the
    more frequent form. The readers of word2vec, GloVe and gensim keep the first too.

    Args:
        dim: Length of a vector, `E`.
        limit: Number of words to collect; None for all.

    Attributes:
        num_read: Number of rows added so far, including those of repeated words.
    """

    def __init__(self, dim: int, limit: int | None = None):
        self.dim, self.limit = dim, limit
        self.num_read = 0
        self._rows = np.empty((1, dim), np.float32)
        self._words: dict[str, None] = {}
        self._repeated = 0
        self._first_repeat = ""
        self._broken = self._in_a_row = 0
        self._first_broken = ""

    @property
    def room(self) -> int | None:
        """Number of words still to collect; None for all."""
        return None if self.limit is None else self.limit - len(self._words)

    @property
    def is_full(self) -> bool:
        """Whether `limit` words are collected."""
        return self.room == 0

    def add(self, words: Sequence[str | None], rows: np.ndarray, location: Callable[[int], str]) -> None:
        """Adds some rows of the file.

        Args:
            words: Their words; None for one that is not UTF-8.
            rows: Their vectors, `(N, E)`, of any real dtype.
            location: Returns the location of the i-th of them in the file, for messages.

        Raises:
            InputError: A number is not finite as float32, or ten words in a row are none: empty, not UTF-8 or
                with a line break. Fewer are left out, as word2vec.c cuts words of more than 100 bytes.
        """
        self.num_read += len(words)
        fresh = []
        for i, word in enumerate(words):
            if not word or "\n" in word or "\r" in word:
                self._broken += 1
                self._in_a_row += 1
                shown = "" if word is None else f": {quoted(word)}"  # bytes that are not UTF-8 cannot be shown
                self._first_broken = self._first_broken or location(i) + shown
                if self._in_a_row == _BROKEN_IN_A_ROW:
                    raise self._damaged()
                continue
            self._in_a_row = 0
            if word in self._words:
                self._first_repeat = self._first_repeat or f"{location(i)}: {quoted(word)}"
                self._repeated += 1
                continue
            self._words[word] = None
            fresh.append(i)
        start, stop = len(self._words) - len(fresh), len(self._words)
        self._reserve(stop)
        with np.errstate(over="ignore"):  # overflows to infinity, which is refused below
            self._rows[start:stop] = rows if len(fresh) == len(words) else rows[fresh]
        finite = np.isfinite(self._rows[start:stop]).all(axis=1)
        if not finite.all():
            i = fresh[int(finite.argmin())]
            raise InputError(
                f"{location(i)}: the vector of {quoted(words[i])} holds NaN, infinity or a number too large for float32"
            )

    def check_words(self) -> None:
        """Raises `InputError` if more than a quarter of the words are none: the dimension is wrong, for example."""
        if self._broken > 1 and 4 * self._broken > self.num_read:
            raise self._damaged()

    def _damaged(self) -> InputError:
        """The error for a file of which too many words are none."""
        return InputError(
            f"{self._first_broken}: a word in UTF-8 is expected here, and many words after it are none; the header's "
            "dimension is wrong or the file is damaged, or its words are not UTF-8"
        )

    def finish(self, path: str | os.PathLike[str], report: Callable[[str], object] | None = None) -> WordVectors:
        """Returns the collected vectors and reports the words left out. Nothing can be added afterwards.

        Raises:
            InputError: No word was added.
        """
        self.check_words()
        if not self._words:
            raise InputError(f"{path}: there is no vector to read")
        if self._broken and report is not None:
            report(
                f"warning: {path}: {counted(self._broken, 'word')} left out: empty, not UTF-8 or with a line break; "
                f"the first is {self._first_broken}"
            )
        if self._repeated and report is not None:
            report(
                f"{path}: {counted(self._repeated, 'repeated word')} left out, the first vector of each kept; "
                f"the first repeat is {self._first_repeat}"
            )
        words = tuple(self._words)
        self._words.clear()  # frees memory: `WordVectors` makes another dictionary
        self._rows.resize((len(words), self.dim), refcheck=False)
        return WordVectors(words, self._rows)

    def _reserve(self, num_rows: int) -> None:
        """Makes room for a number of rows."""
        if num_rows > len(self._rows):
            least = _FIRST_BYTES // (4 * self.dim)
            if self.limit is not None:
                least = min(least, self.limit)
            capacity = max(num_rows, len(self._rows) * 9 // 8, least)
            self._rows.resize((capacity, self.dim), refcheck=False)
