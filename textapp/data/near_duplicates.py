"""Texts that are the same, or nearly the same, and have different labels.

Two texts are nearly the same if the sets of their neighbouring `SHINGLE` characters have a Jaccard similarity (shared
ones, divided by all) of `SIMILARITY` or more. Case, punctuation and white space do not count. To compare all pairs of
100,000 texts would take hours. So each text gets a MinHash signature: the share of equal numbers in two signatures
estimates the similarity. Texts with an equal band of the signature are compared exactly. That finds 99 of 100 pairs of
similarity 0.8. 100,000 texts of 20 words take 11 s and 60 MB.

Reference:
    Broder 1997, On the Resemblance and Containment of Documents; Leskovec, Rajaraman and Ullman, Mining of Massive
    Datasets, section 3.4, for bands.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textapp.data.splits import overlap_key
from textapp.text.characters import replace_surrogates

SHINGLE = 4  # characters
SIMILARITY = 0.8
MOST_PAIRS = 10_000
"""The most pairs of nearly equal texts that are listed: texts made from one template would give millions."""

_BANDS, _ROWS = 13, 5  # a pair of similarity s is compared with probability 1 - (1 - s^5)^13
_LONGEST = 1 << 14  # characters of a text that count
_CROWD = 3  # other labels that a text is compared with in a band that many texts share
_SEED = 20


class Conflict(NamedTuple):
    """Examples with the same text, or nearly the same, and different labels.

    Attributes:
        numbers: Positions of the examples, in order.
        similarity: Jaccard similarity of two texts that are nearly the same; None for texts that are the same.
    """

    numbers: tuple[int, ...]
    similarity: float | None = None


def equal_conflicts(keys: Sequence[Hashable], targets: Sequence[Hashable]) -> list[Conflict]:
    """Finds examples with equal keys and different targets.

    Args:
        keys: What must be equal of each example, such as `overlap_key` of its text.
        targets: The label of each example, its labels or its tags.
    """
    numbers = defaultdict(list)
    for number, key in enumerate(keys):
        numbers[key].append(number)
    groups = (group for group in numbers.values() if len(group) > 1)
    return [Conflict(tuple(group)) for group in groups if len({targets[number] for number in group}) > 1]


def text_conflicts(texts: Sequence[str], labels: Sequence[Hashable]) -> list[Conflict]:
    """Finds texts that are the same or nearly the same and have different labels.

    A text with different labels of its own is not compared with others.

    Args:
        texts: The texts.
        labels: The label of each, or a tuple of its labels.

    Returns:
        Equal texts first; then pairs, the most similar first, at most `MOST_PAIRS`.

    Example:
        >>> text_conflicts(["Where is it?", "where is it", "Who?"], ["place", "time", "person"])
        [Conflict(numbers=(0, 1), similarity=None)]
    """
    keys = list(map(overlap_key, texts))
    found = equal_conflicts(keys, labels)
    in_conflict = {keys[conflict.numbers[0]] for conflict in found}
    firsts = {key: number for number, key in reversed(list(enumerate(keys))) if key not in in_conflict}
    numbers = sorted(firsts.values())
    near = _near_pairs([keys[number] for number in numbers], [labels[number] for number in numbers])
    near.sort(key=lambda pair: (-pair[2], pair[:2]))
    return found + [Conflict((numbers[one], numbers[other]), similarity) for one, other, similarity in near]


def _near_pairs(keys: Sequence[str], labels: Sequence[Hashable]) -> list[tuple[int, int, float]]:
    """Pairs of nearly equal keys with different labels, and their similarity."""
    bands, rows = _bands(keys)
    compared: set[tuple[int, int]] = set()
    found: list[tuple[int, int, float]] = []
    for band in bands.T:
        for pair in _candidates(band, rows, labels):
            if pair in compared:
                continue
            compared.add(pair)
            similarity = _similarity(*(_shingles(keys[number]) for number in pair))
            if similarity >= SIMILARITY:
                found.append((*pair, similarity))
                if len(found) == MOST_PAIRS:
                    return found
    return found


def _candidates(
    band: NDArray[np.uint64], rows: NDArray[np.int64], labels: Sequence[Hashable]
) -> Iterator[tuple[int, int]]:
    """Pairs of texts with an equal band and different labels.

    Each text is compared with the last text of each of the `_CROWD` labels that came last, so that the number of pairs
    does not grow with the square of a crowd.
    """
    order = np.argsort(band, kind="stable")
    ends = np.flatnonzero(np.diff(band[order])) + 1
    for start, end in zip([0, *ends.tolist()], [*ends.tolist(), len(order)], strict=True):
        last: dict[Hashable, int] = {}
        for number in rows[order[start:end]].tolist() if end - start > 1 else ():
            label = labels[number]
            yield from ((other, number) for known, other in last.items() if known != label)
            last.pop(label, None)
            last[label] = number
            if len(last) > _CROWD:
                del last[next(iter(last))]


def _bands(keys: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The bands of texts with a shingle, `(M, _BANDS)`, and the positions of these texts, `(M,)`."""
    random = np.random.default_rng(_SEED)
    factors = random.integers(1, 1 << 63, (_BANDS * _ROWS, 1), np.uint64) | np.uint64(1)
    terms = random.integers(0, 1 << 63, (_BANDS * _ROWS, 1), np.uint64)
    powers = random.integers(1, 1 << 63, _ROWS, np.uint64) | np.uint64(1)
    rows = np.fromiter((number for number, key in enumerate(keys) if len(key) >= SHINGLE), np.int64)
    bands = np.empty((len(rows), _BANDS), np.uint64)
    for place, number in enumerate(rows.tolist()):
        # Products of uint64 are modulo 2^64. Their upper halves are nearly random.
        signature = ((_shingles(keys[number]) * factors + terms) >> np.uint64(32)).min(axis=1)
        bands[place] = (signature.reshape(_BANDS, _ROWS) * powers).sum(axis=1)
    return bands, rows


def _shingles(key: str) -> NDArray[np.uint64]:
    """A hash of each `SHINGLE` neighbouring characters, sorted, each once."""
    points = np.frombuffer(replace_surrogates(key[:_LONGEST]).encode("utf-32-le"), np.uint32).astype(np.uint64)
    count = max(0, len(points) - SHINGLE + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        hashes = (hashes ^ points[place : place + count]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def _similarity(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """The Jaccard similarity of two sets of shingles."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
