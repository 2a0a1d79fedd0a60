"""The scores of numbers: errors, correlations, and how often intervals hold. Everything needs only NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.text.estimates import Estimate, Numbers

NUMBERS = "numbers"
"""The key of the scores of each number, of a model of several."""

Column = NDArray[np.float64]


def mean_absolute_error(true: Column, found: Column) -> float:
    """The mean size of the errors, in the units of the numbers, `(N,)` each."""
    return float(np.abs(true - found).mean())


def root_mean_squared_error(true: Column, found: Column) -> float:
    """The root of the mean squared error, in the units of the numbers, `(N,)` each."""
    return float(np.sqrt(np.square(true - found).mean()))


def pearson(true: Column, found: Column) -> float:
    """The linear correlation of numbers, `(N,)` each, from -1 to 1; 0 where one side is constant.

    Example:
        >>> round(pearson(np.array([1.0, 2.0, 4.0]), np.array([10.0, 20.0, 40.0])), 6)
        1.0
    """
    first, second = true - true.mean(), found - found.mean()
    size = np.sqrt(np.square(first).sum()) * np.sqrt(np.square(second).sum())
    # Of equal numbers the differences from the mean may be rounding errors.
    if np.ptp(true) == 0 or np.ptp(found) == 0 or size == 0:
        return 0.0
    return float(np.clip((first * second).sum() / size, -1.0, 1.0))


def spearman(true: Column, found: Column) -> float:
    """The correlation of the ranks of numbers, `(N,)` each; equal numbers share the mean of their ranks.

    Reference:
        Spearman 1904, The Proof and Measurement of Association between Two Things.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 4.0]), np.array([1.0, 10.0, 11.0])), 6)
        1.0
    """
    return pearson(ranks(true), ranks(found))


def ranks(values: Column) -> Column:
    """The rank of each number, `(N,)`, from 1; equal ones have the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[places], np.float64)


def number_scores(true: Sequence[Sequence[float]], estimates: Sequence[Estimate], targets: Numbers) -> dict[str, Any]:
    """The scores of estimates.

    Args:
        true: The T true numbers of each text.
        estimates: The estimates.
        targets: The numbers of the model.

    Returns:
        `mae`, `rmse`, `pearson`, `spearman`, with intervals also `coverage`, the share of numbers in their intervals,
        and `width`, the mean width of intervals; the means over the T numbers, and `count`. Of several numbers, also
        `numbers` with the scores of each by its name. They are ready for JSON.
    """
    rows = np.asarray(true, np.float64).reshape(len(estimates), len(targets.columns))
    values, lows, highs = (
        np.asarray([getattr(one, part) for one in estimates], np.float64) for part in ("values", "lows", "highs")
    )
    each = {}
    for number, name in enumerate(targets.columns):
        column, found = rows[:, number], values[:, number]
        each[name] = {
            "mae": mean_absolute_error(column, found),
            "rmse": root_mean_squared_error(column, found),
            "pearson": pearson(column, found),
            "spearman": spearman(column, found),
        }
        if targets.quantiles is not None:
            low, high = lows[:, number], highs[:, number]
            each[name]["coverage"] = float(((low <= column) & (column <= high)).mean())
            each[name]["width"] = float((high - low).mean())
    keys = next(iter(each.values()))
    means = {key: float(np.mean([part[key] for part in each.values()])) for key in keys}
    return {**means, "count": len(rows), **({NUMBERS: each} if len(each) > 1 else {})}


def interval_margins(true: Sequence[Sequence[float]], estimates: Sequence[Estimate], targets: Numbers) -> list[float]:
    r"""How much intervals must grow on each side to hold as many numbers as their quantiles say.

    A network learns its texts, so that its intervals are too narrow for others. With the error
    $E = \max(low - y, y - high)$ of each of N numbers, which is negative inside of the interval, the margin is the
    $\lceil (N + 1) s \rceil$-th smallest E, with the share s between the quantiles. Then intervals hold the share s of
    other numbers of the same source, whatever the network is.

    Args:
        true: The T true numbers of each text.
        estimates: Their estimates, with intervals.
        targets: The numbers of the model.

    Returns:
        T margins, in the units of the numbers; negative ones make intervals narrower.

    Reference:
        Romano et al. 2019, Conformalized Quantile Regression.
    """
    assert targets.quantiles is not None
    low, high = targets.quantiles
    rows = np.asarray(true, np.float64).reshape(len(estimates), len(targets.columns))
    errors = np.maximum(
        np.asarray([one.lows for one in estimates]) - rows, rows - np.asarray([one.highs for one in estimates])
    )
    place = min(len(rows), int(np.ceil((len(rows) + 1) * (high - low) - 1e-9)))
    margins: list[float] = np.sort(errors, axis=0)[max(place, 1) - 1].tolist()
    return margins
