"""The settings that `textapp tune` searches, with the values that it tries.

One table serves all tasks. A task gets the settings that its models have and use.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from textapp.config import ModelConfig
from textapp.errors import InputError
from textapp.settings import as_text


@dataclasses.dataclass(frozen=True)
class Interval:
    """Any number from `low` to `high`.

    Attributes:
        low: The smallest number.
        high: The largest number.
        log: Whether numbers of equal ratio are equally likely, not those of equal difference.
    """

    low: float
    high: float
    log: bool = False

    def including(self, start: float) -> "Interval":
        """The interval extended to a number."""
        return dataclasses.replace(self, low=min(self.low, start), high=max(self.high, start))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclasses.dataclass(frozen=True)
class Steps:
    """One of some values in increasing order: similar places in the order are expected to score similarly."""

    values: tuple[Any, ...]

    def including(self, start: Any) -> "Steps":
        """The values with one more."""
        return Steps(tuple(sorted({*self.values, start})))

    def __str__(self) -> str:
        return f"{as_text(self.values[0])} to {as_text(self.values[-1])}"


@dataclasses.dataclass(frozen=True)
class Multiples:
    """One of some multiples of the start value, which is a whole number."""

    factors: tuple[float, ...]

    def including(self, start: int) -> Steps:
        """The values themselves."""
        return Steps(tuple(sorted({start, *(max(1, round(start * factor)) for factor in self.factors)})))


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some values without an order."""

    values: tuple[Any, ...]

    def including(self, start: Any) -> "Choice":
        """The values with one more."""
        return Choice(tuple(dict.fromkeys((*self.values, start))))

    def __str__(self) -> str:
        return ", ".join(map(as_text, self.values))


Searched = Interval | Steps | Choice

# The ranges hold the values of all presets of textapp, which were chosen on data of 5,000 to 200,000 texts.
SPACE: Mapping[str, Interval | Steps | Multiples | Choice] = {
    # Training. Fewer texts need more epochs; the learning rate falls to 0 in the last one, so their number matters.
    "learning_rate": Interval(3e-4, 1e-2, log=True),
    "batch_size": Steps((16, 32, 64, 128)),
    "epochs": Multiples((0.5, 1, 1.5, 2)),
    "weight_decay": Steps((1e-4, 1e-3, 1e-2)),
    "adversarial": Steps((0.0, 0.02, 0.1, 0.3)),
    # Sizes. The settings of another encoder are not used, so they are not searched.
    "embedding_dim": Steps((32, 64, 128, 256)),
    "units": Steps((32, 64, 128, 256)),
    "num_layers": Steps((1, 2)),
    "cell": Choice(("lstm", "gru")),
    "kernel_width": Steps((3, 5)),
    "character_filters": Steps((30, 60)),
    # What a model forgets: the fewer texts, the more.
    "min_count": Steps((1, 2, 3)),
    "word_dropout": Interval(0.0, 0.5),
    "embedding_dropout": Interval(0.0, 0.7),
    "dropout": Interval(0.0, 0.7),
}

OF_VECTORS: Mapping[str, Steps] = {"embedding_rate": Steps((0.1, 0.3, 1.0))}
"""The settings that matter with word vectors alone. `embedding_dim` is then that of the vectors."""


def search_space(config: ModelConfig, fixed: Collection[str] = (), vectors: bool = False) -> dict[str, Searched]:
    """The settings to search from a start point, each with the values to try, the start value among them.

    Args:
        config: The start point.
        fixed: Names of settings that keep their start values.
        vectors: Whether word vectors are given.

    Returns:
        The values to try by setting, without values that the other settings of the start point exclude.

    Raises:
        InputError: No setting is left.
    """
    unused = config.unused()
    found: dict[str, Searched] = {}
    for name, kind in {**SPACE, **(OF_VECTORS if vectors else {})}.items():
        if name not in config.settings() or name in unused or name in fixed or config.get(name) is None:
            continue
        searched = kind.including(config.get(name))
        if isinstance(searched, Steps):
            searched = Steps(tuple(value for value in searched.values if _fits(config, name, value)))
            if len(searched.values) == 1:
                continue
        found[name] = searched
    if not found:
        raise InputError("no setting is left to search: --set fixes them all; use `textapp train`")
    return found


def _fits(config: ModelConfig, name: str, value: Any) -> bool:
    """Whether a value of a setting agrees with the other settings."""
    try:
        config.replaced(**{name: value})
    except InputError:
        return False
    return True
