"""The labels that a classifier chooses from."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
"""The range of temperatures: one outside of it would say that a model is almost always, or almost never, right."""

TEMPERATURE_RULE = f"a number from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}"


@dataclass(frozen=True)
class Labels:
    """C labels. The number of a label is its position.

    Example:
        >>> Labels(("差", "好")).encode(["好", "差"])
        [1, 0]
    """

    names: tuple[str, ...]

    too_few: ClassVar[str] = "a classifier needs examples of two labels or more"
    """The message about fewer than two labels."""

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, labels: Iterable[Any]) -> list[Any]:
        """The number of each label; labels that are not among these get C and the next numbers as they occur."""
        numbers = {name: number for number, name in enumerate(self.names)}
        return [numbers.setdefault(label, len(numbers)) for label in labels]


@dataclass(frozen=True)
class ExclusiveLabels(Labels):
    """C labels. A text has exactly one of them. Two sets of labels are equal if their names are equal.

    Args:
        names: The labels.
        temperature: Divides the logits before the softmax, so that probabilities are as high as labels are often right.
            From `LEAST_TEMPERATURE` to `MOST_TEMPERATURE`. More than 1 makes a model less sure. It changes no label.

    Reference:
        Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2.
    """

    temperature: float = field(default=1.0, compare=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """The label that a model gives a text. Two decisions are equal if their labels are equal.

    Attributes:
        label: The most probable label.
        confidence: Its probability, from 0 to 1.
    """

    label: str
    confidence: float = field(compare=False)


@dataclass(frozen=True)
class IndependentLabels(Labels):
    """C labels. A text may have any number of them. Two sets of labels are equal if their names are equal.

    Args:
        names: The labels.
        thresholds: For each label, the smallest probability with which a text has it, from 0 to 1; 0.5 by default.

    Example:
        >>> IndependentLabels(("price", "taste"), (0.5, 0.2)).chosen([0.4, 0.3])
        ('taste',)
        >>> IndependentLabels(("price", "taste")).encode([("taste",), ()])
        [[0, 1], [0, 0]]
    """

    thresholds: tuple[float, ...] = field(default=(), compare=False)

    too_few: ClassVar[str] = (
        "a multilabel-classifier needs two labels or more that texts have; for one label use `textapp train "
        "classifier`, with a second label for the texts without it"
    )

    def __post_init__(self) -> None:
        """Fills in the default, and checks the number of thresholds."""
        if not self.thresholds:
            object.__setattr__(self, "thresholds", (0.5,) * len(self.names))
        if len(self.thresholds) != len(self.names):
            raise ValueError(
                f"`thresholds` must be {len(self.names)}, one a label. Received: {len(self.thresholds)} of them"
            )

    def encode(self, labels: Iterable[Any]) -> list[Any]:
        """For the labels of each text, C numbers: 1 for each label that the text has, 0 for the others."""
        return [[int(name in some) for name in self.names] for some in map(set, labels)]

    def chosen(self, probs: Sequence[float]) -> tuple[str, ...]:
        """The labels of a text with these probabilities, in the order of `names`."""
        rows = zip(self.names, probs, self.thresholds, strict=True)
        return tuple(name for name, prob, threshold in rows if prob >= threshold)


def similar_labels(names: Iterable[str]) -> list[list[str]]:
    """Groups labels that are equal but for case, spaces, underscores, Unicode normal form, or the `.0` of a number.

    Example:
        >>> similar_labels(["NEG", "neg", "pos", "1", "1.0", "very good", "very_good "])
        [['NEG', 'neg'], ['1', '1.0'], ['very good', 'very_good ']]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_simplified(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _simplified(name: str) -> str:
    """What similar labels have in common."""
    words = re.sub(r"[\s_]+", " ", unicodedata.normalize("NFKC", name)).strip()
    return re.sub(r"(?<=\d)\.0+$", "", words.casefold())


def are_thresholds(value: object) -> bool:
    """Whether a JSON value is a list of numbers from 0 to 1."""
    return isinstance(value, list) and all(type(one) in (int, float) and 0 <= one <= 1 for one in value)


def is_temperature(value: object) -> bool:
    """Whether a JSON value is a temperature."""
    return type(value) in (int, float) and LEAST_TEMPERATURE <= value <= MOST_TEMPERATURE  # type: ignore[operator]
