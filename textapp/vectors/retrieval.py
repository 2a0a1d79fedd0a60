"""Nearest neighbours between two sets of vectors, by cosine and by CSLS, in bounded memory."""

from collections.abc import Iterator

import numpy as np

_BLOCK = 2**24  # scores in memory at a time: 64 MB


def nearest(queries: np.ndarray, keys: np.ndarray, k: int, penalties: np.ndarray | None = None) -> np.ndarray:
    """Returns the keys with the highest scores for each query.

    Args:
        queries: Float32 `(N, E)`, rows of norm 1.
        keys: Float32 `(M, E)`, rows of norm 1.
        k: Number of keys, 1 to M.
        penalties: Float32 `(M,)`, subtracted from the cosines; with `mean_cosines / 2` the ranking is that of CSLS.

    Returns:
        Rows of keys, int64 `(N, k)`, by falling score; equal scores in the order of the keys, unless the tie is at the
        k-th key.
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
    """Returns the mean cosine of each query with its `k` nearest keys, float32 `(N,)`: a large one means a hub.

    CSLS (cross-domain similarity local scaling) ranks the keys y of a query x by 2 cos(x, y) - r(x) - r(y), where r is
    this mean over the other side. r(x) does not change the ranking, so cos(x, y) - r(y) / 2 gives the same one.

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
    """Yields slices of queries and their products with all keys, `(B, M)`, which the caller may overwrite."""
    step = max(1, _BLOCK // len(keys))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        yield rows, queries[rows] @ keys.T
