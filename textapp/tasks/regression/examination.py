"""What a regressor makes of texts with numbers, one by one, for the page of one model. It needs only NumPy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.data.readers import Examples
from textapp.tasks.classification.examination import text_with_weights
from textapp.tasks.examination import SEARCHED, Examination, Judged, place_of, scored, spread
from textapp.tasks.intervals import Difference, Interval, bootstrap, paired_bootstrap, share_of_counts
from textapp.tasks.regression.scores import NUMBERS
from textapp.text.estimates import Estimate, Numbers

TITLES = {"mae": "mean absolute error", "rmse": "root mean squared error", "pearson": "Pearson", "spearman": "Spearman"}
_OF_INTERVALS = {"coverage": "numbers inside of the interval", "width": "mean width of the interval"}
_ORDER = "those with the largest errors first, in standard deviations of the training texts"


def intervals(examples: Examples, decisions: Sequence[Estimate], targets: Numbers) -> dict[str, Interval]:
    """Of the mean absolute error and of Pearson's correlation, by the bootstrap."""
    true, found = _columns(examples, decisions, targets)
    errors = np.stack([np.abs(true - found).mean(axis=1), np.ones(len(true))], axis=1)
    return {
        "pearson": bootstrap(_moments(true, found), _pearson_of_sums),
        "mae": bootstrap(errors, share_of_counts(0, 1)),
    }


def difference(
    examples: Examples, first: Sequence[Estimate], second: Sequence[Estimate], targets: Numbers
) -> Difference:
    """Of Pearson's correlation, with the paired bootstrap."""
    parts = [_moments(*_columns(examples, part, targets)) for part in (first, second)]
    return paired_bootstrap(parts[0], parts[1], _pearson_of_sums)


def examine(
    titles: Mapping[str, str],
    examples: Examples,
    decisions: Sequence[Estimate],
    scores: Mapping[str, Any],
    predictor: Any,
    most: int,
    trained: Mapping[str, int],
) -> Examination:
    """See `Answers.examine`. A text is wrong if a number is off by more than a standard deviation of the training."""
    del trained
    targets: Numbers = predictor.targets
    true, found = _columns(examples, decisions, targets)
    errors = (np.abs(true - found) / np.asarray(targets.scales[: true.shape[1]])).max(axis=1)
    wrong = np.flatnonzero(errors > 1)
    mistakes = wrong[np.argsort(-errors[wrong], kind="stable")][:most].tolist()
    unsure: list[int] = []
    searched: Sequence[int] = range(0)
    if targets.quantiles is not None and most:
        searched = spread(len(examples), SEARCHED)
        doubts = {number: predictor.doubt(_all_numbers(decisions[number])) for number in searched}
        unsure = sorted(doubts, key=lambda number: -doubts[number])[:most]
    judged = _judged(examples, decisions, errors, predictor, {*mistakes, *unsure})
    keys = TITLES | (_OF_INTERVALS if targets.quantiles is not None else {})
    each = scores.get(NUMBERS, {targets.columns[0]: scores})
    return Examination(
        scores=tuple(scored(titles, scores, intervals(examples, decisions, targets))),
        header=("number", *keys.values(), "texts"),
        targets=[(name, *(f"{part[key]:.4g}" for key in keys), f"{len(examples):,}") for name, part in each.items()],
        confusion=None,
        wrong=len(wrong),
        mistakes=tuple(judged[number] for number in mistakes),
        unsure=tuple(judged[number] for number in unsure),
        searched=len(searched),
        order=_ORDER,
        errors={},
    )


def _judged(
    examples: Examples,
    decisions: Sequence[Estimate],
    errors: NDArray[np.float64],
    predictor: Any,
    numbers: set[int],
) -> dict[int, Judged]:
    """The texts with these numbers, each predicted again with its tokens."""
    chosen = sorted(numbers)
    found = {}
    for number, prediction in zip(chosen, predictor.predict([examples.texts[n] for n in chosen]), strict=True):
        marked, heaviest = text_with_weights(examples.texts[number], prediction)
        found[number] = Judged(
            place=place_of(examples.source, examples.location(number)),
            right=bool(errors[number] <= 1),
            true=", ".join(f"{value:.6g}" for value in examples.labels[number]),
            predicted=in_words(decisions[number]),
            confidence=None,
            lines=(("", marked),),
            heaviest=heaviest,
        )
    return found


def in_words(estimate: Estimate) -> str:
    """The numbers of an estimate with their intervals.

    Example:
        >>> in_words(Estimate((3.25, 7.0), (2.0, 6.5), (4.0, 8.0)))
        '3.25 (2 to 4), 7 (6.5 to 8)'
    """
    ends = zip(estimate.lows, estimate.highs, strict=True)
    shown = [f" ({low:.6g} to {high:.6g})" for low, high in ends] or [""] * len(estimate.values)
    return ", ".join(f"{value:.6g}{end}" for value, end in zip(estimate.values, shown, strict=True))


def _all_numbers(estimate: Estimate) -> list[float]:
    """The C numbers of an estimate, in the order of the outputs."""
    return [*estimate.values, *estimate.lows, *estimate.highs]


def _columns(
    examples: Examples, decisions: Sequence[Estimate], targets: Numbers
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and estimated numbers, `(N, T)` each."""
    shape = (len(decisions), len(targets.columns))
    true, found = examples.labels, [one.values for one in decisions]
    return np.asarray(true, np.float64).reshape(shape), np.asarray(found, np.float64).reshape(shape)


def _moments(true: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """What Pearson's correlation of T numbers is computed from, `(N, 5 T + 1)`; near 0, so that sums are exact."""
    sizes = np.maximum(np.maximum(true.std(axis=0), found.std(axis=0)), 1e-300)
    x, y = (true - true.mean(axis=0)) / sizes, (found - found.mean(axis=0)) / sizes
    return np.concatenate([x, y, x * x, y * y, x * y, np.ones((len(x), 1))], axis=1)


def _pearson_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean correlation of T numbers, `(R,)`, from sums of `_moments`, `(R, 5 T + 1)`; 0 for a constant side."""
    count = sums[:, -1:]
    x, y, xx, yy, xy = np.split(sums[:, :-1] / count, 5, axis=1)
    size = np.sqrt(np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0))
    found = np.divide(xy - x * y, size, out=np.zeros(x.shape), where=size > 1e-12)
    return np.asarray(np.clip(found, -1, 1).mean(axis=1))
