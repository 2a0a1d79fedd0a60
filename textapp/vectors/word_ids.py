"""Ids and counts of words in the order of their first occurrence, in bounded memory."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from textapp.vectors.corpus import WordSplitter

END = -1
"""The mark after each sentence, in the place of an id."""

DROPPED = -2
"""The new id of a word that is left out."""

MAX_CACHED_CHUNKS = 500_000  # about 100 MB
MAX_CACHED_LENGTH = 24  # characters; longer chunks seldom occur twice


class _Ids(dict[str, int]):
    """Word -> id; a new word gets the next id."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number


class _FixedIds(dict[str, int]):
    """Word -> id; a new word is dropped."""

    def __missing__(self, word: str) -> int:
        return DROPPED


class _ChunkIds(dict[str, tuple[int, ...]]):
    """Text without white space -> its words' ids. Most chunks have occurred before and are not split again."""

    def __init__(self, splitter: WordSplitter, ids: "_Ids | _FixedIds"):
        super().__init__({"\n": (END,)})
        self._splitter, self._id_of = splitter, ids.__getitem__

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        if not chunk.isascii() and len(pieces := self._splitter.pieces(chunk)) > 1:
            ids = tuple(itertools.chain.from_iterable(map(self.__getitem__, pieces)))
        else:
            ids = tuple(map(self._id_of, self._splitter.words(chunk)))
        if len(chunk) <= MAX_CACHED_LENGTH:
            self[chunk] = ids
        return ids


class WordIds:
    r"""Gives words ids from 0, in the order of their first occurrence, and counts them.

    White space separates words, so each chunk between white space is split only at its first occurrence. The time
    depends on the number of distinct chunks in a corpus rather than on its length.

    Args:
        splitter: Splits the text.
        keep: Words that are never left out; they get the first ids.
        fixed: Whether the words of `keep` are the vocabulary: all others are dropped where they occur.

    Example:
        >>> table = WordIds(WordSplitter())
        >>> table.encode("好!  très\n\n好 !").tolist()
        [0, 1, 2, -1, 0, 1, -1]
        >>> table.counts.tolist()
        [2, 2, 1]
    """

    def __init__(self, splitter: WordSplitter, keep: Iterable[str] = (), fixed: bool = False):
        self._splitter = splitter
        kind = _FixedIds if fixed else _Ids
        self._ids = kind((word, number) for number, word in enumerate(dict.fromkeys(keep)))
        self._chunks = _ChunkIds(splitter, self._ids)
        self._counts = np.zeros(len(self._ids), np.int64)  # may have spare room at its end
        self.num_kept = len(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def counts(self) -> np.ndarray:
        """Occurrences of each word so far, int64 `(len(self),)`."""
        return self._counts[: len(self)]

    def items(self) -> Iterator[tuple[str, int]]:
        """Yields each word and its count so far."""
        return zip(self._ids, self.counts.tolist(), strict=True)

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of a text's words, int32 `(n,)`, with `END` after each line that is not blank.

        The id of a word outside a fixed vocabulary is `DROPPED`.
        """
        chunks: list[str] = []
        for line in text.split("\n"):
            if in_line := line.split():
                chunks += in_line
                chunks.append("\n")
        ids = np.fromiter(itertools.chain.from_iterable(map(self._chunks.__getitem__, chunks)), np.int32)
        if len(self._chunks) > MAX_CACHED_CHUNKS:
            self._chunks = _ChunkIds(self._splitter, self._ids)
        if len(self) > len(self._counts):
            self._counts = np.append(self.counts, np.zeros(2 * len(self) - len(self._counts), np.int64))
        np.add.at(self._counts, ids[ids >= 0], 1)
        return ids

    def prune(self, size: int) -> tuple[int, np.ndarray]:
        """Drops the rarest words until at most `size` are left besides those of `keep`. The others keep their order.

        A dropped word that occurs again is a new one. So the counts of rare words may be too low, as in word2vec.

        Returns:
            The count below which words were dropped, and the new id of each old one, as in `vocabulary`.
        """
        others = self.counts[self.num_kept :]
        min_count = int(np.partition(others, -size - 1)[-size - 1]) + 1 if len(others) > size else 0
        kept = np.append(np.arange(self.num_kept), self.num_kept + np.flatnonzero(others >= min_count))
        renumber = _renumbering(kept, len(self))
        self._counts = self.counts[kept]
        words = itertools.compress(self._ids, renumber[:-1] != DROPPED)
        self._ids = _Ids((word, number) for number, word in enumerate(words))
        self._chunks = _ChunkIds(self._splitter, self._ids)
        return min_count, renumber

    def vocabulary(self, min_count: int, size: int | None) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Chooses the final words and orders them by falling count, then by code points.

        Args:
            min_count: Words with fewer occurrences are left out, except those of `keep`.
            size: Largest number of words: those of `keep`, then the most frequent. None keeps all.

        Returns:
            The words, their counts, int64 `(V,)`, and the new id of each old one, int32 `(len(self) + 1,)`: `DROPPED`
            for those left out. The last entry is `END`, so that the index `END`, -1, gives `END`.
        """
        words, counts = list(self._ids), self.counts.tolist()

        def rank(number: int) -> tuple[int, str]:
            return -counts[number], words[number]

        others = [number for number in range(self.num_kept, len(words)) if counts[number] >= min_count]
        if size is not None and len(others) > size - self.num_kept:
            others = sorted(others, key=rank)[: max(size - self.num_kept, 0)]
        chosen = sorted([*range(self.num_kept), *others], key=rank)
        return tuple(words[number] for number in chosen), self.counts[chosen], _renumbering(chosen, len(words))


def _renumbering(chosen: Sequence[int] | np.ndarray, num_words: int) -> np.ndarray:
    """The new id of each old one: those `chosen` become 0, 1, ..., the others `DROPPED`."""
    renumber = np.full(num_words + 1, DROPPED, np.int32)
    renumber[np.asarray(chosen, np.int64)] = np.arange(len(chosen))
    renumber[-1] = END
    return renumber
