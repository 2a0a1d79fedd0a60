"""Two languages' vectors in one space: a rotation learned from a dictionary, and translation by nearest neighbours."""

from collections.abc import Callable
from typing import Any

import numpy as np

from textapp.errors import InputError
from textapp.vectors.dictionaries import index_pairs
from textapp.vectors.retrieval import mean_cosines, nearest
from textapp.vectors.subwords import SubwordVectors
from textapp.vectors.word_vectors import WordVectors

CSLS_NEIGHBORS = 10
_REFINED_WORDS = 15_000  # the vectors of rarer words are too noisy to learn the rotation from
_RANKS = (1, 5)


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation that brings `source` nearest to `target`.

    W = argmin |source W - target| over orthogonal W is U V^T, with U S V^T the singular value decomposition of
    source^T target. Being orthogonal, it changes no cosine within the source language.

    Args:
        source: Float `(N, E)`, a row a pair.
        target: Float `(N, E)`.

    Returns:
        Float32 `(E, E)`, for rows: `source @ W`.

    Reference:
        Schönemann 1966. Smith et al. 2017, Offline Bilingual Word Vectors, Orthogonal Transformations and the Inverted
        Softmax.
    """
    u, _, v = np.linalg.svd(source.astype(np.float64).T @ target.astype(np.float64))
    return (u @ v).astype(np.float32)


def learn_rotation(
    source: WordVectors,
    target: WordVectors,
    pairs: np.ndarray,
    refinements: int = 0,
    report: Callable[[str], object] = lambda _: None,
) -> np.ndarray:
    """Learns the rotation of `source` to `target` from a dictionary, as MUSE's supervised mode does.

    Vectors enter at length 1, so that the objective is the mean cosine. A refinement makes a new dictionary of the
    words, among the most frequent, that are each other's CSLS translation, and solves anew.

    Args:
        source: Vectors, the most frequent word first.
        target: Vectors of the same dimension.
        pairs: Rows of source and target `(P, 2)`, such as `dictionaries.index_pairs` finds.
        refinements: How often to refine.
        report: Told of each step.

    Returns:
        Float32 `(E, E)`.

    Raises:
        InputError: The dimensions differ, or there is no pair.
    """
    if source.dim != target.dim:
        raise InputError(
            f"vectors must have one dimension to be aligned; received {source.dim} (source) and {target.dim} (target)"
        )
    if not len(pairs):
        raise InputError(
            "no pair of the training dictionary is in both vocabularies; are the languages the right ones?"
        )
    one, other = source.unit_vectors, target.unit_vectors
    rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
    for number in range(1, refinements + 1):
        pairs = mutual_translations(one[:_REFINED_WORDS] @ rotation, other[:_REFINED_WORDS])
        if not len(pairs):
            raise InputError(f"refinement {number}: no two words are each other's translation; refine less often")
        rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
        report(f"refinement {number}: from {len(pairs):,} mutual translations")
    return rotation


def mutual_translations(mapped: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Pairs of rows that are each other's nearest neighbour by CSLS.

    Args:
        mapped: Float32 `(N, E)`, source vectors of norm 1 in the target's space.
        target: Float32 `(M, E)`, of norm 1.

    Returns:
        int64 `(P, 2)`, rows of source and target.
    """
    forth = nearest(mapped, target, 1, mean_cosines(target, mapped, CSLS_NEIGHBORS) / 2)[:, 0]
    back = nearest(target, mapped, 1, mean_cosines(mapped, target, CSLS_NEIGHBORS) / 2)[:, 0]
    rows = np.flatnonzero(back[forth] == np.arange(len(mapped)))
    return np.stack([rows, forth[rows]], axis=1)


def rotated(source: WordVectors, rotation: np.ndarray) -> WordVectors:
    """The same words in the target's space. Lengths stay, and subwords are rotated as well: it is a linear map."""
    subwords = source.subwords
    if subwords is not None:
        subwords = SubwordVectors(subwords.subwords, subwords.vectors @ rotation)
    return WordVectors(
        source.words, source.vectors @ rotation, source.counts, subwords=subwords, tokenizer=source.tokenizer
    )


def score_translation(
    source: WordVectors, target: WordVectors, rotation: np.ndarray, dictionary: list[tuple[str, str]]
) -> dict[str, Any]:
    """How often a source word's translation is its nearest target word, or among its five nearest.

    MUSE's convention: any of a word's translations counts as right, and words of which either side is not in the
    vocabulary are left out. As that flatters small vocabularies, `of_all` counts them as wrong.

    Returns:
        `source_words` of the dictionary, the `known` ones (in the source vocabulary), the `scored` ones (with at least
        one translation in the target's), their share `coverage`; `pairs` and `pairs_known`; by retrieval (`cosine`,
        `csls`) `precision_at_1`, `precision_at_5` over the scored and `of_all`, precision at 1 over all source words;
        `same_spelling`, the baseline that translates a word by itself. None where nothing is scored.
    """
    rows = index_pairs(dictionary, source, target)
    right: dict[int, set[int]] = {}
    for one, other in rows.pairs.tolist():
        right.setdefault(one, set()).add(other)
    asked = np.array(list(right), np.int64)
    result: dict[str, Any] = {
        "source_words": rows.source_words,
        "known": rows.known_words,
        "scored": len(asked),
        "coverage": len(asked) / rows.source_words,
        "pairs": rows.total,
        "pairs_known": len(rows.pairs),
        "same_spelling": _mean([target.index(source.words[row]) in right[row] for row in right]),
    }
    mapped = source.unit_vectors @ rotation
    keys = target.unit_vectors
    hubs = mean_cosines(keys, mapped, CSLS_NEIGHBORS) / 2 if len(asked) else None
    for name, penalties in (("cosine", None), ("csls", hubs)):
        found = nearest(mapped[asked], keys, min(max(_RANKS), len(keys)), penalties).tolist()
        hits = [[key in right[row] for key in answers] for row, answers in zip(right, found, strict=True)]
        scores = {f"precision_at_{rank}": _mean([any(hit[:rank]) for hit in hits]) for rank in _RANKS}
        result[name] = {**scores, "of_all": sum(hit[0] for hit in hits) / rows.source_words}
    return result


def _mean(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
