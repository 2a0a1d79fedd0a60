"""Hashed character n-grams: fastText's method to give an unseen word a vector.

Reference: Bojanowski et al. 2017, Enriching Word Vectors with Subword Information. The hash is that of fastText, so an
n-gram has the same bucket there and here.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from textapp.errors import InputError

MAX_BUCKETS = 2**31 - 1  # ids are int32

_FNV_OFFSET = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
_HASH_BATCH = 32_768  # words; more need more memory and are no faster
_SUM_BATCH = 2_048  # words


@dataclasses.dataclass(frozen=True)
class Subwords:
    """The n-grams of a word in angle brackets, each hashed to one of a fixed number of buckets.

    `<where>` has the 3-grams `<wh whe her ere re>`. The brackets distinguish `her` within a word from the word
    `<her>`. The whole word in its brackets is left out, because it has a word row; a single bracket is left out too.

    Args:
        min_n: Code points of the shortest n-gram, brackets counted. 1 makes sense for Chinese, whose words have one or
            two characters.
        max_n: Code points of the longest n-gram.
        buckets: Number of hash buckets; n-grams of one bucket share its vector.

    Raises:
        InputError: A number is out of its range.

    Example:
        >>> Subwords(min_n=3, max_n=3, buckets=100).ids("her").tolist()  # <he her er>
        [80, 20, 40]
    """

    min_n: int = 3
    max_n: int = 6
    buckets: int = 2_000_000

    def __post_init__(self):
        if not 1 <= self.min_n <= self.max_n:
            raise InputError(
                f"subwords: `min_n` must be positive and at most `max_n`. "
                f"Received: min_n={self.min_n}, max_n={self.max_n}"
            )
        if not 1 <= self.buckets <= MAX_BUCKETS:
            raise InputError(
                f"subwords: `buckets` must lie between 1 and {MAX_BUCKETS:,}. Received: buckets={self.buckets}"
            )

    def ids(self, word: str) -> np.ndarray:
        """Returns the buckets of a word's n-grams, int32 `(G,)`, ordered by their start, then by their length."""
        return self.flat_ids([word])[0]

    def flat_ids(self, words: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the buckets of many words' n-grams, one word after the other.

        Returns:
            ids, int32 `(N,)`, and offsets, int64 `(V + 1,)`: the ids of word `i` are
            `ids[offsets[i] : offsets[i + 1]]`.
        """
        ids, counts = [np.zeros(0, np.int32)], [np.zeros(1, np.int64)]
        for batch in _batches(words, _HASH_BATCH):
            batch_ids, batch_counts = self._hash(batch)
            ids.append(batch_ids)
            counts.append(batch_counts)
        return np.concatenate(ids), np.cumsum(np.concatenate(counts))

    def table(self, words: Sequence[str]) -> np.ndarray:
        """Returns the buckets of each word's n-grams, int32 `(V, G)`, padded on the right with -1."""
        ids, offsets = self.flat_ids(words)
        counts = np.diff(offsets)
        table = np.full((len(words), counts.max(initial=0)), -1, np.int32)
        table[np.arange(table.shape[1]) < counts[:, None]] = ids
        return table

    def _hash(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of some words' n-grams, and how many each word has.

        All n-grams of a length are hashed together: the hashes of n code points continue those of n - 1.
        """
        bracketed = [f"<{word}>" for word in words]
        content = np.frombuffer("".join(bracketed).encode("utf-8", "surrogatepass"), np.uint8)
        starts = np.flatnonzero((content & 0xC0) != 0x80)  # the first byte of each code point
        widths = np.diff(starts, append=len(content))
        lengths = np.fromiter(map(len, bracketed), np.int64, len(bracketed))
        word_of = np.repeat(np.arange(len(words)), lengths)  # of each code point
        ends = np.cumsum(lengths)
        left = ends[word_of] - np.arange(len(starts))  # number of code points from each one to its word's end
        signed = content.view(np.int8).astype(np.int32).view(np.uint32)  # fastText hashes a sign-extended char

        hashes = np.full(len(starts), _FNV_OFFSET)
        ids = np.zeros((len(starts), self.max_n - self.min_n + 1), np.int32)
        valid = np.zeros(ids.shape, bool)
        whole = left == lengths[word_of]  # the n-gram starts where the word does
        for n in range(1, self.max_n + 1):
            alive = np.flatnonzero(left >= n)
            last = alive + n - 1
            state = hashes[alive]
            for byte in range(widths[last].max(initial=0)):
                has_byte = widths[last] > byte
                value = signed[np.where(has_byte, starts[last] + byte, 0)]
                state = np.where(has_byte, (state ^ value) * _FNV_PRIME, state)
            hashes[alive] = state
            if n >= self.min_n:
                ids[alive, n - self.min_n] = state % np.uint32(self.buckets)
                is_word = whole[alive] & (left[alive] == n)
                is_bracket = (n == 1) & (whole[alive] | (left[alive] == 1))
                valid[alive, n - self.min_n] = ~is_word & ~is_bracket
        counts = np.bincount(word_of, weights=valid.sum(axis=1), minlength=len(words)).astype(np.int64)
        return ids[valid], counts


@dataclasses.dataclass(frozen=True, eq=False)
class SubwordVectors:
    """The n-grams' vectors, and the words' vectors composed of them.

    A word's vector is the mean of its word row and its n-grams' rows. An unseen word has no word row; its vector is the
    mean of its n-grams' rows. This is fastText's rule.

    Args:
        subwords: Which n-grams a word has.
        vectors: float32 `(buckets, E)`.

    Raises:
        InputError: The number of vectors is not that of the buckets.
    """

    subwords: Subwords
    vectors: np.ndarray

    def __post_init__(self):
        vectors = np.asarray(self.vectors, np.float32).view()
        if vectors.ndim != 2 or len(vectors) != self.subwords.buckets:
            raise InputError(
                f"subwords: `vectors` must have {self.subwords.buckets:,} rows, one for each bucket. "
                f"Received: shape={vectors.shape}"
            )
        vectors.flags.writeable = False
        object.__setattr__(self, "vectors", vectors)

    @property
    def dim(self) -> int:
        """Length of a vector, `E`."""
        return self.vectors.shape[1]

    def sums(self, words: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Sums the vectors of each word's n-grams.

        Returns:
            sums, float32 `(V, E)`, and how many n-grams each word has, int64 `(V,)`.
        """
        sums, counts = [np.zeros((0, self.dim), np.float32)], [np.zeros(0, np.int64)]
        for batch in _batches(words, _SUM_BATCH):
            ids, offsets = self.subwords.flat_ids(batch)
            batch_counts = np.diff(offsets)
            batch_sums = np.zeros((len(batch), self.dim), np.float32)
            some = batch_counts > 0  # `reduceat` has no empty sums
            if some.any():
                batch_sums[some] = np.add.reduceat(self.vectors[ids], offsets[:-1][some])
            sums.append(batch_sums)
            counts.append(batch_counts)
        return np.concatenate(sums), np.concatenate(counts)

    def unseen(self, words: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Composes the vectors of unseen words.

        Returns:
            vectors, float32 `(V, E)`, zero for a word without n-grams, and known, bool `(V,)`, whether it has any.
        """
        sums, counts = self.sums(words)
        return sums / np.maximum(counts, 1, dtype=np.float32)[:, None], counts > 0

    def compose(self, words: Sequence[str], word_rows: np.ndarray) -> np.ndarray:
        """Composes the words' vectors, float32 `(V, E)`, from their word rows `(V, E)` and their n-grams."""
        sums, counts = self.sums(words)
        sums += word_rows
        sums /= (1 + counts).astype(np.float32)[:, None]
        return sums

    def word_rows(self, words: Sequence[str], composed: np.ndarray) -> np.ndarray:
        """Returns the word rows, float32 `(V, E)`, of composed vectors: the inverse of `compose`."""
        sums, counts = self.sums(words)
        return composed * (1 + counts).astype(np.float32)[:, None] - sums


def _batches(words: Iterable[str], size: int) -> Iterator[list[str]]:
    """Splits words into lists of `size`; the last may be shorter."""
    rest = iter(words)
    return iter(functools.partial(lambda: list(islice(rest, size))), [])
