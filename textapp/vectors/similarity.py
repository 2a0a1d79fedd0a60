"""Word similarity: how well cosines rank pairs of words as people do."""

import collections
import math
import os
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from textapp.errors import InputError, quoted
from textapp.vectors.evaluation import known_form, numbered_lines, set_name
from textapp.vectors.word_vectors import WordVectors


class SimilaritySet(NamedTuple):
    """Pairs of words with similarity scores of people.

    Attributes:
        name: Its name in tables.
        pairs: N pairs, as in the file.
        scores: Float64 `(N,)`, on any scale; higher is more similar.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    scores: np.ndarray


def read_similarity_set(path: str | os.PathLike[str]) -> SimilaritySet:
    """Reads lines `WORD WORD SCORE`, separated by tabs (words may then have spaces) or by spaces.

    Further columns are ignored: some sets have the score of each annotator there. If the third column of the first line
    is not a number, that line is a header.

    Raises:
        InputError: A line has fewer columns, a score is not a finite number, or the file has no pair.
    """
    pairs, scores = [], []
    for position, (number, line) in enumerate(numbered_lines(path)):
        columns = [column.strip() for column in line.split("\t")] if "\t" in line else line.split()
        if len(columns) < 3 or not columns[0] or not columns[1]:
            raise InputError(f"{path}:{number}: must read WORD WORD SCORE, separated by tabs or spaces")
        try:
            score = float(columns[2])
        except ValueError:
            if position == 0:
                continue
            score = math.nan
        if not math.isfinite(score):
            raise InputError(
                f"{path}:{number}: the third column, the score, must be a number; received {quoted(columns[2])}"
            )
        pairs.append((columns[0], columns[1]))
        scores.append(score)
    if not pairs:
        raise InputError(f"{path}: there is no pair in it; each line must read WORD WORD SCORE")
    return SimilaritySet(set_name(path), tuple(pairs), np.array(scores))


def cosines(vectors: WordVectors, pairs: tuple[tuple[str, str], ...]) -> np.ndarray:
    """Returns the cosine of each pair, float64 `(N,)`: NaN if a word has no vector, 0 if its vector is zero."""
    forms = {word: known_form(vectors, word) for pair in pairs for word in pair}
    found = sorted({form for form in forms.values() if form is not None})
    rows = {form: row for row, form in enumerate(found)}
    matrix, known = vectors.lookup(found)
    ids = np.array([[rows.get(forms[word] or "", -1) for word in pair] for pair in pairs])
    # An additional last row stands for all words without a form.
    covered = np.append(known, False)[ids].all(axis=1)
    result = np.full(len(pairs), np.nan)
    left, right = (matrix[ids[covered, side]].astype(np.float64) for side in (0, 1))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    # Rounded, so that each word is equally near to itself.
    result[covered] = np.round((left * right).sum(axis=1) / np.where(norms > 0, norms, 1), 12)
    return result


def character_cosines(pairs: tuple[tuple[str, str], ...]) -> np.ndarray:
    """Returns a baseline without training: the cosine of the words' character n-gram counts, float64 `(N,)`.

    The n-grams are those of `<word>`, lower-cased, with n from 2 to 4. A higher score of vectors is due to meaning
    rather than spelling.

    Example:
        >>> character_cosines((("Haus", "haus"), ("Haus", "Maus"), ("Haus", "好"))).round(2).tolist()
        [1.0, 0.5, 0.0]
    """
    return np.array([_counts_cosine(_ngrams(one), _ngrams(other)) for one, other in pairs])


def spearman(human: np.ndarray, cosine: np.ndarray) -> float | None:
    """Returns Spearman's rank correlation over the pairs whose cosine is a number. Ties get their mean rank.

    Args:
        human: Scores of people `(N,)`.
        cosine: Cosines `(N,)`, NaN for pairs that are left out.

    Returns:
        The correlation; None for fewer than two pairs, or if all scores of one side are equal.
    """
    known = ~np.isnan(cosine)
    human, cosine = human[known], cosine[known]
    if len(human) < 2 or np.ptp(human) == 0 or np.ptp(cosine) == 0:
        return None
    return float(stats.spearmanr(human, cosine).statistic)


def score_similarity(
    vectors: WordVectors, similarity: SimilaritySet, baseline: WordVectors | None = None
) -> dict[str, Any]:
    """Scores vectors on a set.

    Args:
        vectors: The vectors to evaluate.
        similarity: The set.
        baseline: Other vectors to compare with.

    Returns:
        `spearman` over the `count` pairs whose words both have vectors, out of `total` (`coverage` is their ratio), and
        `character_ngrams`, the baseline without training on the same pairs. With `baseline` also `shared`: both vectors
        on the pairs that both cover. An undefined correlation is None.
    """
    cosine = cosines(vectors, similarity.pairs)
    covered = ~np.isnan(cosine)
    characters = np.where(covered, character_cosines(similarity.pairs), np.nan)
    result: dict[str, Any] = {
        "set": similarity.name,
        "spearman": spearman(similarity.scores, cosine),
        "count": int(covered.sum()),
        "total": len(covered),
        "coverage": float(covered.mean()),
        "character_ngrams": spearman(similarity.scores, characters),
    }
    if baseline is not None:
        other = cosines(baseline, similarity.pairs)
        both = covered & ~np.isnan(other)
        result["shared"] = {
            "count": int(both.sum()),
            "spearman": spearman(similarity.scores[both], cosine[both]),
            "baseline": spearman(similarity.scores[both], other[both]),
        }
    return result


def _ngrams(word: str) -> collections.Counter[str]:
    marked = f"<{word.lower()}>"
    return collections.Counter(marked[i : i + n] for n in (2, 3, 4) for i in range(len(marked) - n + 1))


def _counts_cosine(one: collections.Counter[str], other: collections.Counter[str]) -> float:
    product = sum(count * other[ngram] for ngram, count in one.items())
    squares = (sum(count * count for count in counts.values()) for counts in (one, other))
    return product / math.sqrt(math.prod(squares))
