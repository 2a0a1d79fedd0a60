"""Vectors of two languages in one space: a rotation learned from a dictionary, and translation by neighbours."""

from collections.abc import Callable
from typing import Any

import numpy as np

from textapp.errors import InputError
from textapp.vectors.dictionaries import index_pairs
from textapp.vectors.retrieval import mean_cosines, nearest
from textapp.vectors.subwords import SubwordVectors
from textapp.vectors.word_vectors import WordVectors

CSLS_NEIGHBORS = 10
_REFINEMENT_WORDS = 15_000  # the most frequent; vectors of rarer words are too noisy to learn a rotation
_RANKS = (1, 5)


def procrustes(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the orthogonal matrix that maps `source` nearest to `target`.

    W = argmin |source W - target| over orthogonal W is U V^T, where U S V^T is the singular value decomposition of
    source^T target. An orthogonal matrix changes no cosine within the source language.

    Args:
        source: Float `(N, E)`, one row a pair.
        target: Float `(N, E)`.

    Returns:
        W, float32 `(E, E)`, for row vectors: `source @ W`.

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
    """Learns the rotation of `source` to `target` from a dictionary, as in MUSE's supervised mode.

    Vectors are scaled to norm 1, so the objective is the mean cosine. A refinement makes a new dictionary of the most
    frequent words that are mutual translations by CSLS, and learns the rotation from it.

    Args:
        source: Vectors, the most frequent word first.
        target: Vectors of the same dimension, the most frequent word first.
        pairs: Rows of source and target, integer `(P, 2)`, from `dictionaries.index_pairs`.
        refinements: Number of refinements.
        report: Receives a line for each refinement.

    Returns:
        Float32 `(E, E)`.

    Raises:
        InputError: The dimensions differ, or there is no pair.
    """
    if source.dim != target.dim:
        raise InputError(
            f"vectors to align must have one dimension; received {source.dim} (source) and {target.dim} (target)"
        )
    if not len(pairs):
        raise InputError(
            "no pair of the training dictionary is in both vocabularies; check the languages of the three files"
        )
    one, other = source.unit_vectors, target.unit_vectors
    rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
    for number in range(1, refinements + 1):
        pairs = mutual_translations(one[:_REFINEMENT_WORDS] @ rotation, other[:_REFINEMENT_WORDS])
        if not len(pairs):
            raise InputError(f"refinement {number}: no two words are mutual translations; use fewer refinements")
        rotation = procrustes(one[pairs[:, 0]], other[pairs[:, 1]])
        report(f"refinement {number}: from {len(pairs):,} mutual translations")
    return rotation


def mutual_translations(mapped: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns pairs of rows that are each other's nearest neighbour by CSLS.

    Args:
        mapped: Float32 `(N, E)`, source vectors of norm 1 in the target's space.
        target: Float32 `(M, E)`, of norm 1.

    Returns:
        int64 `(P, 2)`, rows of source and target.
    """
    forward = nearest(mapped, target, 1, mean_cosines(target, mapped, CSLS_NEIGHBORS) / 2)[:, 0]
    backward = nearest(target, mapped, 1, mean_cosines(mapped, target, CSLS_NEIGHBORS) / 2)[:, 0]
    rows = np.flatnonzero(backward[forward] == np.arange(len(mapped)))
    return np.stack([rows, forward[rows]], axis=1)


def rotate(source: WordVectors, rotation: np.ndarray) -> WordVectors:
    """Returns the words in the target's space. Norms stay. A rotation is linear, so it applies to subwords too."""
    subwords = source.subwords
    if subwords is not None:
        subwords = SubwordVectors(subwords.subwords, subwords.vectors @ rotation)
    return WordVectors(
        source.words, source.vectors @ rotation, source.counts, subwords=subwords, tokenizer=source.tokenizer
    )


def score_translation(
    source: WordVectors, target: WordVectors, rotation: np.ndarray, dictionary: list[tuple[str, str]]
) -> dict[str, Any]:
    """Scores word translation: how often a right translation is the nearest target word, or one of the five nearest.

    As in MUSE, any translation of a word in the dictionary is right, and words without a pair in both vocabularies are
    left out. That favours small vocabularies, so `of_all` counts those words as wrong.

    Returns:
        `source_words` of the dictionary, the `known` ones (in the source vocabulary), the `scored` ones (with at least
        one translation in the target vocabulary), their share `coverage`; `pairs` and `pairs_known`; for each retrieval
        (`cosine`, `csls`) `precision_at_1`, `precision_at_5` over the scored words, and `of_all`, precision at 1 over
        all source words; `same_spelling`, the baseline that translates a word by itself. None if no word is scored.
    """
    rows = index_pairs(dictionary, source, target)
    right: dict[int, set[int]] = {}
    for one, other in rows.pairs.tolist():
        right.setdefault(one, set()).add(other)
    scored = np.array(list(right), np.int64)
    result: dict[str, Any] = {
        "source_words": rows.source_words,
        "known": rows.known_words,
        "scored": len(scored),
        "coverage": len(scored) / rows.source_words,
        "pairs": rows.total,
        "pairs_known": len(rows.pairs),
        "same_spelling": _mean([target.index(source.words[row]) in right[row] for row in right]),
    }
    mapped = source.unit_vectors @ rotation
    keys = target.unit_vectors
    hubs = mean_cosines(keys, mapped, CSLS_NEIGHBORS) / 2 if len(scored) else None
    for name, penalties in (("cosine", None), ("csls", hubs)):
        found = nearest(mapped[scored], keys, min(max(_RANKS), len(keys)), penalties).tolist()
        hits = [[key in right[row] for key in answers] for row, answers in zip(right, found, strict=True)]
        scores = {f"precision_at_{rank}": _mean([any(hit[:rank]) for hit in hits]) for rank in _RANKS}
        result[name] = {**scores, "of_all": sum(hit[0] for hit in hits) / rows.source_words}
    return result


def _mean(hits: list[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
