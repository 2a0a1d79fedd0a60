"""What a model makes of labelled examples, one by one: the content of the page of one model, for any task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from textapp.tasks.intervals import Difference, Interval
from textapp.text.marked import Marked

MOST_CHARACTERS = 1000  # of a text on a page
SEARCHED = 500  # most examples among which a task that needs all probabilities looks for those it is least sure of


class Scored(NamedTuple):
    """A score of a model.

    Attributes:
        key: Its key in the scores.
        title: Its name for people.
        value: From 0 to 1.
        interval: Its confidence interval; None where no method gives an honest one.
    """

    key: str
    title: str
    value: float
    interval: Interval | None


class Confusion(NamedTuple):
    """How often each true target was predicted as each target.

    Attributes:
        names: The C targets.
        counts: C rows, one a true target, of C numbers, one a predicted target.
        unit: What is counted: `text` or `token`.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    unit: str


class Judged(NamedTuple):
    """An example and what the model makes of it.

    Attributes:
        place: Where it is: `reviews.tsv:17`.
        right: Whether the prediction is right.
        true: The true labels in words; empty where `lines` show the truth.
        predicted: The predicted labels, likewise.
        confidence: How sure the model is, from 0 to 1; None if not known.
        lines: The text with marks, one line or more, each with a name (`true`, `predicted`) or an empty one.
        heaviest: The tokens with the largest weights in words; empty without weights.
        of: What `confidence` is the probability of, in words.
    """

    place: str
    right: bool
    true: str
    predicted: str
    confidence: float | None
    lines: tuple[tuple[str, Marked], ...]
    heaviest: str = ""
    of: str = "confidence"


@dataclass(frozen=True)
class Examination:
    """What a model makes of labelled examples.

    Attributes:
        scores: Its scores, the main one first.
        header: The titles of the columns of `targets`.
        targets: The rows of a table about each target, cells for people.
        confusion: Which targets are taken for which; None where a text has several.
        errors: The number of errors of each kind, for spans; empty without spans.
        wrong: The number of examples with a mistake.
        mistakes: Some of them, the most telling first.
        unsure: The examples that the model is least sure of.
        searched: The number of examples among which `unsure` were found.
        order: How `mistakes` are ordered, in words.
    """

    scores: tuple[Scored, ...]
    header: tuple[str, ...]
    targets: list[tuple[str, ...]]
    confusion: Confusion | None
    wrong: int
    mistakes: tuple[Judged, ...]
    unsure: tuple[Judged, ...]
    searched: int
    order: str
    errors: Mapping[str, int]


class Examiner(Protocol):
    """The functions of a task's module `examination`; see the members of `Answers` of the same names."""

    def intervals(self, examples: Any, decisions: Any, targets: Any) -> dict[str, Interval]:
        """The confidence intervals of scores, by their keys."""

    def difference(self, examples: Any, first: Any, second: Any, targets: Any) -> Difference:
        """The main score of `second` minus that of `first`, and a test of it."""

    def examine(
        self,
        titles: Mapping[str, str],
        examples: Any,
        decisions: Any,
        scores: Mapping[str, Any],
        predictor: Any,
        most: int,
        trained: Mapping[str, int],
    ) -> Examination:
        """What a model makes of examples. `scores` are all scores, `titles` the names of the main ones for people."""


def place_of(source: str, location: str) -> str:
    """Where an example is, without the folders of its file: a page is for others, too.

    Example:
        >>> place_of("data/2024/reviews.tsv", "data/2024/reviews.tsv:17")
        'reviews.tsv:17'
    """
    folders = source.replace("\\", "/").rpartition("/")[0]
    return location[len(folders) + 1 :] if folders and location.startswith(source) else location


def scored(titles: Mapping[str, str], scores: Mapping[str, float], intervals: Mapping[str, Interval]) -> list[Scored]:
    """The scores that have a title, in the order of the titles."""
    return [Scored(key, title, scores[key], intervals.get(key)) for key, title in titles.items() if key in scores]


def target_rows(names: Sequence[str], matrix: NDArray[np.int64], trained: Mapping[str, int]) -> list[tuple[str, ...]]:
    """The precision, recall, F1 and number of each target, from a confusion matrix `(C, C)`.

    Args:
        names: The C targets.
        matrix: How often each true target (row) was predicted as each target.
        trained: How often each target occurs in the training data; empty if not known.
    """
    rows: list[tuple[str, ...]] = []
    for name, right, found, having in zip(
        names, np.diagonal(matrix).tolist(), matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist(), strict=True
    ):
        cells = (right / max(found, 1), right / max(having, 1), 2 * right / max(found + having, 1))
        rows.append((name, *map(percent, cells), f"{having:,}", *trained_cell(name, trained)))
    return rows


def trained_cell(name: str, trained: Mapping[str, int]) -> tuple[str, ...]:
    """The cell about the training data, if that is known."""
    return (f"{trained.get(name, 0):,}",) if trained else ()


def percent(share: float) -> str:
    """A share as a cell of a table."""
    return f"{100 * share:.1f}"


def spread(count: int, most: int) -> Sequence[int]:
    """At most `most` of `count` positions, evenly spaced."""
    return range(0, count, max(1, -(-count // most)))
