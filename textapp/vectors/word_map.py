"""Words laid out in the plane by t-SNE, so that near vectors are near points."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from textapp.errors import InputError
from textapp.vectors.retrieval import nearest
from textapp.vectors.word_vectors import WordVectors

LEAST_WORDS = 5  # fewer make no map
_MOST_CLUSTERS = 10  # more colours cannot be told apart
_WORDS_PER_CLUSTER = 15
_NEIGHBORS = 8


class WordMap(NamedTuple):
    """N words in the plane.

    Attributes:
        words: The words; where labels compete for room, the first have precedence.
        places: Float32 `(N, 2)`, x to the right and y upwards, both from 0 to 1, in one scale.
        clusters: int64 `(N,)`, from 0: k-means clusters of the vectors, to be seen as colours. They show what t-SNE,
            which keeps only small distances, has torn apart.
        neighbors: int64 `(N, K)`, rows of the words nearest by cosine, the nearest first.
        cosines: Float32 `(N, K)`, their cosines.
        ranks: int64 `(N,)`, rank of each word in the vocabulary from 1; 0 where it is not in it (subwords).
    """

    words: tuple[str, ...]
    places: np.ndarray
    clusters: np.ndarray
    neighbors: np.ndarray
    cosines: np.ndarray
    ranks: np.ndarray


def map_words(vectors: WordVectors, words: Iterable[str], perplexity: float = 30, seed: int = 0) -> WordMap:
    """Lays words out by t-SNE of their vectors at length 1.

    Args:
        vectors: Vectors of the words.
        words: The words; doubled ones count once.
        perplexity: About how many neighbours a word minds; at most a third of the words.
        seed: Of t-SNE's and k-means' random numbers.

    Raises:
        InputError: A word has no vector, there are fewer than `LEAST_WORDS`, or all vectors are alike.

    Reference:
        van der Maaten and Hinton 2008, Visualizing Data using t-SNE.
    """
    words = tuple(dict.fromkeys(words))
    if len(words) < LEAST_WORDS:
        raise InputError(f"a map needs {LEAST_WORDS} different words or more; received {len(words)}")
    units = np.stack([vectors[word] for word in words])
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    if np.ptp(units, axis=0).max() < 1e-6:
        raise InputError("the vectors of these words all point the same way: there is no map of them")
    tsne = TSNE(
        perplexity=min(perplexity, (len(words) - 1) / 3),
        init="pca" if vectors.dim > 1 else "random",  # keeps more of the large distances, and is repeatable
        random_state=seed,
    )
    groups = min(_MOST_CLUSTERS, max(1, len(words) // _WORDS_PER_CLUSTER))
    # Threads meet thousands of times a second in so small a problem, and on busy cores wait for each other each time:
    # 500 words took 5 s with one thread and 40 s with two.
    with threadpool_limits(1):
        places = tsne.fit_transform(units)
        clusters = KMeans(groups, n_init=4, random_state=seed).fit_predict(units)
    places = (places - places.min(axis=0)) / np.ptp(places, axis=0).max()
    places += (1 - places.max(axis=0)) / 2  # the shorter side in the middle
    found = nearest(units, units, min(_NEIGHBORS + 1, len(words)))
    others = np.stack([np.append(row[row != own], row[row == own])[:-1] for own, row in enumerate(found)])
    cosines = np.einsum("ne,nke->nk", units, units[others])
    ranks = [index + 1 if (index := vectors.index(word)) is not None else 0 for word in words]
    return WordMap(words, places.astype(np.float32), clusters.astype(np.int64), others, cosines, np.array(ranks))
