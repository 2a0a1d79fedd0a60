"""Analogies: how often vectors answer the question "a is to b as c is to which word?"."""

import os
from typing import Any, NamedTuple

import numpy as np

from textapp.errors import InputError, quoted
from textapp.vectors.evaluation import numbered_lines, set_name, vocabulary_row
from textapp.vectors.word_vectors import WordVectors

_BLOCK = 2**24  # scores in memory at a time: 64 MB
_NOT_COVERED, _WRONG, _RIGHT = -1, 0, 1


class AnalogySet(NamedTuple):
    """Questions `a b c d`: a is to b as c is to d.

    Attributes:
        name: Its name in tables.
        questions: Q questions, as in the file.
        sections: The range of questions of each section, in the file's order.
    """

    name: str
    questions: tuple[tuple[str, ...], ...]
    sections: dict[str, range]


def read_analogies(path: str | os.PathLike[str]) -> AnalogySet:
    """Reads the format of word2vec's questions-words.txt, which CA8 has too: lines `: section`, then its questions.

    Raises:
        InputError: A line is neither, two sections have one name, a question precedes the first section, or there is no
            question.
    """
    questions: list[tuple[str, ...]] = []
    starts: dict[str, int] = {}
    for number, line in numbered_lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            if not section or section in starts:
                raise InputError(
                    f"{path}:{number}: a section must have a name that no other has; received {quoted(section)}"
                )
            starts[section] = len(questions)
            continue
        words = tuple(line.split())
        if len(words) != 4:
            raise InputError(f"{path}:{number}: must be four words, or `: section`; received {len(words)} words")
        if not starts:
            raise InputError(f"{path}:{number}: there is no section before this question; add a line `: section`")
        questions.append(words)
    if not questions:
        raise InputError(f"{path}: there is no question in it; each line must be four words, or `: section`")
    ends = [*list(starts.values())[1:], len(questions)]
    return AnalogySet(
        set_name(path), tuple(questions), dict(zip(starts, map(range, starts.values(), ends), strict=True))
    )


def answer(
    vectors: WordVectors, questions: tuple[tuple[str, ...], ...], most_words: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Answers questions by 3CosAdd, and by the nearest neighbour of c as a baseline.

    3CosAdd answers with the word whose cosine with b - a + c is the highest; vectors have norm 1, and a, b and c are
    excluded. In many questions the nearest neighbour of c is the right answer for any a and b. Only what 3CosAdd gets
    right beyond that shows that the vectors represent the relation.

    Args:
        vectors: The vectors to evaluate.
        questions: Q questions of four words.
        most_words: If given, only the first words of the vocabulary are answers, and questions with others are left
            out.

    Returns:
        Two arrays int8 `(Q,)`, of 3CosAdd and of the baseline: 1 right, 0 wrong, -1 if a word is not in the vocabulary.

    Reference:
        Mikolov et al. 2013, Linguistic Regularities in Continuous Space Word Representations. Linzen 2016, Issues in
        evaluating semantic spaces using word analogies.
    """
    candidates = vectors.unit_vectors[:most_words]
    indices = {word: vocabulary_row(vectors, word) for question in questions for word in question}
    ids = np.array([[indices[word] for word in question] for question in questions]).reshape(-1, 4)
    known = ((ids >= 0) & (ids < len(candidates))).all(axis=1)
    covered = ids[known]
    results = []
    for answers in (_three_cos_add(candidates, covered), _neighbours_of_c(candidates, covered)):
        result = np.full(len(ids), _NOT_COVERED, np.int8)
        result[known] = np.where(answers == covered[:, 3], _RIGHT, _WRONG)
        results.append(result)
    return results[0], results[1]


def score_analogies(
    vectors: WordVectors, analogies: AnalogySet, most_words: int | None = None, baseline: WordVectors | None = None
) -> dict[str, Any]:
    """Scores vectors on a set.

    Args:
        vectors: The vectors to evaluate.
        analogies: The set.
        most_words: As in `answer`.
        baseline: Other vectors to compare with.

    Returns:
        `set`, and `sections`: the scores of each section; of `semantic` and `syntactic` if there are sections named
        `gram...` (the syntactic ones of Google's set); and of the `total`. Scores are `accuracy` over the `count`
        questions whose words all have vectors, out of `total` (`coverage` is their ratio), and `neighbour_of_c`, the
        baseline on the same questions. With `baseline` also `shared`: both vectors on the questions that both cover.
        None if no question is covered.
    """
    right, neighbour = answer(vectors, analogies.questions, most_words)
    other = answer(baseline, analogies.questions, most_words)[0] if baseline is not None else None
    groups = {name: list(questions) for name, questions in analogies.sections.items()}
    syntactic = [i for name, questions in groups.items() if name.startswith("gram") for i in questions]
    if syntactic:
        semantic = [i for name, questions in groups.items() if not name.startswith("gram") for i in questions]
        groups |= {"semantic": semantic, "syntactic": syntactic}
    groups["total"] = list(range(len(right)))
    sections = []
    for name, rows in groups.items():
        covered = right[rows] >= 0
        section: dict[str, Any] = {
            "section": name,
            "accuracy": _share_right(right[rows]),
            "count": int(covered.sum()),
            "total": len(rows),
            "coverage": float(covered.mean()) if rows else None,
            "neighbour_of_c": _share_right(neighbour[rows]),
        }
        if other is not None:
            both = [row for row in rows if right[row] >= 0 and other[row] >= 0]
            shared = {"accuracy": _share_right(right[both]), "baseline": _share_right(other[both])}
            section["shared"] = {"count": len(both), **shared}
        sections.append(section)
    return {"set": analogies.name, "sections": sections}


def _share_right(results: np.ndarray) -> float | None:
    covered = results[results >= 0]
    return float(covered.mean()) if len(covered) else None


def _three_cos_add(candidates: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Rows of the answers to questions `(N, 4)`, rows of the candidates; -1 if all candidates are excluded."""
    answers = np.full(len(questions), -1)
    step = max(1, _BLOCK // max(1, len(candidates)))
    for start in range(0, len(questions), step):
        a, b, c, _ = questions[start : start + step].T
        scores = (candidates[b] - candidates[a] + candidates[c]) @ candidates.T
        rows = np.arange(len(scores))
        for excluded in (a, b, c):
            scores[rows, excluded] = -np.inf
        best = scores.argmax(axis=1)
        answers[start : start + step] = np.where(np.isfinite(scores[rows, best]), best, -1)
    return answers


def _neighbours_of_c(candidates: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Rows of the nearest neighbour of c that is not a, b or c, for each question. Many questions share one c."""
    answers = np.full(len(questions), -1)
    unique, inverse = np.unique(questions[:, 2], return_inverse=True)
    nearest = np.full((len(unique), min(4, len(candidates))), -1)  # at least one of four words is not a, b or c
    step = max(1, _BLOCK // max(1, len(candidates)))
    for start in range(0, len(unique), step):
        scores = candidates[unique[start : start + step]] @ candidates.T
        best = np.argpartition(scores, -nearest.shape[1], axis=1)[:, -nearest.shape[1] :]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        nearest[start : start + step] = np.take_along_axis(best, order, axis=1)
    for choices in reversed(nearest[inverse].T):  # the nearest last, so that it overwrites the others
        free = (choices[:, np.newaxis] != questions[:, :3]).all(axis=1)
        answers = np.where(free, choices, answers)
    return answers
