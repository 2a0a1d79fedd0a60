"""What a multilabel-classifier makes of labelled texts, one by one, for the page of one model. It needs only NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.data.readers import Examples
from textapp.tasks.classification.examination import HEADER, TRAINED, text_with_weights
from textapp.tasks.examination import (
    SEARCHED,
    Examination,
    Judged,
    percent,
    place_of,
    scored,
    spread,
    trained_cell,
)
from textapp.tasks.intervals import (
    Difference,
    Interval,
    bootstrap,
    f1_of_counts,
    macro_f1_of_counts,
    paired_bootstrap,
    wilson,
)
from textapp.tasks.multilabel.scores import LABELS

_NONE = "–"


def intervals(examples: Examples, decisions: Sequence[Iterable[str]], targets: Any) -> dict[str, Interval]:
    """Of micro F1 and macro F1 by the bootstrap, of exact match by Wilson's method.

    F1 of texts that have no label, true or predicted, is not known, so it has no interval.
    """
    del targets
    names = _names(examples.labels, decisions)
    rows, chosen = _has(examples.labels, names), _has(decisions, names)
    macro = np.concatenate([rows & chosen, rows.astype(np.int64) + chosen], axis=1)
    found = {"exact_match": wilson(int((rows == chosen).all(axis=1).sum()), len(rows))}
    if not (rows.any() or chosen.any()):
        return found
    return {
        "micro_f1": bootstrap(_micro_parts(rows, chosen), f1_of_counts),
        "macro_f1": bootstrap(macro.astype(np.int64), macro_f1_of_counts),
        **found,
    }


def difference(
    examples: Examples, first: Sequence[Iterable[str]], second: Sequence[Iterable[str]], targets: Any
) -> Difference:
    """Of micro F1, with the paired bootstrap."""
    del targets
    names = _names(examples.labels, first, second)
    rows = _has(examples.labels, names)
    parts, others = (_micro_parts(rows, _has(part, names)) for part in (first, second))
    return paired_bootstrap(parts, others, f1_of_counts)


def examine(
    titles: Mapping[str, str],
    examples: Examples,
    decisions: Sequence[tuple[str, ...]],
    scores: Mapping[str, Any],
    predictor: Any,
    most: int,
    trained: Mapping[str, int],
) -> Examination:
    """See `Answers.examine`."""
    differing = [len({*true} ^ {*chosen}) for true, chosen in zip(examples.labels, decisions, strict=True)]
    wrong = [number for number, count in enumerate(differing) if count]
    mistakes = sorted(wrong, key=lambda number: -differing[number])[:most]
    searched = spread(len(examples), SEARCHED) if most else range(0)
    probs = predictor.probabilities([examples.texts[number] for number in searched])
    doubts = dict(zip(searched, map(predictor.doubt, probs.tolist()), strict=True))
    unsure = sorted(doubts, key=lambda number: -doubts[number])[:most]
    judged = _judged(examples, decisions, predictor, {*mistakes, *unsure})
    found = intervals(examples, decisions, predictor.targets)
    rows = []
    for name, part in scores[LABELS].items():
        cells = (percent(part[key]) for key in ("precision", "recall", "f1"))
        rows.append((name, *cells, f"{part['count']:,}", *trained_cell(name, trained)))
    return Examination(
        scores=tuple(scored({**titles, "exact_match": "exact match"}, scores, found)),
        header=HEADER + ((TRAINED,) if trained else ()),
        targets=rows,
        confusion=None,
        wrong=len(wrong),
        mistakes=tuple(judged[number] for number in mistakes),
        unsure=tuple(judged[number] for number in unsure),
        searched=len(searched),
        order="those with the most wrong labels first",
        errors={},
    )


def _judged(
    examples: Examples, decisions: Sequence[tuple[str, ...]], predictor: Any, numbers: set[int]
) -> dict[int, Judged]:
    """The texts with these numbers, each predicted again with its tokens."""
    chosen = sorted(numbers)
    found = {}
    for number, prediction in zip(chosen, predictor.predict([examples.texts[n] for n in chosen]), strict=True):
        marked, heaviest = text_with_weights(examples.texts[number], prediction)
        true, predicted = ({*names} for names in (examples.labels[number], decisions[number]))
        shown = (", ".join(name for name in predictor.labels if name in some) for some in (true, predicted))
        lacking = ", ".join(sorted(true - {*predictor.labels}))
        known, guess = shown
        found[number] = Judged(
            place=place_of(examples.source, examples.location(number)),
            right=true == predicted,
            true=", ".join(filter(None, (known, lacking))) or _NONE,
            predicted=guess or _NONE,
            confidence=None,
            lines=(("", marked),),
            heaviest=heaviest,
        )
    return found


def _names(*parts: Sequence[Iterable[str]]) -> list[str]:
    """All labels that occur."""
    return sorted({name for part in parts for some in part for name in some})


def _has(sets: Sequence[Iterable[str]], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which labels each text has, boolean `(N, C)`."""
    rows, places = np.zeros((len(sets), len(names)), bool), {name: number for number, name in enumerate(names)}
    for row, some in zip(rows, sets, strict=True):
        row[[places[name] for name in some]] = True
    return rows


def _micro_parts(true: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The labels of each text that are right, chosen and true, `(N, 3)`."""
    return np.stack([part.sum(axis=1) for part in (true & chosen, chosen, true)], axis=1)
