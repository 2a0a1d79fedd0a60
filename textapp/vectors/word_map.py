"""A map of words: positions in the plane by t-SNE, so that near vectors are near points."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from textapp.errors import InputError
from textapp.vectors.retrieval import nearest
from textapp.vectors.word_vectors import WordVectors

MIN_WORDS = 5  # of a map
_MOST_CLUSTERS = 10  # more colours cannot be told apart
_WORDS_PER_CLUSTER = 15
_NEIGHBORS = 8


class WordMap(NamedTuple):
    """N words in the plane.

    Attributes:
        words: The words; if labels do not all fit, the first have precedence.
        positions: Float32 `(N, 2)`, x to the right and y upwards, both from 0 to 1, in one scale.
        clusters: int64 `(N,)`, from 0: k-means clusters of the vectors, which colours show. t-SNE keeps only small
            distances and may separate words of one cluster.
        neighbors: int64 `(N, K)`, rows of the words nearest by cosine, the nearest first.
        cosines: Float32 `(N, K)`, their cosines.
        ranks: int64 `(N,)`, rank of each word in the vocabulary, from 1; 0 for a word with a vector of subwords only.
    """

    words: tuple[str, ...]
    positions: np.ndarray
    clusters: np.ndarray
    neighbors: np.ndarray
    cosines: np.ndarray
    ranks: np.ndarray


def map_words(vectors: WordVectors, words: Iterable[str], perplexity: float = 30, seed: int = 0) -> WordMap:
    """Maps words by t-SNE of their vectors, scaled to norm 1.

    Args:
        vectors: Vectors of the words.
        words: The words; a repeated word counts once.
        perplexity: About how many neighbours influence a word's position; at most a third of the words.
        seed: Seed of t-SNE and k-means.

    Raises:
        InputError: A word has no vector, there are fewer than `MIN_WORDS`, or all vectors have one direction.

    Reference:
        van der Maaten and Hinton 2008, Visualizing Data using t-SNE.
    """
    words = tuple(dict.fromkeys(words))
    if len(words) < MIN_WORDS:
        raise InputError(f"a map needs {MIN_WORDS} or more different words; received {len(words)}")
    units = np.stack([vectors[word] for word in words])
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if np.ptp(units, axis=0).max() < 1e-6:
        raise InputError("the vectors of these words all have the same direction: there is no map of them")
    tsne = TSNE(
        perplexity=min(perplexity, (len(words) - 1) / 3),
        init="pca" if vectors.dim > 1 else "random",  # keeps more of the large distances, and is repeatable
        random_state=seed,
    )
    groups = min(_MOST_CLUSTERS, max(1, len(words) // _WORDS_PER_CLUSTER))
    # In so small a problem threads synchronize thousands of times a second, and on busy cores they wait each time: 500
    # words took 5 s with one thread and 40 s with two.
    with threadpool_limits(1):
        positions = tsne.fit_transform(units)
        clusters = KMeans(groups, n_init=4, random_state=seed).fit_predict(units)
    positions = (positions - positions.min(axis=0)) / np.ptp(positions, axis=0).max()
    positions += (1 - positions.max(axis=0)) / 2  # centres the shorter side
    found = nearest(units, units, min(_NEIGHBORS + 1, len(words)))
    others = np.stack([np.append(row[row != own], row[row == own])[:-1] for own, row in enumerate(found)])
    cosines = np.einsum("ne,nke->nk", units, units[others])
    ranks = [index + 1 if (index := vectors.index(word)) is not None else 0 for word in words]
    return WordMap(words, positions.astype(np.float32), clusters.astype(np.int64), others, cosines, np.array(ranks))
