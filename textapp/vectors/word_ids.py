"""Words numbered and counted as they come, in bounded memory."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from textapp.vectors.corpus import WordSplitter

END = -1
"""Stands behind each sentence, in the place of an id."""

DROPPED = -2
"""The new id of a word that is left out."""

REMEMBERED = 500_000  # chunks, about 100 MB
LONGEST_REMEMBERED = 24  # characters; longer chunks seldom come twice


class _Ids(dict[str, int]):
    """Word -> id, in the order of their coming."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number


class _ChunkIds(dict[str, tuple[int, ...]]):
    """Text without white space -> its words' ids. Most of a text are chunks seen before, which are not cut again."""

    def __init__(self, splitter: WordSplitter, ids: _Ids):
        super().__init__({"\n": (END,)})
        self._splitter, self._id_of = splitter, ids.__getitem__

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        if not chunk.isascii() and len(pieces := self._splitter.pieces(chunk)) > 1:
            ids = tuple(itertools.chain.from_iterable(map(self.__getitem__, pieces)))
        else:
            ids = tuple(map(self._id_of, self._splitter.words(chunk)))
        if len(chunk) <= LONGEST_REMEMBERED:
            self[chunk] = ids
        return ids


class WordIds:
    r"""Gives words ids from 0 on, in the order of their coming, and counts them.

    White space separates words, so that each chunk between white space needs cutting only when it first comes: what
    takes time is how many distinct chunks a corpus has, rather than how long it is.

    Args:
        splitter: Cuts the text.
        keep: Words that are never left out; they get the first ids.

    Example:
        >>> table = WordIds(WordSplitter())
        >>> table.encode("好!  très\n\n好 !").tolist()
        [0, 1, 2, -1, 0, 1, -1]
        >>> table.counts.tolist()
        [2, 2, 1]
    """

    def __init__(self, splitter: WordSplitter, keep: Iterable[str] = ()):
        self._splitter = splitter
        self._ids = _Ids((word, number) for number, word in enumerate(dict.fromkeys(keep)))
        self._chunks = _ChunkIds(splitter, self._ids)
        self._counts = np.zeros(len(self._ids), np.int64)  # and room for more
        self.num_kept = len(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def counts(self) -> np.ndarray:
        """How often each word has come, int64 `(len(self),)`."""
        return self._counts[: len(self)]

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of a text's words, int32 `(n,)`, with `END` behind each line that is not blank."""
        chunks: list[str] = []
        for line in text.split("\n"):
            if in_line := line.split():
                chunks += in_line
                chunks.append("\n")
        ids = np.fromiter(itertools.chain.from_iterable(map(self._chunks.__getitem__, chunks)), np.int32)
        if len(self._chunks) > REMEMBERED:
            self._chunks = _ChunkIds(self._splitter, self._ids)
        if len(self) > len(self._counts):
            self._counts = np.append(self.counts, np.zeros(2 * len(self) - len(self._counts), np.int64))
        np.add.at(self._counts, ids[ids != END], 1)
        return ids

    def prune(self, size: int) -> tuple[int, np.ndarray]:
        """Forgets the rarest words until at most `size` are left beside those to keep; the others keep their order.

        A word forgotten that comes again is a new one. So are the counts of rare words too low, as in word2vec.

        Returns:
            The count below which words were forgotten, and the new id of each old one as `vocabulary` returns it.
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
            min_count: Rarer words are left out, but for those to keep.
            size: How many words to take, if there are as many: those to keep, then the most frequent. None takes all.

        Returns:
            The words, their counts, int64 `(V,)`, and the new id of each old one, int32 `(len(self) + 1,)`: `DROPPED`
            for those left out; the last entry is `END`, so that indexing with ids turns `END`, -1, into itself.
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
    """The new id of each old one where those `chosen` become 0, 1, ..."""
    renumber = np.full(num_words + 1, DROPPED, np.int32)
    renumber[np.asarray(chosen, np.int64)] = np.arange(len(chosen))
    renumber[-1] = END
    return renumber
