"""How sure a score is: confidence intervals of one model, and tests of the difference between two.

All are of 95 %, about the texts: what other texts of the same source would give. They say nothing about other seeds of
a training. Everything is repeatable, and needs only NumPy.

References: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference; Efron and Tibshirani
1993, An Introduction to the Bootstrap, section 13.3 (percentiles); McNemar 1947, Note on the Sampling Error of the
Difference between Correlated Proportions or Percentages; Berg-Kirkpatrick et al. 2012, An Empirical Investigation of
Statistical Significance in NLP (the paired bootstrap); Holm 1979, A Simple Sequentially Rejective Multiple Test
Procedure.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WILSON = "Wilson"
BOOTSTRAP = "bootstrap over texts"
MCNEMAR = "McNemar, exact"
PAIRED_BOOTSTRAP = "paired bootstrap"

RESAMPLES = 2000
_Z = 1.959963984540054  # of 95 % of a normal distribution
_TAILS = (2.5, 97.5)  # percent
_BLOCK = 4_000_000  # numbers of a block of resamples

Counts = NDArray[np.float64]
"""What a score is computed from, `(R, K)`: sums over the texts of each of R resamples."""

Score = Callable[[Counts], NDArray[np.float64]]
"""Sums `(R, K)` to scores `(R,)`."""


class Interval(NamedTuple):
    """A 95 % confidence interval of a score.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        method: How it was computed: `WILSON` or `BOOTSTRAP`.
    """

    low: float
    high: float
    method: str


class Difference(NamedTuple):
    """The score of one model minus that of another, on the same texts.

    Attributes:
        value: The difference.
        low: The lower end of its 95 % interval, from the paired bootstrap.
        high: The upper end.
        p: How probable a difference of this size or more is by chance, if both models are equally good; of two sides.
        method: The test that gives `p`: `MCNEMAR` or `PAIRED_BOOTSTRAP`.
    """

    value: float
    low: float
    high: float
    p: float
    method: str


def wilson(right: int, count: int) -> Interval:
    """The interval of a share of independent texts, by Wilson's score method.

    Args:
        right: How many of them are right.
        count: How many there are, at least one.

    Example:
        >>> [round(end, 4) for end in wilson(9, 10)[:2]]
        [0.5958, 0.9821]
    """
    if not 0 <= right <= count or not count:
        raise ValueError(f"`right` must be from 0 to `count`, of one text or more. Received: {right} of {count}")
    share, spread = right / count, _Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return Interval(max(0.0, middle - half), min(1.0, middle + half), WILSON)


def bootstrap(parts: NDArray[np.integer], score: Score, counts: NDArray[np.integer] | None = None) -> Interval:
    """The interval of any score of texts, by percentiles of 2,000 resamples.

    Args:
        parts: What each text adds to the counts of the score, integers `(N, K)`; of an F1 the entities that are right,
            predicted and true.
        score: The score of these sums.
        counts: How many texts each row of `parts` stands for, `(N,)`; by default one.

    Example:
        >>> parts = np.array([[1, 1, 1], [0, 1, 1], [1, 2, 1]])
        >>> bootstrap(parts, f1_of_counts).method
        'bootstrap over texts'
    """
    scores = np.concatenate([score(sums) for sums in _resamples(parts, counts)])
    low, high = np.percentile(scores, _TAILS).tolist()
    return Interval(low, high, BOOTSTRAP)


def paired_bootstrap(first: NDArray[np.integer], second: NDArray[np.integer], score: Score) -> Difference:
    """The difference between two models on the same texts, `second` minus `first`.

    Args:
        first: As `parts` of `bootstrap`, `(N, K)`.
        second: Those of the other model, of the same texts.
        score: The score of these sums.
    """
    width = first.shape[1]
    total = [score(part.sum(axis=0, keepdims=True).astype(np.float64))[0] for part in (first, second)]
    value = float(total[1] - total[0])
    both = np.concatenate([first, second], axis=1)
    found = np.concatenate([score(sums[:, width:]) - score(sums[:, :width]) for sums in _resamples(both)])
    low, high = np.percentile(found, _TAILS).tolist()
    # Resamples lie around the difference that was found; by chance they would lie around 0.
    beyond = int((np.abs(found - value) >= abs(value) - 1e-12).sum())
    return Difference(value, low, high, (beyond + 1) / (RESAMPLES + 1), PAIRED_BOOTSTRAP)


def mcnemar(first_alone: int, second_alone: int) -> float:
    """The probability, of two sides, of McNemar's exact test of two models on the same texts.

    If both models are equally good, each text that only one of them has right is a toss of a coin.

    Args:
        first_alone: Texts that only the first model has right.
        second_alone: Texts that only the second model has right.

    Example:
        >>> mcnemar(1, 9)  # 2 * (1 + 10) / 2 ** 10
        0.021484375
    """
    count, fewer = first_alone + second_alone, min(first_alone, second_alone)
    logs = (
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * math.log(2)
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * sum(map(math.exp, logs))) if count > 60 else min(1.0, 2 * _tosses(count, fewer))


def holm(probabilities: Sequence[float]) -> list[float]:
    """The probabilities of several tests, raised so that all together are wrong in 5 % of cases, by Holm's method.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(probabilities), 0.0
    for rank, number in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        largest = max(largest, min(1.0, (len(probabilities) - rank) * probabilities[number]))
        adjusted[number] = largest
    return adjusted


def f1_of_counts(sums: Counts) -> NDArray[np.float64]:
    """F1 of sums `(R, 3)`: right, predicted and true; 0 where there is neither."""
    both = sums[:, 1] + sums[:, 2]
    return np.asarray(np.divide(2 * sums[:, 0], both, out=np.zeros(len(sums)), where=both > 0))


def macro_f1_of_counts(sums: Counts) -> NDArray[np.float64]:
    """Macro F1 of sums `(R, 2 C)`: of each class the right ones, then of each the predicted plus the true ones.

    The mean is over the classes that occur.
    """
    right, both = np.split(sums, 2, axis=1)
    occurs = both > 0
    f1 = np.divide(2 * right, both, out=np.zeros(right.shape), where=occurs)
    return np.asarray(f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1))


def share_of_counts(column: int, divisor: int) -> Score:
    """A score: the sum of one column divided by that of another; 0 where that is 0."""

    def share(sums: Counts) -> NDArray[np.float64]:
        whole = sums[:, divisor]
        return np.asarray(np.divide(sums[:, column], whole, out=np.zeros(len(sums)), where=whole > 0))

    return share


def _tosses(count: int, most: int) -> float:
    """The probability of at most `most` heads in `count` tosses of a fair coin."""
    return float(sum(math.comb(count, k) for k in range(most + 1)) / 2**count)


def _resamples(parts: NDArray[np.integer], counts: NDArray[np.integer] | None = None) -> Iterator[Counts]:
    """Yields the sums of resamples of texts, in blocks `(R, K)`.

    Texts that add the same are one kind of text. How often each kind is drawn has a multinomial distribution, so no
    resample is ever made text by text.
    """
    if counts is None:
        parts, counts = np.unique(parts, axis=0, return_counts=True)
    values, total = parts.astype(np.float64), int(counts.sum())
    random, size = np.random.default_rng(0), max(1, _BLOCK // max(1, len(parts)))
    for start in range(0, RESAMPLES, size):
        drawn = random.multinomial(total, counts / total, size=min(size, RESAMPLES - start))
        yield drawn.astype(np.float64) @ values
