"""The numbers that a regressor estimates: their names, their scaling and their intervals."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LARGEST_NUMBER = 1e30
"""The largest size of a number: squares of larger ones may overflow."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model estimates of a text.

    Attributes:
        values: The T numbers.
        lows: The lower end of the interval of each number; empty for a model without intervals.
        highs: The upper end of each, likewise.
    """

    values: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Numbers:
    """The T numbers that a model estimates for each text, from C outputs.

    The outputs are standardized: of an output z, the number is `offset + scale * z`. With quantiles there are three
    outputs a number, C = 3 T: first the medians, then the lower ends of the intervals, then the upper ends. Outputs of
    a network may cross, so the three of a number are sorted.

    Two of these are equal if their names and quantiles are equal.

    Args:
        columns: The names of the numbers.
        quantiles: The quantiles of the two ends of intervals, such as `(0.05, 0.95)`; None without intervals.
        offsets: The number that each output means at 0, in the units of the user.
        scales: How much the number of each output grows when the output grows by 1; above 0.

    Reference:
        Chernozhukov et al. 2010, Quantile and Probability Curves Without Crossing (the sorting).

    Example:
        >>> numbers = Numbers(("stars",), (0.1, 0.9), (3.0, 3.0, 3.0), (2.0, 2.0, 2.0))
        >>> numbers.names
        ('stars', 'stars, quantile 0.1', 'stars, quantile 0.9')
        >>> numbers.decode([0.5, 1.0, -1.0])
        [4.0, 1.0, 5.0]
    """

    columns: tuple[str, ...]
    quantiles: tuple[float, float] | None = None
    offsets: tuple[float, ...] = field(default=(), compare=False)
    scales: tuple[float, ...] = field(default=(), compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the C outputs."""
        ends = (f"{column}, quantile {end:g}" for end in self.quantiles or () for column in self.columns)
        return (*self.columns, *ends)

    def __len__(self) -> int:
        return len(self.columns) * (1 if self.quantiles is None else 3)

    def encode(self, numbers: Iterable[Sequence[float]]) -> list[list[float]]:
        """For the T numbers of each text, the C outputs that would mean them: standardized numbers."""
        repeated = len(self) // len(self.columns)
        return [
            [
                (one - offset) / scale
                for one, offset, scale in zip([*row] * repeated, self.offsets, self.scales, strict=True)
            ]
            for row in numbers
        ]

    def decode(self, outputs: Sequence[float]) -> list[float]:
        """The C numbers of C outputs, in the units of the user; those of one column are in order."""
        numbers = [
            offset + scale * output for output, offset, scale in zip(outputs, self.offsets, self.scales, strict=True)
        ]
        if self.quantiles is not None:
            count = len(self.columns)
            for column in range(count):
                low, middle, high = sorted(numbers[column::count])
                numbers[column::count] = middle, low, high
        return numbers

    def estimate(self, numbers: Sequence[float]) -> Estimate:
        """The estimate of C numbers from `decode`."""
        count = len(self.columns)
        return Estimate(*(tuple(numbers[start : start + count]) for start in range(0, len(self), count)))

    def shifted(self, margins: Sequence[float]) -> "Numbers":
        """The same with other offsets of intervals: the ends of each number are `margin` further apart on each side."""
        count = len(self.columns)
        change = [0.0] * count + [-margin for margin in margins] + list(margins)
        offsets = tuple(offset + more for offset, more in zip(self.offsets, change, strict=True))
        return Numbers(self.columns, self.quantiles, offsets, self.scales)


QUANTILES_RULE = "null, or two numbers: one above 0 and below 0.5, one above 0.5 and below 1"
OFFSETS_RULE = f"a list of numbers from -{LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}, one an output"
SCALES_RULE = f"a list of numbers above 0 and at most {LARGEST_NUMBER:g}, one an output"


def are_quantiles(value: Any) -> bool:
    """Whether a JSON value is what `QUANTILES_RULE` says."""
    if value is None:
        return True
    return _are_numbers(value, 0.0, 1.0) and len(value) == 2 and 0 < value[0] < 0.5 < value[1] < 1


def are_offsets(value: Any) -> bool:
    """Whether a JSON value is what `OFFSETS_RULE` says."""
    return _are_numbers(value, -LARGEST_NUMBER, LARGEST_NUMBER)


def are_scales(value: Any) -> bool:
    """Whether a JSON value is what `SCALES_RULE` says."""
    return _are_numbers(value, 0.0, LARGEST_NUMBER) and 0 not in value


SCALING: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "quantiles": (are_quantiles, QUANTILES_RULE),
    "offsets": (are_offsets, OFFSETS_RULE),
    "scales": (are_scales, SCALES_RULE),
}
"""The fields of a run and of a bundle about the scaling of numbers: a check of the value, and the rule in words."""


def numbers_of(names: Sequence[str], fields: Mapping[str, Any]) -> Numbers | None:
    """The numbers with these names of outputs; None if they do not fit the fields.

    Args:
        names: The names of the outputs, as the file `labels.txt` has them.
        fields: Those of `SCALING`, which follow their rules.
    """
    low_and_high = fields["quantiles"]
    quantiles = None if low_and_high is None else (float(low_and_high[0]), float(low_and_high[1]))
    found = Numbers(
        tuple(names[: len(names) // (1 if quantiles is None else 3)]),
        quantiles,
        tuple(map(float, fields["offsets"])),
        tuple(map(float, fields["scales"])),
    )
    fits = found.names == tuple(names) and len(found.offsets) == len(found.scales) == len(names)
    return found if fits else None


def _are_numbers(value: Any, low: float, high: float) -> bool:
    """Whether a JSON value is a list of finite numbers in a range."""
    return isinstance(value, list) and all(
        type(one) in (int, float) and math.isfinite(one) and low <= one <= high for one in value
    )
