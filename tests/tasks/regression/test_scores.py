"""The scores of numbers, compared with SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

from textapp.data.readers import Examples
from textapp.task import task
from textapp.tasks.regression.losses import StandardizedLoss
from textapp.tasks.regression.scores import interval_margins, number_scores, pearson, ranks, spearman
from textapp.text.estimates import Estimate, Numbers

RNG = np.random.default_rng(3)
TRUE = np.round(RNG.normal(100, 20, (60, 2)), -1)  # with ties
FOUND = TRUE + RNG.normal(0, 15, TRUE.shape)
NUMBERS = Numbers(("prix", "дни"), None, (100.0, 100.0), (20.0, 20.0))
INTERVALS = Numbers(("цена",), (0.1, 0.9), (5.0,) * 3, (2.0,) * 3)


def test_scores_are_those_of_scipy_and_scikit_learn():
    scores = number_scores(TRUE.tolist(), [Estimate(tuple(row)) for row in FOUND.tolist()], NUMBERS)
    for number, name in enumerate(NUMBERS.columns):
        true, found = TRUE[:, number], FOUND[:, number]
        assert scores["numbers"][name] == {
            "mae": pytest.approx(mean_absolute_error(true, found)),
            "rmse": pytest.approx(root_mean_squared_error(true, found)),
            "pearson": pytest.approx(stats.pearsonr(true, found)[0]),
            "spearman": pytest.approx(stats.spearmanr(true, found)[0]),
        }
    assert scores["mae"] == pytest.approx(mean_absolute_error(TRUE, FOUND))
    assert scores["count"] == 60


def test_equal_numbers_share_their_rank():
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0])
    np.testing.assert_array_equal(ranks(values), stats.rankdata(values))


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_side_has_no_correlation(correlation):
    """Not NaN, which JSON cannot hold; rounding makes the differences from the mean of 0.1 other than 0."""
    assert correlation(np.full(7, 0.1), np.arange(7.0)) == correlation(np.arange(7.0), np.full(7, 0.1)) == 0


def test_three_outputs_of_a_number_never_cross():
    for row in RNG.normal(size=(200, 3)).tolist():
        estimate = INTERVALS.estimate(INTERVALS.decode(row))
        assert estimate.lows[0] <= estimate.values[0] <= estimate.highs[0]
        assert sorted([*estimate.lows, *estimate.values, *estimate.highs]) == pytest.approx(
            sorted(5 + 2 * one for one in row)
        )


def test_encoded_numbers_are_decoded_again():
    rows = [[-3.0, 7.5], [1e6, 0.0]]
    assert [NUMBERS.decode(row) for row in NUMBERS.encode(rows)] == [pytest.approx(row) for row in rows]
    assert INTERVALS.encode([[9.0]]) == [[2.0, 2.0, 2.0]]


def test_margins_make_intervals_hold_the_share_of_other_numbers():
    """Of a model that knows nothing: its intervals are a point, and those of other texts hold 80 % of them."""
    true = RNG.normal(5, 3, (4000, 1))
    nothing = [Estimate((5.0,), (5.0,), (5.0,))] * 2000
    [margin] = interval_margins(true[:2000].tolist(), nothing, INTERVALS)
    assert (np.abs(true[2000:] - 5) <= margin).mean() == pytest.approx(0.8, abs=0.03)
    calibrated = INTERVALS.shifted([margin])
    assert calibrated.decode([0.0, 0.0, 0.0]) == pytest.approx([5, 5 - margin, 5 + margin])


@pytest.mark.parametrize("kind", ["mse", "mae", "huber", "quantile"])
def test_the_loss_of_each_kind(kind):
    true, found = RNG.normal(size=(2, 9, 3)).astype("float32")
    error = true - found
    quantiles = (0.5, 0.05, 0.9)
    expected = {
        "mse": np.square(error),
        "mae": np.abs(error),
        "huber": np.where(np.abs(error) <= 0.7, error**2 / 2, 0.7 * (np.abs(error) - 0.35)),
        "quantile": np.stack(
            [
                [mean_pinball_loss([one], [other], alpha=quantile) for one, other in zip(*columns, strict=True)]
                for quantile, *columns in zip(quantiles, true.T, found.T, strict=True)
            ],
            axis=1,
        ),
    }[kind].mean(axis=1)
    np.testing.assert_allclose(StandardizedLoss(kind, 0.7, quantiles).call(true, found), expected, rtol=1e-5)


def test_the_intervals_of_scores_hold_them_and_a_better_model_is_found():
    regression = task("regression")
    examples = Examples(["好"] * 60, [tuple(row) for row in TRUE.tolist()], "цены.tsv")
    good = [Estimate(tuple(row)) for row in FOUND.tolist()]
    bad = [Estimate(tuple(row)) for row in (TRUE + RNG.normal(0, 60, TRUE.shape)).tolist()]
    scores = regression.score_decisions(examples, good, NUMBERS)
    for key, interval in regression.intervals(examples, good, NUMBERS).items():
        assert interval.low < scores[key] < interval.high
    difference = regression.difference(examples, bad, good, NUMBERS)
    assert difference.value == pytest.approx(
        scores["pearson"] - regression.score_decisions(examples, bad, NUMBERS)["pearson"]
    )
    assert difference.p < 0.01 < regression.difference(examples, good, good, NUMBERS).p
