"""Nearest neighbours between two sets of vectors, by cosine and by CSLS, in bounded memory."""

from collections.abc import Iterator

import numpy as np

_BLOCK = 2**24  # scores held at once: 64 MB


def nearest(queries: np.ndarray, keys: np.ndarray, k: int, penalties: np.ndarray | None = None) -> np.ndarray:
    """The keys that score highest for each query.

    Args:
        queries: Float32 `(N, E)`, rows of norm 1.
        keys: Float32 `(M, E)`, rows of norm 1.
        k: How many keys, 1 to M.
        penalties: Float32 `(M,)`, taken from each key's cosine; with half of `mean_cosines` the ranking is CSLS's.

    Returns:
        Row numbers of keys, int64 `(N, k)`, the highest score first; among equal ones the first key first, unless the
        tie is at the k-th place.
    """
    found = np.empty((len(queries), k), np.int64)
    for rows, scores in _scores(queries, keys):
        if penalties is not None:
            scores -= penalties
        best = np.sort(np.argpartition(scores, -k, axis=1)[:, -k:], axis=1)
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(best, order, axis=1)
    return found


def mean_cosines(queries: np.ndarray, keys: np.ndarray, k: int) -> np.ndarray:
    """The mean cosine of each query with its `k` nearest keys, float32 `(N,)`: how much of a hub it is among them.

    CSLS (cross-domain similarity local scaling) ranks the keys y for a query x by 2 cos(x, y) - r(x) - r(y), r being
    this mean of each over the other side. r(x) changes no ranking, so cos(x, y) - r(y) / 2 ranks alike.

    Reference:
        Conneau et al. 2018, Word Translation Without Parallel Data, section 2.3.
    """
    k = min(k, len(keys))
    means = np.empty(len(queries), np.float32)
    for rows, scores in _scores(queries, keys):
        scores.partition(len(keys) - k, axis=1)
        means[rows] = scores[:, len(keys) - k :].mean(axis=1)
    return means


def _scores(queries: np.ndarray, keys: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields the products of some queries with all keys, `(B, M)`, which may be overwritten."""
    step = max(1, _BLOCK // len(keys))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        yield rows, queries[rows] @ keys.T
